"""Causes: how many mailboxes each chosen draft changes, in which groups, and how many no other draft changes.

Counted as reach is: over people who get the same from a release together. Nothing is rendered, so a mailbox counts
also where its signature turns out the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db.models import Count

from integrations.models import Connection
from signatures.models import IN_PLACE, MailboxState, MailboxStatus
from signatures.senders.team_counts import list_teams

from .candidate import Candidate
from .content import BANNER, BRAND, ReleaseContent, merge
from .reach import Audience, get_part, group_by_rules, has_template, list_named, list_rules, split_off

PERSON, VALUES = "person", "values"  # each of them is one cause, for any number of people
CHANGEABLE = (*IN_PLACE, MailboxStatus.PENDING, MailboxStatus.NEVER)


@dataclass(frozen=True, slots=True)
class Cause:
    """key: of the draft, or PERSON or VALUES. only: mailboxes that no other chosen draft changes.

    groups: names of those it changes mailboxes in, by priority; is_everywhere: these are all that have mailboxes.
    """

    key: str
    mailboxes: int
    only: int
    groups: tuple[str, ...]
    is_everywhere: bool


def list_mailbox_audiences(connection: Connection | None, candidate: Candidate) -> list[Audience]:
    """Return who gets the same from any release, with how many mailboxes have each status; two queries."""
    if connection is None:
        return []
    contents = (candidate.before, candidate.draft)
    alone = {*list_named(*contents), *candidate.chosen_values}
    if rules := list_rules(*contents):
        every = MailboxState.objects.filter(
            mailbox__connection=connection, mailbox__retired_at=None, sender__is_active=True
        ).select_related("sender__person")
        rated = ((state.sender, state.status) for state in every.iterator(chunk_size=2_000) if state.sender)
        return group_by_rules(rated, rules, alone)
    single = []
    if alone:
        states = MailboxState.objects.filter(
            mailbox__connection=connection, mailbox__retired_at=None, sender__in=alone
        ).order_by()
        rows = states.values_list("sender__person__team_ids", "status", "sender")
        single = [
            (tuple(teams or ()), status, number, pk)
            for teams, status, pk, number in rows.annotate(number=Count("pk"))
        ]
    return split_off(list_teams(connection.domain, MailboxStatus.values), single)


def list_causes(candidate: Candidate, audiences: Iterable[Audience]) -> list[Cause]:
    """Return a cause for each chosen draft that changes a mailbox, the one with most mailboxes first.

    audiences: of mailboxes; those count that a delivery would write.
    """
    chosen, without = candidate.content, _list_without(candidate)
    mailboxes, only = Counter[str](), Counter[str]()
    groups: dict[str, set[str]] = {}
    everywhere = set()
    for audience in audiences:
        if audience.status not in CHANGEABLE:
            continue
        group = chosen.find_group(audience.member)
        name = group.name if group else ""
        everywhere.add(name)
        touching = _find_touching(candidate, chosen, without, audience)
        for key in touching:
            mailboxes[key] += audience.number
            groups.setdefault(key, set()).add(name)
        if len(touching) == 1:
            only[touching[0]] += audience.number
    rank = {group.name: at for at, group in enumerate(chosen.groups)}
    return [
        Cause(
            key,
            number,
            only[key],
            tuple(sorted(filter(None, groups[key]), key=lambda name: rank[name])),
            groups[key] == everywhere,
        )
        for key, number in mailboxes.most_common()
    ]


def _list_without(candidate: Candidate) -> dict[str, ReleaseContent]:
    """Return for each chosen draft whose reach depends on the others: what would be live without it."""
    keys = [key for key in candidate.chosen if key.startswith(("template:", "group:")) or key == "order"]
    return {key: merge(candidate.before, candidate.draft, _leave(candidate.chosen, key)) for key in keys}


def _leave(keys: Collection[str], key: str) -> list[str]:
    return [other for other in keys if other != key]


def _find_touching(
    candidate: Candidate, chosen: ReleaseContent, without: dict[str, ReleaseContent], audience: Audience
) -> list[str]:
    """Return the causes for which an audience gets something else."""
    part = get_part(chosen, audience)
    touching = [key for key, content in without.items() if get_part(content, audience) != part]
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
