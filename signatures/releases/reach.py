"""Reach: how many people each change touches, from the stored counts of teams.

People in the same teams get the same from a release, so they are counted together; only those whom a release names,
with a template of their own or chosen for a group, are looked at one by one. Where rules ask about values, people with
the same teams and the same of these values are counted together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from portal.models import Domain
from signatures.models import Sender
from signatures.senders.membership import Member
from signatures.senders.team_counts import SENDERS, Teams, list_teams
from signatures.senders.values import get_member

from .content import BANNER, BRAND, ReleaseContent, merge


@dataclass(frozen=True, slots=True)
class Audience:
    """Active senders, or their mailboxes of one status, who get the same from any release.

    sender_id: of the one who is looked at alone. values: those that rules ask about, (merge field, text); sender_ids:
    whose they are. status: of the mailboxes; SENDERS where senders are counted.
    """

    team_ids: Teams
    number: int
    sender_id: int = 0
    status: str = SENDERS
    values: tuple[tuple[str, str], ...] = ()
    sender_ids: tuple[int, ...] = ()

    @property
    def member(self) -> Member:
        return Member(self.sender_id, self.team_ids, dict(self.values))


def list_audiences(domain: Domain, *contents: ReleaseContent) -> list[Audience]:
    """Return the active senders of a domain, grouped by what decides about them in these contents; two queries."""
    alone = list_named(*contents)
    if needed := list_needed(*contents):
        everyone = Sender.objects.filter(domain=domain, is_active=True).select_related("person").order_by()
        counted = ((sender, SENDERS) for sender in everyone.iterator(chunk_size=2_000))
        return group_by_values(counted, needed, alone)
    single = []
    if alone:
        active = Sender.objects.filter(domain=domain, is_active=True, pk__in=alone).order_by()
        rows = active.values_list("person__team_ids", "pk")
        single = [(tuple(teams or ()), SENDERS, 1, pk) for teams, pk in rows]
    return split_off(list_teams(domain, [SENDERS]), single)


def split_off(
    together: Iterable[tuple[Teams, str, int]], single: Collection[tuple[Teams, str, int, int]]
) -> list[Audience]:
    """Return counts of teams as audiences, with an audience of its own for each of the single senders among them.

    together: teams, status and number. single: teams, status, number and id of a sender.
    """
    apart = Counter[tuple[Teams, str]]()
    for teams, status, number, _ in single:
        apart[teams, status] += number
    audiences = [
        Audience(teams, number - apart[teams, status], status=status)
        for teams, status, number in together
        if number > apart[teams, status]
    ]
    return audiences + [Audience(teams, number, pk, status) for teams, status, number, pk in single]


def list_named(*contents: ReleaseContent) -> set[int]:
    """Return the ids of senders whom these contents name: with a template of their own, or chosen for a group."""
    groups = [group for content in contents for group in content.groups]
    chosen = {id for group in groups for id in (*group.included, *group.excluded)}
    return chosen.union(*(content.people for content in contents))


def list_needed(*contents: ReleaseContent) -> frozenset[str]:
    """Return the merge fields that rules of these contents ask about."""
    names = frozenset[str]().union(*(content.table.list_needed() for content in contents)) - {"team"}
    return frozenset(f"sender.{'email' if name == 'email_domain' else name}" for name in names)


def group_by_values(
    rows: Iterable[tuple[Sender, str]], needed: Collection[str], alone: Collection[int]
) -> list[Audience]:
    """Return senders, each with a status, by their teams and values of these fields. Needs person."""
    numbers = Counter[tuple[Teams, int, str, tuple[tuple[str, str], ...]]]()
    ids: dict[Any, set[int]] = {}
    for sender, status in rows:
        member = get_member(sender)
        values = tuple(sorted((name, member.values.get(name, "")) for name in needed))
        key = (tuple(member.team_ids), sender.pk if sender.pk in alone else 0, status, values)
        numbers[key] += 1
        ids.setdefault(key, set()).add(sender.pk)
    return [
        Audience(teams, number, id, status, values, tuple(sorted(ids[teams, id, status, values])))
        for (teams, id, status, values), number in numbers.items()
    ]


def get_part(content: ReleaseContent, audience: Audience) -> tuple[object, ...]:
    """Return what can differ between audiences of one content: group with its values, template and version."""
    group = content.find_group(audience.member)
    template_id = content.find_template(audience.sender_id, group)
    version_id = None if template_id is None else content.templates[template_id]
    values = (group.id, group.name, group.values, group.disclaimers) if group else None
    return (version_id, template_id, values)


def count_carriers(template_id: int, audiences: Iterable[Audience], *contents: ReleaseContent) -> int:
    """Return how many people get a template from any of these contents, which the audiences were listed for."""
    return sum(
        one.number
        for one in audiences
        if any(get_part(content, one)[1] == template_id for content in contents)
    )


def is_touched(audience: Audience, before: ReleaseContent, after: ReleaseContent) -> bool:
    """Return whether a release changes an audience's signature; the senders' own values are not compared."""
    old, new = get_part(before, audience), get_part(after, audience)
    return old != new or (new[0] is not None and before.shared_digest != after.shared_digest)


def count_reach(
    live: ReleaseContent,
    draft: ReleaseContent,
    keys: Collection[str],
    audiences: Iterable[Audience],
    *,
    only: Collection[str] | None = None,
) -> dict[str, int]:
    """Return key -> how many people get something else with this change than without it.

    keys: of all changes; only: those to count, all for None. Values and a template of one sender touch that one.
    """
    everyone = list(audiences)
    kept = [key for key in keys if not key.startswith("values:")]
    reach = {}
    for key in keys if only is None else only:
        if key.startswith(("values:", "person:")):
            reach[key] = 1
        elif key in (BRAND, BANNER) or key.startswith("field:"):
            reach[key] = sum(one.number for one in everyone if get_part(draft, one)[0] is not None)
        else:
            without = merge(live, draft, [other for other in kept if other != key])
            reach[key] = sum(one.number for one in everyone if get_part(without, one) != get_part(draft, one))
    return reach


def find_touched(
    audiences: Iterable[Audience],
    before: ReleaseContent,
    after: ReleaseContent,
    values: Mapping[int, Mapping[str, str]],
) -> Q:
    """Return which senders' signatures a release changes, together with the values published with it.

    values: sender id -> field -> value, as they would be published.
    """
    touched = [one for one in audiences if is_touched(one, before, after)]
    alone = {one.sender_id for one in touched if one.sender_id} | values.keys()
    alone.update(pk for one in touched for pk in one.sender_ids)
    teams = [list(one.team_ids) for one in touched if not one.sender_id and not one.sender_ids]
    return Q(pk__in=alone) | (Q(person__team_ids__in=teams) & ~Q(pk__in=list_named(before, after)))
