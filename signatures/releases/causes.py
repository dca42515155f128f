"""Causes: how many mailboxes each chosen draft changes, in which groups, and how many no other draft changes.

Counted as reach is: over people who get the same from a release together. The mailboxes of people in the same teams are
counted as stored; only where a draft changes some of them and not others, theirs are looked at. Nothing is rendered, so
a mailbox counts also where its signature turns out the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from integrations.models import Connection
from signatures.models import IN_PLACE, MailboxState, MailboxStatus
from signatures.senders.team_counts import Teams, list_teams

from .candidate import Candidate
from .content import BANNER, BRAND, ReleaseContent
from .reach import (
    Audience,
    get_part,
    has_template,
    is_touched,
    list_audiences,
    list_named,
    list_rules,
    split_off,
)

CHUNK = 2_000
PERSON, VALUES = "person", "values"  # each of them is one cause, for any number of people
CHANGEABLE = (*IN_PLACE, MailboxStatus.PENDING, MailboxStatus.NEVER)


@dataclass(frozen=True, slots=True)
class Cause:
    """key: of the draft, or PERSON or VALUES. only: mailboxes that no other chosen draft changes.

    groups: names of those it changes mailboxes in, by priority; is_everywhere: these are all that have people.
    """

    key: str
    mailboxes: int
    only: int
    groups: tuple[str, ...]
    is_everywhere: bool


def list_mailbox_audiences(connection: Connection | None, candidate: Candidate) -> list[Audience]:
    """Return who gets the same from any release, with how many mailboxes have each status; two queries.

    Where rules ask about values, people in the same teams whom no chosen draft touches are one audience together, and
    a query more for each 2,000 whom one touches.
    """
    if connection is None:
        return []
    contents = (candidate.before, candidate.draft)
    alone = {*list_named(*contents), *candidate.chosen_values}
    together = list_teams(connection.domain, MailboxStatus.values)
    if list_rules(*contents):
        people = list_audiences(connection.domain, *contents, alone=alone)
        return _count_statuses(connection, candidate, together, people)
    rows = _count_of_senders(connection, alone).items()
    return split_off(together, [(teams, status, number, pk) for (teams, status, pk), number in rows])


def _count_of_senders(connection: Connection, ids: Iterable[int]) -> Counter[tuple[Teams, str, int]]:
    """Return how many mailboxes of each of these senders have each status, by teams, status and sender."""
    counts = Counter[tuple[Teams, str, int]]()
    ordered = sorted(ids)
    for start in range(0, len(ordered), CHUNK):
        states = MailboxState.objects.filter(
            mailbox__connection=connection,
            mailbox__retired_at=None,
            sender__in=ordered[start : start + CHUNK],
        )
        rows = states.order_by().values_list("sender__person__team_ids", "status", "sender")
        counts.update((tuple(teams or ()), status, pk) for teams, status, pk in rows)
    return counts


def _count_statuses(
    connection: Connection,
    candidate: Candidate,
    together: Iterable[tuple[Teams, str, int]],
    people: Iterable[Audience],
) -> list[Audience]:
    """Return the audiences of people as audiences of their mailboxes. together: as counted by teams."""
    by_teams: dict[Teams, list[Audience]] = {}
    for one in people:
        by_teams.setdefault(one.team_ids, []).append(one)
    rest = {teams: _choose_rest(candidate, those) for teams, those in by_teams.items()}
    looked_at = [one for teams, those in by_teams.items() for one in those if one not in rest[teams]]
    owners = {pk: one for one in looked_at for pk in ([one.sender_id] if one.sender_id else one.sender_ids)}
    counts, left = Counter[tuple[Audience, str]](), Counter[tuple[Teams, str]]()
    for (teams, status, pk), number in _count_of_senders(connection, owners).items():
        counts[owners[pk], status] += number
        left[teams, status] -= number
    for teams, status, number in together:
        left[teams, status] += number
    nobody = Audience((), 0, matched=frozenset())
    for (teams, status), number in left.items():
        stands_for = next(iter(rest.get(teams, ())), replace(nobody, team_ids=teams))
        counts[stands_for, status] += number
    return [
        replace(one, number=number, status=status, ids=None)
        for (one, status), number in counts.items()
        if number > 0
    ]


def _choose_rest(candidate: Candidate, those: Collection[Audience]) -> list[Audience]:
    """Return which of the people in the same teams are not looked at, as they have whatever the others have not.

    All whom no chosen draft touches, or, where they are more, the most who get the same.
    """
    shared = [one for one in those if not one.sender_id]
    if len(shared) <= 1:
        return shared
    touched = [one for one in shared if _is_touched(candidate, one)]
    others = [one for one in shared if one not in touched]
    most = max(touched, key=lambda one: one.number, default=None)
    return [most] if most is not None and most.number > sum(one.number for one in others) else others


def _is_touched(candidate: Candidate, audience: Audience) -> bool:
    return bool(_find_touching(candidate, audience)) or is_touched(
        audience, candidate.before, candidate.content
    )


def list_causes(
    candidate: Candidate, audiences: Iterable[Audience], people: Iterable[Audience]
) -> list[Cause]:
    """Return a cause for each chosen draft that changes a mailbox, the one with most mailboxes first.

    audiences: of mailboxes; those count that a delivery would write. people: all who are active.
    """
    chosen = candidate.content
    mailboxes, only = Counter[str](), Counter[str]()
    groups: dict[str, set[str]] = {}
    for audience in audiences:
        if audience.status not in CHANGEABLE:
            continue
        name = _name_group(chosen, audience)
        touching = _find_touching(candidate, audience)
        for key in touching:
            mailboxes[key] += audience.number
            groups.setdefault(key, set()).add(name)
        if len(touching) == 1:
            only[touching[0]] += audience.number
    everywhere = {_name_group(chosen, one) for one in people}
    rank = {group.name: at for at, group in enumerate(chosen.groups)}
    return [
        Cause(
            key,
            number,
            only[key],
            tuple(sorted(filter(None, groups[key]), key=lambda name: rank[name])),
            groups[key] >= everywhere,
        )
        for key, number in mailboxes.most_common()
    ]


def _name_group(content: ReleaseContent, audience: Audience) -> str:
    group = content.find_group(audience.member)
    return group.name if group else ""


def _find_touching(candidate: Candidate, audience: Audience) -> list[str]:
    """Return the causes for which an audience gets something else."""
    part = get_part(candidate.content, audience)
    touching = [key for key, content in candidate.without.items() if get_part(content, audience) != part]
    touching += [
        key
        for key in candidate.chosen
        if has_template(part) and (key in (BRAND, BANNER) or key.startswith("field:"))
    ]
    if f"person:{audience.sender_id}" in candidate.chosen:
        touching.append(PERSON)
    if f"values:{audience.sender_id}" in candidate.chosen:
        touching.append(VALUES)
    return touching
