"""Membership words: whom a group takes, in words, for what a release changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from integrations.connection.lifecycle import get_connection
from integrations.models import Team
from portal.models import Domain
from signatures.conditions.conditions import Names, say
from signatures.models import Sender
from signatures.senders.group_membership import GroupRule, read_rule
from signatures.senders.vocabulary import get_vocabulary

MOST_NAMES = 10


class MembershipWords:
    """Describes groups; reads the names of their teams and people once."""

    def __init__(self, domain: Domain, groups: Collection[GroupRule]) -> None:
        self.names = get_rule_names(domain) if any(group.rule or group.teams for group in groups) else Names()
        ids = {id for group in groups for id in (*group.included, *group.excluded)}
        people = Sender.objects.filter(domain=domain, pk__in=ids) if ids else Sender.objects.none()
        self._people = {sender.pk: str(sender) for sender in people}

    def describe(self, group: GroupRule | None) -> Mapping[str, str]:
        """Return label -> words; '' for what it does not take."""
        if group is None:
            return dict.fromkeys(("Members", "Teams", "Rule", "Included", "Excluded"), "")
        if group.is_default:
            members = "Everyone in no other group"
        else:
            members = f"Members of the team “{group.name}”" if group.team_id else ""
        return {
            "Members": members,
            "Teams": ", ".join(self.names.labels.get(("team", id), id) for id in group.teams),
            "Rule": " and ".join(say(clause, self.names) for clause in read_rule(group)),
            "Included": self._list_people(group.included),
            "Excluded": self._list_people(group.excluded),
        }

    def _list_people(self, ids: Collection[int]) -> str:
        names = [self._people.get(id, f"Sender {id}") for id in ids]
        more = len(names) - MOST_NAMES
        return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def get_rule_names(domain: Domain) -> Names:
    """Return the names of the domain's teams and fields, as rules name them."""
    labels = {
        (field.name.removeprefix("sender."), ""): field.label for field in get_vocabulary(domain).of_senders()
    }
    teams = Team.objects.filter(connection=get_connection(domain), retired_at=None).order_by("name")
    labels |= {("team", team.remote_id): team.name or f"Team {team.remote_id}" for team in teams}
    return Names(labels)
