"""Grouping: the groups of a domain as they are edited, and the one that a sender is in."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

from integrations.models import Person
from portal.models import Domain
from portal.page_reads import once_per_page
from signatures.models import Group, Sender

from .draft_rows import read_draft_rows
from .group_membership import GroupRule, GroupTable, Member


@once_per_page
def list_groups(domain: Domain) -> Sequence[Group]:
    """Return the groups by priority, archived ones among them."""
    return list(Group.objects.filter(domain=domain))


def list_active_groups(domain: Domain) -> Sequence[Group]:
    """Return the groups that are not archived, by priority."""
    return [group for group in list_groups(domain) if group.archived_at is None]


def get_group_rules(domain: Domain) -> list[GroupRule]:
    """Return the groups as edited, by priority, without archived ones; three queries."""
    included, excluded = read_people(domain)
    return [make_rule(group, included, excluded) for group in list_active_groups(domain)]


def make_rule(
    group: Group, included: Mapping[int, Sequence[int]], excluded: Mapping[int, Sequence[int]]
) -> GroupRule:
    """Return whom a group takes. included, excluded: group id -> ids of senders."""
    return GroupRule(
        id=group.pk,
        name=group.name,
        team_id=group.follows_team_id,
        is_default=group.is_default,
        teams=tuple(group.team_ids),
        included=tuple(included.get(group.pk, ())),
        excluded=tuple(excluded.get(group.pk, ())),
        rule=tuple(group.rule),
    )


def read_people(domain: Domain) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Return the included and the excluded senders of each group, by ids; two queries at most."""
    return _read_people(domain, "included"), _read_people(domain, "excluded")


def _read_people(domain: Domain, kind: str) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for row in read_draft_rows(domain, kind):
        if row.other is not None:
            found[row.id].append(row.other)
    return found


REGROUPED = ["group", "source_digest"]
"""The columns that `regroup` changes."""


def read_ruled_table(domain: Domain) -> GroupTable[GroupRule] | None:
    """Return the groups as edited; None without any rule, as values decide nothing then."""
    ruled = Group.objects.filter(domain=domain, archived_at=None).exclude(rule=[])
    return GroupTable(get_group_rules(domain)) if ruled.exists() else None


def regroup(sender: Sender, member: Member, table: GroupTable[GroupRule]) -> bool:
    """Give a sender whose values changed the group they decide now, unsaved; return whether it is another one.

    Needs person loaded.
    """
    group = table.find_group(member)
    if (group.id if group else None) == sender.group_id:
        return False
    sender.group_id = group.id if group else None
    sender.source_digest = digest_source(sender.person, group, is_active=sender.is_active)
    return True


def digest_source(person: Person, group: GroupRule | None, *, is_active: bool) -> str:
    """Return the values a sender is updated from, including the group's name, which is a merge field."""
    group_id, group_name = (group.id, group.name) if group else (None, "")
    parts = (person.digest, person.email, person.name, str(group_id), group_name, str(is_active))
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
