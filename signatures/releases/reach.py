"""Reach: how many people each change touches, from the stored counts of teams.

People in the same teams get the same from a release, so they are counted together; only those whom a release names,
with a template of their own or chosen for a group, are looked at one by one. Where rules ask about values, people with
the same teams whom the same rules match are counted together. Everybody is looked at for that once, until somebody's
values or teams, or a rule, change; what is kept holds no values.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from django.core.cache import cache
from django.db.models import Max, Q, QuerySet

from portal.models import Domain
from signatures.conditions.conditions import Clause, hold
from signatures.models import Sender
from signatures.senders.membership import Member
from signatures.senders.team_counts import SENDERS, Teams, get_statuses, list_teams
from signatures.senders.values import get_member

from .content import BANNER, BRAND, ReleaseContent, merge
from .draft import build_draft
from .live import ReleaseDamaged, get_live_content

KEPT_SECONDS = 3600  # a change that is stored behind a later one is seen after that at the latest


@dataclass(frozen=True, slots=True)
class Audience:
    """Active senders, or their mailboxes of one status, who get the same from any release.

    sender_id: of the one who is looked at alone. matched: digests of the rules that match them; None where rules ask
    about teams alone. sender_ids: whose they are, where that was asked for. status: of the mailboxes; SENDERS where
    senders are counted.
    """

    team_ids: Teams
    number: int
    sender_id: int = 0
    status: str = SENDERS
    matched: frozenset[str] | None = None
    sender_ids: tuple[int, ...] = ()

    @property
    def member(self) -> Member:
        return Member(self.sender_id, self.team_ids, matched=self.matched)


def list_audiences(domain: Domain, *contents: ReleaseContent) -> list[Audience]:
    """Return the active senders of a domain, grouped by what decides about them in these contents.

    Two queries; where rules ask about values and something changed, one more that reads everybody.
    """
    alone = list_named(*contents)
    rules = list_rules(*contents)
    named = _list_active(domain).filter(pk__in=alone) if alone else Sender.objects.none()
    if rules:
        single = group_by_rules(((sender, SENDERS) for sender in named), rules, alone)
        return _set_apart(_count_together(domain, rules), single)
    rows = named.values_list("person__team_ids", "pk")
    return split_off(
        list_teams(domain, [SENDERS]), [(tuple(teams or ()), SENDERS, 1, pk) for teams, pk in rows]
    )


def list_audiences_with_ids(domain: Domain, *contents: ReleaseContent) -> list[Audience]:
    """Return the same; where rules ask about values, everybody is read, and each audience says whose it is."""
    rules = list_rules(*contents)
    if not rules:
        return list_audiences(domain, *contents)
    everyone = _list_active(domain).iterator(chunk_size=2_000)
    return group_by_rules(((sender, SENDERS) for sender in everyone), rules, list_named(*contents))


def keep_audiences(domain: Domain) -> None:
    """Look at everybody now where that is due, so that no page has to."""
    with suppress(ReleaseDamaged):  # said where it is delivered from
        list_audiences(domain, get_live_content(domain), build_draft(domain))


def _list_active(domain: Domain) -> QuerySet[Sender]:
    return Sender.objects.filter(domain=domain, is_active=True).select_related("person").order_by()


def _count_together(domain: Domain, rules: Mapping[str, tuple[Clause, ...]]) -> list[Audience]:
    """Return the active senders by their teams and the rules that match them, as kept or counted now."""
    version, key = _get_version(domain), _get_key(domain, rules)
    kept = cache.get(key)
    if kept is None or kept["version"] != version:
        everyone = _list_active(domain).iterator(chunk_size=2_000)
        counted = group_by_rules(((sender, SENDERS) for sender in everyone), rules, ())
        kept = {
            "version": version,
            "rows": [[list(one.team_ids), one.number, sorted(one.matched or ())] for one in counted],
        }
        cache.set(key, kept, KEPT_SECONDS)
    return [
        Audience(tuple(teams), number, matched=frozenset(matched)) for teams, number, matched in kept["rows"]
    ]


def _get_key(domain: Domain, rules: Iterable[str]) -> str:
    named = hashlib.sha256(",".join(sorted(rules)).encode()).hexdigest()
    return f"audiences:{domain.pk}:{named}"


def _get_version(domain: Domain) -> list[Any]:
    """Return what differs once somebody's values, teams or activity changed."""
    changed = Sender.objects.filter(domain=domain).aggregate(last=Max("changed_at"))["last"]
    return [changed.isoformat() if changed else "", get_statuses(domain).get(SENDERS, 0)]


def _set_apart(together: Iterable[Audience], single: Collection[Audience]) -> list[Audience]:
    """Return the audiences without the single senders among them, each of whom is one of its own."""
    apart = Counter((one.team_ids, one.matched) for one in single)
    rest = (replace(one, number=one.number - apart[one.team_ids, one.matched]) for one in together)
    return [one for one in rest if one.number > 0] + [*single]


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


def group_by_rules(
    rows: Iterable[tuple[Sender, str]], rules: Mapping[str, tuple[Clause, ...]], alone: Collection[int]
) -> list[Audience]:
    """Return senders, each with a status, by their teams and the rules that match them. Needs person."""
    ids: dict[tuple[Teams, int, str, frozenset[str]], list[int]] = {}
    for sender, status in rows:
        member = get_member(sender)
        matched = frozenset(digest for digest, rule in rules.items() if hold(rule, member))
        key = (tuple(member.team_ids), sender.pk if sender.pk in alone else 0, status, matched)
        ids.setdefault(key, []).append(sender.pk)
    return [
        Audience(teams, len(found), id, status, matched, tuple(sorted(set(found))))
        for (teams, id, status, matched), found in ids.items()
    ]


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
    teams = [list(one.team_ids) for one in touched if not one.sender_id and not one.sender_ids]
    return Q(pk__in=alone) | (Q(person__team_ids__in=teams) & ~Q(pk__in=list_named(before, after)))
