"""Groups: follow the teams of Outreach, and are ordered by priority."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from integrations.connection.lifecycle import get_connection
from integrations.ledger.record import record_act
from integrations.models import Connection, Team
from portal.models import Domain
from signatures.models import Group

from .refresh import refresh_senders

DEFAULT_GROUP_NAME = "Default group"


class GroupOrderError(Exception):
    """An order is not valid; the message says why, to a person."""


@transaction.atomic
def refresh_groups(connection: Connection) -> int:
    """Create, rename and archive groups after the teams of Outreach; return how many groups changed.

    New groups come last. A group whose team is removed is archived, and restored when it returns; its
    priority and template stay.
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
    gone = [group.pk for group in groups.values() if group.archived_at is None]
    return changed + Group.objects.filter(pk__in=gone).update(archived_at=timezone.now())


def ensure_default_group(domain: Domain) -> bool:
    """Create the default group if needed; return whether it was."""
    return Group.objects.get_or_create(domain=domain, is_default=True, defaults={"name": DEFAULT_GROUP_NAME})[
        1
    ]


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
    connection = get_connection(domain)
    return refresh_senders(connection, since=None).changed if connection else 0


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
