"""Reach: how many people each change touches, from the stored counts of teams.

People in the same teams get the same from a release, so they are counted together; only those whom a release names,
with a template of their own or chosen for a group, are looked at one by one. Where rules ask about values, people with
the same teams whom the same rules match are counted together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from django.db.models import Q

from portal.models import Domain
from signatures.conditions.conditions import Clause
from signatures.models import Sender
from signatures.senders.group_membership import Member
from signatures.senders.team_counts import SENDERS, Teams, list_teams

from .content import BANNER, BRAND, ReleaseContent, merge
from .draft import build_draft
from .live import ReleaseDamaged, get_live_content
from .rule_matches import Kind, SenderIds, find_kind, find_matches


@dataclass(frozen=True, slots=True)
class Audience:
    """Active senders, or their mailboxes of one status, who get the same from any release.

    sender_id: of the one who is looked at alone. status: of the mailboxes; SENDERS where senders are counted.
    matched: digests of the rules that match them; None where rules ask about teams alone. ids: of the senders with
    the same teams whom the same rules match, where those are known; `apart` are looked at alone.
    """

    team_ids: Teams
    number: int
    sender_id: int = 0
    status: str = SENDERS
    matched: frozenset[str] | None = None
    ids: SenderIds | None = None
    apart: frozenset[int] = frozenset()

    @property
    def sender_ids(self) -> list[int]:
        """Return whose they are, where that is known."""
        return [pk for pk in self.ids.unpack() if pk not in self.apart] if self.ids else []

    @property
    def member(self) -> Member:
        return Member(self.sender_id, self.team_ids, matched=self.matched)


def list_audiences(domain: Domain, *contents: ReleaseContent, alone: Collection[int] = ()) -> list[Audience]:
    """Return the active senders of a domain, grouped by what decides about them in these contents.

    alone: further senders who are looked at one by one. Two queries; where rules ask about values and something
    changed, two more that read who changed.
    """
    alone = {*list_named(*contents), *alone}
    rules = list_rules(*contents)
    named = (
        Sender.objects.filter(pk__in=alone, domain=domain, is_active=True) if alone else Sender.objects.none()
    )
    if rules:
        kinds = {sender.pk: find_kind(sender, rules) for sender in named.select_related("person")}
        return _set_apart(find_matches(domain, rules), kinds)
    rows = named.values_list("person__team_ids", "pk")
    return split_off(
        list_teams(domain, [SENDERS]), [(tuple(teams or ()), SENDERS, 1, pk) for teams, pk in rows]
    )


def keep_audiences(domain: Domain) -> None:
    """Look at everybody now where that is due, so that no page has to."""
    with suppress(ReleaseDamaged):  # said where it is delivered from
        list_audiences(domain, get_live_content(domain), build_draft(domain))


def _set_apart(found: Mapping[Kind, SenderIds], single: Mapping[int, Kind]) -> list[Audience]:
    """Return an audience of each kind without the single senders, and one for each of those. single: by id."""
    apart: dict[Kind, set[int]] = {}
    for pk, kind in single.items():
        apart.setdefault(kind, set()).add(pk)
    audiences = []
    for (teams, matched), ids in found.items():
        left = frozenset(apart.get((teams, matched), ()))
        if (number := ids.number - len(left)) > 0:
            audiences.append(Audience(teams, number, matched=matched, ids=ids, apart=left))
    return audiences + [Audience(teams, 1, pk, matched=matched) for pk, (teams, matched) in single.items()]


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
    return chosen.union(*((*content.people, *content.dated_people) for content in contents))


def list_rules(*contents: ReleaseContent) -> dict[str, tuple[Clause, ...]]:
    """Return the rules of these contents by their digest; none where none of them asks about values."""
    if not any(content.table.asks_values for content in contents):
        return {}
    return {digest: rule for content in contents for digest, rule in content.table.rules.items()}


def get_part(content: ReleaseContent, audience: Audience) -> tuple[object, ...]:
    """Return what can differ between audiences of one content: group with its values, template and version.

    Last the templates with dates, each with its version.
    """
    group = content.find_group(audience.member)
    template_id = content.find_template(audience.sender_id, group)
    version_id = None if template_id is None else content.templates[template_id]
    values = (group.id, group.name, group.values, group.fields, group.disclaimers) if group else None
    found = content.list_dated(audience.sender_id, group)
    dated = tuple((each, content.templates.get(each.template_id)) for each in found)
    return (version_id, template_id, values, dated)


def has_template(part: tuple[object, ...]) -> bool:
    """Return whether an audience with this part gets any template, be it for some days."""
    return part[0] is not None or bool(part[3])


def count_carriers(template_id: int, audiences: Iterable[Audience], *contents: ReleaseContent) -> int:
    """Return how many people get a template from any of these contents, which the audiences were listed for."""
    return sum(
        one.number
        for one in audiences
        if any(template_id in _list_templates(content, one) for content in contents)
    )


def _list_templates(content: ReleaseContent, audience: Audience) -> list[int | None]:
    group = content.find_group(audience.member)
    dated = content.list_dated(audience.sender_id, group)
    return [content.find_template(audience.sender_id, group), *(each.template_id for each in dated)]


def is_touched(audience: Audience, before: ReleaseContent, after: ReleaseContent) -> bool:
    """Return whether a release changes an audience's signature; the senders' own values are not compared."""
    old, new = get_part(before, audience), get_part(after, audience)
    return old != new or (has_template(new) and before.shared_digest != after.shared_digest)


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
            reach[key] = sum(one.number for one in everyone if has_template(get_part(draft, one)))
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
    teams = [list(one.team_ids) for one in touched if not one.sender_id and one.ids is None]
    return Q(pk__in=alone) | (Q(person__team_ids__in=teams) & ~Q(pk__in=list_named(before, after)))
