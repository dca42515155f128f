"""Reach: how many people each change touches, from the stored counts of teams.

People in the same teams get the same from a release, so they are counted together; only those with a template of
their own are looked at one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Q

from portal.models import Domain
from signatures.models import Sender
from signatures.senders.team_counts import SENDERS, Teams, list_teams

from .content import BANNER, BRAND, ReleaseContent, merge


@dataclass(frozen=True, slots=True)
class Audience:
    """Active senders, or their mailboxes of one status, who get the same from any release.

    sender_id: of the one who is looked at alone. status: of the mailboxes; SENDERS where senders are counted.
    """

    team_ids: Teams
    number: int
    sender_id: int = 0
    status: str = SENDERS


def list_audiences(domain: Domain, *contents: ReleaseContent) -> list[Audience]:
    """Return the active senders of a domain, grouped by what decides about them in these contents; two queries."""
    alone = {id for content in contents for id in content.people}
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


def get_part(content: ReleaseContent, audience: Audience) -> tuple[object, ...]:
    """Return what can differ between audiences of one content: group with its values, template and version."""
    group = content.find_group(audience.team_ids)
    template_id = content.find_template(audience.sender_id, group)
    version_id = None if template_id is None else content.templates[template_id]
    values = (group.id, group.name, group.values, group.disclaimers) if group else None
    return (version_id, template_id, values)


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
    teams = [list(one.team_ids) for one in touched if not one.sender_id]
    special = before.people.keys() | after.people.keys()
    return Q(pk__in=alone) | (Q(person__team_ids__in=teams) & ~Q(pk__in=special))
