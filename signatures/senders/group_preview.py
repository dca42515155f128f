"""Group preview: who would be in a group, and who would change group, before a change of it is saved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from portal.models import Domain
from signatures.models import Sender

from .group_membership import GroupRule, GroupTable, Member
from .grouping import get_group_rules
from .values import get_member


@dataclass(frozen=True, slots=True)
class GroupChange:
    """One person who would change group."""

    sender_id: int
    name: str
    email: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class GroupPreview:
    """members: how many people the group takes, also those whom a group of higher priority wins."""

    members: int
    changes: Sequence[GroupChange]


def preview_group(domain: Domain, changed: GroupRule) -> GroupPreview:
    """Return what a changed group would do to the groups of active senders as they are edited; nothing is stored."""
    rules = get_group_rules(domain)
    before = GroupTable(rules)
    after = GroupTable([changed if rule.id == changed.id else rule for rule in rules])
    members, changes = 0, []
    for sender, member in list_members(domain):
        groups = after.list_groups(member)
        members += any(group.id == changed.id for group in groups)
        old, new = before.find_group(member), groups[0] if groups else None
        if (old.id if old else None) != (new.id if new else None):
            names = (group.name if group else "None" for group in (old, new))
            changes.append(GroupChange(sender.pk, str(sender), sender.email, *names))
    return GroupPreview(members, changes)


def list_members(domain: Domain) -> Iterator[tuple[Sender, Member]]:
    """Yield each active sender with what decides about their groups; one query."""
    senders = Sender.objects.filter(domain=domain, is_active=True).select_related("person")
    for sender in senders.order_by("name", "pk").iterator(chunk_size=2_000):
        yield sender, get_member(sender)
