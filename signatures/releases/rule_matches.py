"""Rule matches: whom the rules of groups match, kept until somebody's values or teams, or a rule, change.

Everybody is read once; after that only who changed since. What is kept holds ids and no values.
"""

from __future__ import annotations

import hashlib
import zlib
from array import array
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from time import time
from typing import Any

from django.core.cache import cache
from django.db.models import Max, QuerySet

from portal.models import Domain
from signatures.conditions.conditions import Clause, hold
from signatures.models import Sender
from signatures.senders.team_counts import SENDERS, Teams, get_statuses
from signatures.senders.values import get_member

KEPT_SECONDS = 3600  # a change that is stored behind a later one is seen after that at the latest

Rules = Mapping[str, tuple[Clause, ...]]
Kind = tuple[Teams, frozenset[str]]
"""Teams, and the digests of the rules that match."""


@dataclass(frozen=True, slots=True)
class SenderIds:
    """Ids of senders, small enough to be kept for many. number: how many."""

    number: int
    packed: bytes

    @classmethod
    def pack(cls, ids: Iterable[int]) -> SenderIds:
        ordered = sorted(ids)
        steps = array("q", (id - before for before, id in zip([0, *ordered], ordered, strict=False)))
        return cls(len(ordered), zlib.compress(steps.tobytes(), 1))

    def unpack(self) -> tuple[int, ...]:
        """Return the ids in their order."""
        return tuple(accumulate(array("q", zlib.decompress(self.packed))))


def find_matches(domain: Domain, rules: Rules) -> dict[Kind, SenderIds]:
    """Return the active senders of a domain by their teams and the rules that match them.

    Two queries; where something changed, two more that read who changed, or one that reads everybody.
    """
    version, key = get_senders_version(domain), _get_key(domain, rules)
    kept = cache.get(key)
    if kept is not None and kept["version"] == version:
        return _read(kept)
    read_at = kept["read_at"] if kept is not None else 0
    found = _read_changed(domain, rules, kept) if kept is not None else None
    if found is None:
        read_at, found = time(), _pack(_classify(_list_senders(domain).filter(is_active=True), rules))
    rows = [(*kind, ids.number, ids.packed) for kind, ids in found.items()]
    left = max(int(read_at + KEPT_SECONDS - time()), 0)
    cache.set(key, {"version": version, "read_at": read_at, "rows": rows}, left)
    return found


def get_senders_version(domain: Domain) -> tuple[datetime | None, int]:
    """Return what differs once somebody's values, teams or activity changed."""
    changed = Sender.objects.filter(domain=domain).aggregate(last=Max("changed_at"))["last"]
    return changed, get_statuses(domain).get(SENDERS, 0)


def find_kind(sender: Sender, rules: Rules) -> Kind:
    """Return the teams of a sender and the rules that match them. Needs person."""
    member = get_member(sender)
    return tuple(member.team_ids), frozenset(digest for digest, rule in rules.items() if hold(rule, member))


def _read_changed(domain: Domain, rules: Rules, kept: Mapping[str, Any]) -> dict[Kind, SenderIds] | None:
    """Return what was kept with those read anew who changed since; None where that is not everybody."""
    since = kept["version"][0]
    if since is None:
        return None
    changed = _list_senders(domain).filter(changed_at__gte=since)
    again = set(changed.values_list("pk", flat=True))
    ids = {kind: set(them.unpack()) - again for kind, them in _read(kept).items()}
    for kind, them in _classify(changed.filter(is_active=True), rules).items():
        ids.setdefault(kind, set()).update(them)
    is_everybody = sum(map(len, ids.values())) == domain.senders.filter(is_active=True).count()
    return _pack(ids) if is_everybody else None


def _classify(senders: QuerySet[Sender], rules: Rules) -> dict[Kind, set[int]]:
    ids: dict[Kind, set[int]] = {}
    for sender in senders.iterator(chunk_size=2_000):
        ids.setdefault(find_kind(sender, rules), set()).add(sender.pk)
    return ids


def _pack(ids: Mapping[Kind, Collection[int]]) -> dict[Kind, SenderIds]:
    return {kind: SenderIds.pack(them) for kind, them in ids.items() if them}


def _read(kept: Mapping[str, Any]) -> dict[Kind, SenderIds]:
    return {(teams, matched): SenderIds(number, packed) for teams, matched, number, packed in kept["rows"]}


def _list_senders(domain: Domain) -> QuerySet[Sender]:
    return Sender.objects.filter(domain=domain).select_related("person").order_by()


def _get_key(domain: Domain, rules: Iterable[str]) -> str:
    named = hashlib.sha256(",".join(sorted(rules)).encode()).hexdigest()
    return f"rule-matches:{domain.pk}:{named}"
