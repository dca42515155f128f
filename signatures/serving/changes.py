"""Changes: finds domains and senders that changed since a process read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from django.db.models import Count, Max
from django.utils import timezone

from portal.models import Domain
from signatures.models import Sender

OVERLAP = timedelta(minutes=2)  # for rows committed late, or by a machine whose clock is behind

Fingerprint = tuple[object, ...]
_FINGERPRINT = (
    "banner_place__version",
    "time_zone",
    "brand__website",
)  # differs when anything in a domain changed


@dataclass(frozen=True, slots=True)
class _Watch:
    """The senders of a domain that changed since an instant: how many there are, and when the last one did."""

    since: datetime
    changed: tuple[int, datetime | None]
    quiet_since: datetime


class ChangeWatcher:
    """Finds changed domains by their fingerprints, in one query, and moved senders by the time of their rows."""

    def __init__(self) -> None:
        self._watches: dict[int, _Watch] = {}

    def start(self, domain_id: int) -> Fingerprint:
        """Watch a domain's senders, and return its fingerprint; () where the domain was removed.

        Call it before the domain's rows are read, so that changes during the reading are found the next time.
        """
        if domain_id not in self._watches:
            self._watches[domain_id] = _start_watch(timezone.now())
        return _read_fingerprints([domain_id]).get(domain_id, ())

    def stop(self, domain_id: int) -> None:
        """Forget a domain that is no longer in memory."""
        self._watches.pop(domain_id, None)

    def find_changed(self, known: Mapping[int, Fingerprint]) -> list[int]:
        """Return the ids of the domains whose fingerprint changed, and of those that were removed."""
        present = _read_fingerprints(known)
        return [domain_id for domain_id in known if present.get(domain_id, ()) != known[domain_id]]

    def find_changed_senders(self, domain_id: int) -> Iterator[tuple[str, int, int | None, tuple[int, ...]]]:
        """Yield key, id, group and all groups of senders whose rows changed. Counts them before it reads them.

        Once all were read, they are not yielded again.
        """
        now = timezone.now()
        watch = self._watches.get(domain_id) or _start_watch(now)
        rows = Sender.objects.filter(domain_id=domain_id, changed_at__gte=watch.since)
        found = rows.aggregate(count=Count("pk"), last=Max("changed_at"))
        changed = found["count"], found["last"]
        if changed != watch.changed:
            columns = rows.order_by("pk").values_list("banner_key", "pk", "group_id", "memberships__group")
            for sender, same in groupby(columns.iterator(chunk_size=2_000), key=lambda row: row[:3]):
                yield *sender, sort_groups((row[3] for row in same), sender[2])
            self._watches[domain_id] = _Watch(watch.since, changed, now)
        elif now - watch.quiet_since > OVERLAP:
            self._watches[domain_id] = _start_watch(now)


def sort_groups(group_ids: Iterable[int | None], group_id: int | None) -> tuple[int, ...]:
    """Return the ids of a sender's groups, sorted. group_id: of the one of a sender whom no sync evaluated yet."""
    found = sorted(id for id in group_ids if id is not None)
    return tuple(found) or (() if group_id is None else (group_id,))


def _start_watch(now: datetime) -> _Watch:
    """Forget what was found: senders who changed within OVERLAP are read once more."""
    return _Watch(now - OVERLAP, (0, None), now)


def _read_fingerprints(domain_ids: Iterable[int]) -> dict[int, Fingerprint]:
    rows = Domain.objects.filter(pk__in=domain_ids).values_list("pk", *_FINGERPRINT)
    return {row[0]: row[1:] for row in rows}
