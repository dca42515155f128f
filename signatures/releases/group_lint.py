"""Group lint: groups that never win, groups without members, contradictions, and people whom no group takes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from portal.models import Domain

from .content import ReleaseContent, ReleasedGroup
from .reach import list_audiences

NEVER_WINS, EMPTY, CONTRADICTION, REACHED_BY_NONE = "never_wins", "empty", "contradiction", "reached_by_none"
OVER, UNCOVERED = "over", "uncovered"


@dataclass(frozen=True, slots=True)
class GroupFinding:
    """What is wrong with one group. number: of the people that it is about."""

    kind: str
    group: ReleasedGroup
    number: int
    sentence: str


@dataclass
class _Counts:
    members: Counter[int] = field(default_factory=Counter)
    wins: Counter[int] = field(default_factory=Counter)
    winners: dict[int, set[int]] = field(default_factory=dict)


def lint_groups(domain: Domain, content: ReleaseContent) -> list[GroupFinding]:
    """Return the findings about a content's groups, by priority, for the active senders of today."""
    counts = _count(domain, content)
    found = []
    for group in content.groups:
        found += _lint_default(group, counts) if group.is_default else _lint_group(group, content, counts)
        found += _lint_dates(group, content, counts, domain.get_today().isoformat())
    return found


def _count(domain: Domain, content: ReleaseContent) -> _Counts:
    counts = _Counts()
    for audience in list_audiences(domain, content):
        groups = content.table.list_groups(audience.member)
        for group in groups:
            counts.members[group.id] += audience.number
            counts.winners.setdefault(group.id, set()).add(groups[0].id)
        if groups:
            counts.wins[groups[0].id] += audience.number
    return counts


def _lint_default(group: ReleasedGroup, counts: _Counts) -> list[GroupFinding]:
    number = counts.wins[group.id]
    if not number:
        return []
    sentence = f"No team, rule or choice reaches {_say_people(number)}."
    return [GroupFinding(REACHED_BY_NONE, group, number, sentence)]


def _lint_group(group: ReleasedGroup, content: ReleaseContent, counts: _Counts) -> list[GroupFinding]:
    found = []
    members, both = counts.members[group.id], len({*group.included} & {*group.excluded})
    if not members:
        found.append(GroupFinding(EMPTY, group, 0, "Nobody is in this group."))
    elif not counts.wins[group.id]:
        names = ", ".join(f"“{one.name}”" for one in content.groups if one.id in counts.winners[group.id])
        sentence = f"Never wins: {_say_people(members)} in it get {names}, with a higher priority."
        found.append(GroupFinding(NEVER_WINS, group, members, sentence))
    if both:
        sentence = f"Included and excluded at once, so not in it: {_say_people(both)}."
        found.append(GroupFinding(CONTRADICTION, group, both, sentence))
    return found


def _lint_dates(
    group: ReleasedGroup, content: ReleaseContent, counts: _Counts, today: str
) -> list[GroupFinding]:
    found, number = [], counts.wins[group.id]
    over = [each for each in group.assignments if each.ends and each.ends < today]
    if over:
        sentence = f"Templates with dates that are over: {len(over)}. They can be removed."
        found.append(GroupFinding(OVER, group, number, sentence))
    default = content.table.default
    inherits = default is not None and default.template_id is not None
    if len(over) < len(group.assignments) and group.template_id is None and not inherits:
        sentence = "Has a template on some days only; on other days nothing is delivered to its senders."
        found.append(GroupFinding(UNCOVERED, group, number, sentence))
    return found


def _say_people(number: int) -> str:
    return "1 person" if number == 1 else f"{number:,} people"
