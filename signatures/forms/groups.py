"""Group forms: a new group's name, and whom a group takes, as typed; works without script."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict

from integrations.connection.lifecycle import get_connection
from integrations.models import Team
from portal.models import Domain
from signatures.conditions.conditions import ConditionError, parse
from signatures.models import Group, Sender
from signatures.releases.membership_words import get_rule_names
from signatures.senders.group_membership import GroupRule
from signatures.senders.listing import SenderNotChosen, choose_sender
from signatures.senders.rule_attributes import find_attribute, get_attributes
from signatures.senders.vocabulary import get_vocabulary

from .conditions import ConditionBuilder

INCLUDED, EXCLUDED = "included", "excluded"
LISTS = (INCLUDED, EXCLUDED)


class GroupNameForm(forms.Form):
    """The name of a group that follows no team."""

    name = forms.CharField(label="Name", max_length=255)


class TeamsForm(forms.Form):
    """Teams whose members a group takes, besides those of the team it follows."""

    teams = forms.MultipleChoiceField(
        label="Teams", required=False, help_text="Their members are in this group. One or several."
    )

    def __init__(self, *args: Any, domain: Domain, follows: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        teams = Team.objects.filter(connection=get_connection(domain), retired_at=None)
        rows = teams.exclude(remote_id=follows).order_by("name", "remote_id")
        choices = [(team.remote_id, team.name or f"Team {team.remote_id}") for team in rows]
        gone = [id for id in self.initial.get("teams", ()) if id not in dict(choices)]
        self.fields["teams"].choices = choices + [(id, f"Team {id}") for id in gone]  # type: ignore[attr-defined]


class RuleBuilder(ConditionBuilder):
    """The conditions of a group's rule."""

    def __init__(self, domain: Domain) -> None:
        attributes, names = get_attributes(get_vocabulary(domain)), get_rule_names(domain)
        entries = [(attribute, names.attribute(attribute)) for attribute in attributes.values()]
        groups = [("Team and address", entries[:2]), ("Fields", entries[2:])]
        super().__init__(attributes, groups, names)


class MembersForm:
    """Whom a group takes, typed or stored; `act` does what a button says, `read` gives it as a value."""

    def __init__(self, group: Group, rule: GroupRule, typed: QueryDict | None = None) -> None:
        self.group = group
        domain = group.domain
        self.name = None if group.follows_team_id else GroupNameForm(typed, initial={"name": rule.name})
        self.teams = TeamsForm(
            typed, domain=domain, follows=group.follows_team_id, initial={"teams": list(rule.teams)}
        )
        self.conditions = RuleBuilder(domain)
        self.error = ""
        self.sender = ""
        if typed is None:
            self._show_rule(rule)
            ids = {name: list(getattr(rule, name)) for name in LISTS}
        else:
            self.conditions.take(typed)
            self.sender = typed.get("sender", "")
            ids = {name: [int(id) for id in typed.getlist(name) if id.isdecimal()] for name in LISTS}
        people = Sender.objects.filter(domain=domain).in_bulk({id for each in ids.values() for id in each})
        self.people = {name: [people[id] for id in ids[name] if id in people] for name in LISTS}

    def _show_rule(self, rule: GroupRule) -> None:
        try:
            self.conditions.show(parse(list(rule.rule), find_attribute))
        except ConditionError as error:
            self.conditions.error = (
                f"The stored rule is not valid: {error.message} It matches nobody until you save it again."
            )

    @property
    def lists(self) -> list[tuple[str, str, list[Sender]]]:
        """Return name, heading and people of both lists."""
        return [(name, name.capitalize(), self.people[name]) for name in LISTS]

    def act(self, typed: QueryDict) -> None:
        """Add or remove a condition or a person, for the pressed button."""
        self.conditions.act(typed)
        if "put" in typed:
            self._put(str(typed["put"]))
        kind, _, id = str(typed.get("omit", "")).partition("-")
        if kind in LISTS:
            self.people[kind] = [sender for sender in self.people[kind] if str(sender.pk) != id]

    def _put(self, name: str) -> None:
        try:
            sender = choose_sender(self.group.domain, self.sender)
        except SenderNotChosen as refused:
            self.error = str(refused)
            return
        if name in LISTS:
            self.sender = ""
            for each in LISTS:
                self.people[each] = [one for one in self.people[each] if one != sender]
            self.people[name].append(sender)

    def read(self) -> GroupRule | None:
        """Return whom the group would take; None where something typed is not valid, with the error beside it."""
        clauses = self.conditions.read()
        is_named = self.name is None or self.name.is_valid()
        if not self.teams.is_valid() or not is_named or clauses is None:
            return None
        return GroupRule(
            id=self.group.pk,
            name=self.name.cleaned_data["name"] if self.name else self.group.name,
            team_id=self.group.follows_team_id,
            teams=tuple(self.teams.cleaned_data["teams"]),
            included=tuple(sorted(sender.pk for sender in self.people[INCLUDED])),
            excluded=tuple(sorted(sender.pk for sender in self.people[EXCLUDED])),
            rule=tuple(clause.as_json() for clause in clauses),
        )
