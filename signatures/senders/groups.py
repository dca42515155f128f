"""Groups: follow the teams of Outreach, take further members, and are ordered by priority."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from integrations.connection.lifecycle import get_connection
from integrations.ledger.record import record_act
from integrations.models import Connection, Team
from portal.models import Domain
from signatures.models import Group, Sender

from .group_membership import GroupRule
from .refresh import refresh_senders
from .rule_attributes import parse_rule

DEFAULT_GROUP_NAME = "Default group"
CHUNK = 500  # senders


class GroupRefused(Exception):
    """A group cannot be as asked; the message says why, to a person."""


class GroupOrderError(Exception):
    """An order is not valid; the message says why, to a person."""


@transaction.atomic
def refresh_groups(connection: Connection) -> int:
    """Create, rename and archive groups after the teams of Outreach; return how many groups changed.

    New groups come last. A group whose team is removed is archived, and restored when it returns; its
    priority and template stay. One that takes members in another way stays.
    """
    domain = Domain.objects.select_for_update().get(pk=connection.domain_id)  # one at a time
    changed = int(ensure_default_group(domain))
    groups = {
        group.follows_team_id: group
        for group in Group.objects.filter(domain=domain).exclude(follows_team_id="")
    }
    last = Group.objects.filter(domain=domain).aggregate(last=Max("position"))["last"] or 0
    live = Team.objects.filter(connection=connection, retired_at=None).order_by("name", "remote_id")
    for team in live:
        group = groups.pop(team.remote_id, None)
        name = team.name or f"Team {team.remote_id}"
        if group is None:
            last += 1
            Group.objects.create(domain=domain, name=name, position=last, follows_team_id=team.remote_id)
            changed += 1
        elif group.name != name or group.archived_at:
            group.name, group.archived_at = name, None
            group.save(update_fields=["name", "archived_at"])
            changed += 1
    gone = [
        group.pk for group in groups.values() if group.archived_at is None and not has_other_members(group)
    ]
    return changed + Group.objects.filter(pk__in=gone).update(archived_at=timezone.now())


def has_other_members(group: Group) -> bool:
    """Return whether a group takes members otherwise than from the team it follows."""
    return bool(group.team_ids or group.rule or group.included.exists())


def ensure_default_group(domain: Domain) -> bool:
    """Create the default group if needed; return whether it was."""
    return Group.objects.get_or_create(domain=domain, is_default=True, defaults={"name": DEFAULT_GROUP_NAME})[
        1
    ]


@transaction.atomic
def create_group(domain: Domain, name: str, *, actor: str) -> Group:
    """Create a group without members, behind the others. Raises: GroupRefused."""
    Domain.objects.select_for_update().get(pk=domain.pk)  # one at a time
    refuse_name(domain, name)
    last = Group.objects.filter(domain=domain).aggregate(last=Max("position"))["last"] or 0
    group = Group.objects.create(domain=domain, name=name, position=last + 1)
    record_act("group created", domain=domain, actor_label=actor, object_ref=name)
    return group


def refuse_name(domain: Domain, name: str, *, group: Group | None = None) -> None:
    """Raise GroupRefused where another group in use has this name."""
    others = Group.objects.filter(domain=domain, name=name, archived_at=None)
    if others.exclude(pk=group.pk if group else 0).exists():
        raise GroupRefused("A group with this name exists already. Enter another name.")


def set_membership(group: Group, membership: GroupRule, *, actor: str) -> int:
    """Set the name of a group and whom it takes; return how many senders changed.

    The name of a group that follows a team is the team's. Raises: GroupRefused, and nothing was changed.
    """
    if group.is_default:
        raise GroupRefused("The default group takes everyone who is in no other group.")
    parse_rule(list(membership.rule))
    with transaction.atomic():
        row = Group.objects.select_for_update().get(pk=group.pk)
        people = Sender.objects.filter(domain=row.domain_id)
        if not row.follows_team_id:
            refuse_name(row.domain, membership.name, group=row)
            row.name = membership.name
        row.team_ids, row.rule = list(membership.teams), list(membership.rule)
        row.save(update_fields=["name", "team_ids", "rule"])
        row.included.set(people.filter(pk__in=membership.included))
        row.excluded.set(people.filter(pk__in=membership.excluded))
        record_act(
            "group members changed",
            domain=row.domain,
            actor_label=actor,
            object_ref=row.name,
            detail=f"{len(membership.teams)} teams, {len(membership.included)} included, "
            f"{len(membership.excluded)} excluded, {len(membership.rule)} conditions",
        )
    return regroup_domain(group.domain)


def include_senders(group: Group, sender_ids: Sequence[int], *, actor: str) -> int:
    """Have a group take these senders of its domain by hand; return how many senders changed. Raises: GroupRefused.

    A group of higher priority that takes them too still wins.
    """
    if group.is_default or group.archived_at is not None:
        raise GroupRefused(f"“{group}” takes nobody by hand. Choose another group.")
    with transaction.atomic():
        row = Group.objects.select_for_update().get(pk=group.pk)
        for start in range(0, len(sender_ids), CHUNK):
            ids = sender_ids[start : start + CHUNK]
            people = Sender.objects.filter(domain=row.domain_id, pk__in=ids)
            row.excluded.remove(*people)
            row.included.add(*people)
        record_act(
            "group members changed",
            domain=row.domain,
            actor_label=actor,
            object_ref=row.name,
            detail=f"{len(sender_ids):,} senders included",
        )
    return regroup_domain(group.domain)


def archive_group(group: Group, *, actor: str) -> int:
    """Take a group out of use; return how many senders changed. Raises: GroupRefused for one that follows a team."""
    if group.is_default:
        raise GroupRefused("The default group is always in use.")
    if group.archived_at is not None:
        raise GroupRefused(f"“{group}” is archived already.")
    if group.follows_team_id:
        raise GroupRefused("A group that follows a team is archived when Outreach removes the team.")
    Group.objects.filter(pk=group.pk).update(archived_at=timezone.now())
    record_act("group archived", domain=group.domain, actor_label=actor, object_ref=group.name)
    return regroup_domain(group.domain)


def restore_group(group: Group, *, actor: str) -> int:
    """Take an archived group into use again; return how many senders changed. Raises: GroupRefused."""
    if group.archived_at is None:
        raise GroupRefused(f"“{group}” is in use already.")
    if group.follows_team_id:
        raise GroupRefused("A group that follows a team is restored when Outreach has the team again.")
    refuse_name(group.domain, group.name, group=group)
    Group.objects.filter(pk=group.pk).update(archived_at=None)
    record_act("group restored", domain=group.domain, actor_label=actor, object_ref=group.name)
    return regroup_domain(group.domain)


def regroup_domain(domain: Domain) -> int:
    """Give every sender the group that they are in now; return how many changed."""
    connection = get_connection(domain)
    return refresh_senders(connection, since=None).changed if connection else 0


def get_group_order(domain: Domain) -> QuerySet[Group, int]:
    """Return the ids of the groups that can be ordered, in their order; the default group comes after them."""
    rows = Group.objects.filter(domain=domain, archived_at=None, is_default=False)
    return rows.order_by("position", "id").values_list("pk", flat=True)


def reorder_groups(domain: Domain, ordered_ids: Sequence[int], *, actor: str) -> int:
    """Set the order of groups, and move senders to the group that then has priority.

    ordered_ids: ids of groups of this domain, the default group left out (it is always last);
    groups not named keep their order behind them. Returns how many senders changed.
    Raises: GroupOrderError.
    """
    with transaction.atomic():
        groups = {group.pk: group for group in Group.objects.filter(domain=domain, is_default=False)}
        if len(set(ordered_ids)) != len(ordered_ids) or not set(ordered_ids) <= groups.keys():
            raise GroupOrderError("These are not this domain’s groups, each named once. Load the page again.")
        rest = [pk for pk in groups if pk not in set(ordered_ids)]
        for position, pk in enumerate([*ordered_ids, *rest], start=1):
            groups[pk].position = position
        Group.objects.bulk_update(groups.values(), ["position"], batch_size=500)
        names = ", ".join(groups[pk].name for pk in ordered_ids)
        record_act("groups reordered", domain=domain, actor_label=actor, detail=f"First: {names}"[:1000])
    return regroup_domain(domain)


@transaction.atomic
def set_automatic_policy(group: Group, *, actor: str) -> None:
    """When new directory values reach this group's mailboxes is as it says now; nothing is written by this."""
    before = Group.objects.select_for_update().get(pk=group.pk)
    if (before.automatic, before.automatic_at) == (group.automatic, group.automatic_at):
        return
    group.save(update_fields=["automatic", "automatic_at"])
    at = f", {group.automatic_at:%H:%M}" if group.automatic_at else ""
    record_act(
        "automatic policy changed",
        domain=group.domain,
        actor_label=actor,
        object_ref=group.name,
        detail=f"{group.get_automatic_display()}{at}",
    )


@transaction.atomic
def set_drift_policy(group: Group, *, actor: str) -> None:
    """Set the group's policy for edits in Outreach; edits are not changed by this."""
    before = Group.objects.select_for_update().get(pk=group.pk)
    if (before.drift_policy, before.drift_grace_hours) == (group.drift_policy, group.drift_grace_hours):
        return
    group.save(update_fields=["drift_policy", "drift_grace_hours"])
    record_act(
        "drift policy changed",
        domain=group.domain,
        actor_label=actor,
        object_ref=group.name,
        detail=f"{group.get_drift_policy_display()}, grace period {group.drift_grace_hours} hours",
    )
