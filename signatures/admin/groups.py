"""Admin of groups: whom each takes, its priority and its policies, by the portal's own functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, ReadOnlyAdmin, RefusableAdmin, act_on_each, is_operator
from portal.access import get_actor
from portal.models import Domain
from signatures.conditions.conditions import ConditionError
from signatures.delivery.group_members import refresh_members
from signatures.forms.brand import label_values
from signatures.forms.delivery_settings import AutomaticPolicyForm
from signatures.forms.groups import LISTS, TeamsForm
from signatures.models import DatedAssignment, DateState, Group, GroupMember, Sender
from signatures.releases.content import ORDER
from signatures.releases.draft import note_edit
from signatures.senders.dates import say_dates
from signatures.senders.group_membership import GroupRule
from signatures.senders.grouping import get_group_rules
from signatures.senders.groups import (
    GroupRefused,
    archive_group,
    create_group,
    get_group_order,
    refuse_name,
    reorder_groups,
    restore_group,
    set_automatic_policy,
    set_drift_policy,
    set_membership,
)
from signatures.senders.rule_attributes import parse_rule

MOST_EDITED = 200  # people by hand; more of them are counted here and edited on the portal's page
POLICIES = ["automatic", "automatic_at", "drift_policy", "drift_grace_hours"]


class GroupForm(AutomaticPolicyForm):
    """A group: its name where it follows no team, its priority from 1, whom it takes, and its policies."""

    place = forms.IntegerField(
        label="Priority",
        min_value=1,
        max_value=100_000,
        help_text="1 is the highest; it decides for people in several groups.",
    )
    teams = forms.MultipleChoiceField(required=False)
    rule = forms.JSONField(
        required=False,
        initial=list,
        widget=forms.Textarea(attrs={"class": "vLargeTextField code", "rows": 6}),
        help_text='Such as [{"attribute": "title", "operator": "contains", "values": ["Sales"]}]; [] for none.',
    )

    class Meta(AutomaticPolicyForm.Meta):
        fields = ["domain", "name", *LISTS, "rule", *POLICIES]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        group = self.instance
        if group.pk is None or group.is_default or group.archived_at:
            for name in ("place", "teams", "rule"):
                del self.fields[name]  # the default group is always last and takes everybody else
            return
        teams = TeamsForm(
            domain=group.domain, follows=group.follows_team_id, initial={"teams": group.team_ids}
        )
        self.fields["teams"], self.initial["teams"] = teams.fields["teams"], group.team_ids
        self.initial["place"] = list(get_group_order(group.domain)).index(group.pk) + 1

    def clean_rule(self) -> list[Any]:
        try:
            clauses = parse_rule(self.cleaned_data["rule"] or [])
        except ConditionError as error:
            raise ValidationError(f"Condition {error.index + 1}: {error.message}") from error
        return [clause.as_json() for clause in clauses]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        domain: Domain | None = cleaned.get("domain") or (self.instance.domain if self.instance.pk else None)
        if domain and cleaned.get("name"):
            try:
                refuse_name(domain, cleaned["name"], group=self.instance)
            except GroupRefused as refused:
                self.add_error("name", str(refused))
        for each in LISTS:
            stranger = next(
                (one for one in cleaned.get(each, ()) if one.domain_id != self.instance.domain_id), None
            )
            if stranger:
                self.add_error(each, f"{stranger} is of {stranger.domain}, the group of {domain}.")
        return cleaned

    def get_membership(self) -> GroupRule | None:
        """Return whom the group takes by what was typed, or None for no change; what the page does not show stays."""
        group, chosen = self.instance, self.cleaned_data
        before = next(rule for rule in get_group_rules(group.domain) if rule.id == group.pk)
        people: dict[str, Any] = {
            each: tuple(sorted(one.pk for one in chosen[each])) for each in LISTS if each in chosen
        }
        teams = before.teams if set(chosen["teams"]) == set(before.teams) else tuple(sorted(chosen["teams"]))
        name, rule = chosen.get("name", before.name), tuple(chosen["rule"])
        membership = replace(before, name=name, teams=teams, rule=rule, **people)
        return None if membership == before else membership


class TakesFilter(admin.SimpleListFilter):
    """Narrows the list to groups that take their members in one way, or whose brand differs."""

    title = "takes"
    parameter_name = "takes"
    ways = {
        "team": ("A team", ~Q(follows_team_id="")),
        "teams": ("Further teams", ~Q(team_ids=[])),
        "rule": ("Whom a rule matches", ~Q(rule=[])),
        "included": ("People by hand", Q(pk__in=Group.included.through.objects.values("group"))),
        "excluded": ("Not some people", Q(pk__in=Group.excluded.through.objects.values("group"))),
        "brand": ("Brand values of its own", ~Q(company_values={})),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(way, label) for way, (label, _) in self.ways.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Group]) -> QuerySet[Group]:
        chosen = self.ways.get(self.value() or "")
        return queryset.filter(chosen[1]) if chosen else queryset


@admin.register(Group)
class GroupAdmin(RefusableAdmin):
    """Groups, by priority. Each takes its teams' members, people by hand and whom its rule matches, as a draft.

    A group of a team is created by the sync, others here. None is deleted: they are archived and restored.
    """

    form = GroupForm
    refusals = (GroupRefused,)
    list_display = ["name", "domain", "position", "is_default", "template", "sender_count", "archived_at"]
    list_filter = [TakesFilter, "is_default", ("archived_at", admin.EmptyFieldListFilter), DomainFilter]
    list_select_related = ["domain", "assignment__template"]
    search_fields = ["name", "domain__name"]
    autocomplete_fields = ["domain", *LISTS]
    actions = ["archive", "restore"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        active = Sender.objects.filter(group=OuterRef("pk"), is_active=True).order_by().values("group")
        number = Subquery(active.annotate(number=Count("pk")).values("number"))
        dated = Prefetch("dated_assignments", DatedAssignment.objects.select_related("template"))
        return (
            super().get_queryset(request).annotate(active_count=Coalesce(number, 0)).prefetch_related(dated)
        )

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return is_operator(request) and (obj is None or obj.archived_at is None)

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> list[str]:
        if obj is None:
            return []
        many = [each for each in LISTS if getattr(obj, each).count() > MOST_EDITED]
        is_named = not obj.follows_team_id and not obj.is_default
        fixed = ["domain", "team", "template", "brand", "archived_at", "created_at"]
        return [*fixed, *(f"{each}_number" for each in many), *([] if is_named else ["name"])]

    def get_fields(self, request: HttpRequest, obj: Group | None = None) -> list[Any]:
        if obj is None:
            return ["domain", "name"]
        many = [name for name in self.get_readonly_fields(request, obj) if name.endswith("_number")]
        people = [f"{each}_number" if f"{each}_number" in many else each for each in LISTS]
        takes = ["team"] if obj.is_default or obj.archived_at else ["place", "team", "teams", *people, "rule"]
        return ["domain", "name", *takes, "template", "brand", *POLICIES, "archived_at", "created_at"]

    @admin.display(description="Follows the team")
    def team(self, group: Group) -> str:
        return group.follows_team_id or "none"

    @admin.display(description="Included")
    def included_number(self, group: Group) -> str:
        return f"{group.included.count():,} senders"

    @admin.display(description="Excluded")
    def excluded_number(self, group: Group) -> str:
        return f"{group.excluded.count():,} senders"

    @admin.display(description="Template")
    def template(self, group: Group) -> str:
        assignment = getattr(group, "assignment", None)
        always = str(assignment.template) if assignment else "inherited (default)"
        today = group.domain.get_today()
        ahead = [each for each in group.dated_assignments.all() if each.get_state(today) != DateState.OVER]
        return "; ".join([always, *(f"{each.template} {say_dates(each)}" for each in ahead)])

    @admin.display(description="Brand values of its own")
    def brand(self, group: Group) -> str:
        values = label_values(group.company_values)
        return "; ".join(f"{label}: {value or 'none'}" for label, value in values) or "none"

    @admin.display(description="Senders", ordering="active_count")
    def sender_count(self, group: Any) -> int:
        return int(group.active_count)

    def save_model(self, request: HttpRequest, obj: Group, form: forms.ModelForm, change: bool) -> None:
        actor = get_actor(request).email
        if not change:
            obj.pk = create_group(obj.domain, obj.name, actor=actor).pk
            note_edit(obj.domain, f"group:{obj.pk}", actor=actor)
            obj.refresh_from_db()
            return
        set_automatic_policy(obj, actor=actor)
        set_drift_policy(obj, actor=actor)
        if "place" in form.changed_data:
            order = list(get_group_order(obj.domain).exclude(pk=obj.pk))
            order.insert(form.cleaned_data["place"] - 1, obj.pk)
            reorder_groups(obj.domain, order, actor=actor)
            note_edit(obj.domain, ORDER, actor=actor)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save whom the group takes."""
        group, actor = form.instance, get_actor(request).email
        membership = form.get_membership() if change and not group.is_default else None
        if membership is None:
            return
        set_membership(group, membership, actor=actor)
        note_edit(group.domain, f"group:{group.pk}", actor=actor)
        refresh_members(group.domain)

    def _act(self, request: HttpRequest, rows: QuerySet[Group], act: Any, said: str) -> None:
        actor = get_actor(request).email

        def do(group: Group) -> str:
            act(group, actor=actor)
            note_edit(group.domain, f"group:{group.pk}", actor=actor)
            refresh_members(group.domain)
            return said

        act_on_each(request, rows.select_related("domain"), do, refusals=(GroupRefused,))

    @admin.action(description="Archive")
    def archive(self, request: HttpRequest, queryset: QuerySet[Group]) -> None:
        self._act(request, queryset, archive_group, "archived as a draft.")

    @admin.action(description="Restore")
    def restore(self, request: HttpRequest, queryset: QuerySet[Group]) -> None:
        self._act(request, queryset, restore_group, "restored as a draft.")


class GroupDomainFilter(DomainFilter):
    path = "group__domain"


@admin.register(GroupMember)
class GroupMemberAdmin(ReadOnlyAdmin):
    """Every group that each sender is in, as campaigns see them; stored when a sync or a release changes them."""

    list_display = ["sender", "group", "domain"]
    list_filter = [GroupDomainFilter]
    list_select_related = ["sender", "group__domain"]
    search_fields = ["sender__name", "sender__email", "group__name"]
    ordering = ["-id"]

    @admin.display(description="Domain")
    def domain(self, row: GroupMember) -> Domain:
        return row.group.domain
