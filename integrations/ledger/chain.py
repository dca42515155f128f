"""Chain: writes ledger entries, each chained to the one before it, and counts them; nothing else writes them.

Head, entries and daily figures are written in one transaction, under the lock of the chain's head: what
several processes write at once is one chain. A caller's own transaction holds that lock until it ends, so
an act is recorded as the last thing that its transaction does.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo

from django.db import connections, router, transaction

from integrations.models import LedgerChain, LedgerDay, LedgerEntry
from portal.db import upsert_rows
from portal.models import Domain
from portal.trace import get_trace

from .digests import FIELDS, LATER_FIELDS, digest_entry, write_json

BATCH = 500
READ_HEAD = "SELECT count, digest FROM integrations_ledgerchain WHERE id = %s"
NUMBER = re.compile(r"(?:(?<!\s)\s++|(?<![\s\d]))\d++$")


def append(entries: Sequence[LedgerEntry], *, domain: Domain | None) -> None:
    """The entries are the newest of the domain's chain, in this order. Without a domain: of the chain for none."""
    if not entries:
        return
    key, trace = domain.pk if domain else 0, get_trace() or None
    with transaction.atomic():
        count, digest = _lock(key, domain)
        for entry in entries:
            count += 1
            entry.sequence, entry.previous_digest = count, digest
            entry.trace = entry.trace or trace
            said = {name: getattr(entry, name) for name in (*FIELDS, *LATER_FIELDS)}
            entry.digest = digest = digest_entry(said)
        LedgerEntry.objects.bulk_create(entries, batch_size=BATCH)
        _add_up(key, _sum_by_day(entries, zone=ZoneInfo(domain.time_zone) if domain else UTC))
        LedgerChain.objects.filter(pk=key).update(count=count, digest=digest)


def _lock(key: int, domain: Domain | None) -> tuple[int, str]:
    """Return the head's count and digest, locked until the present transaction ends; made where there is none.

    In plain SQL: every page of a sync passes, and models would cost it a percent or two.
    """
    connection = connections[router.db_for_write(LedgerChain)]
    locks = connection.features.has_select_for_update
    with connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute(READ_HEAD + " FOR UPDATE" if locks else READ_HEAD, [key])
            row: tuple[int, str] | None = cursor.fetchone()
            if row is not None:
                return row
            made = LedgerChain(id=key, domain=domain, domain_name=domain.name if domain else "")
            LedgerChain.objects.bulk_create([made], ignore_conflicts=True)
    raise AssertionError("The head of the chain is missing right after it was created.")


def get_chain(domain: Domain) -> LedgerChain | None:
    """Return the head of the domain's chain as it is; None before the first entry."""
    return LedgerChain.objects.filter(pk=domain.pk).first()


def get_job_kind(job: str) -> str:
    """Return a job without its number: 'sync' for 'sync 12'."""
    return NUMBER.sub("", job)


@dataclass(slots=True)
class _Sum:
    entries: int
    calls: int
    items: int
    first_at: datetime
    last_at: datetime
    last_job: str


Sums = dict[tuple[date, tuple[str | int, ...]], _Sum]
"""(day, every column of a kind) -> what the entries of that kind add up to."""


def _sum_by_day(entries: Sequence[LedgerEntry], *, zone: tzinfo) -> Sums:
    sums: Sums = {}
    for entry in entries:
        kind = (
            entry.action, entry.endpoint, entry.scope, entry.verb, str(entry.outcome), entry.status,
            json.dumps(entry.fields), get_job_kind(entry.job), entry.actor_label, entry.connection_ref,
        )  # fmt: skip
        key = (entry.at.astimezone(zone).date(), kind)
        found = sums.get(key)
        if found is None:
            sums[key] = _Sum(1, entry.times, entry.item_count, entry.at, entry.at, entry.job)
            continue
        found.entries += 1
        found.calls += entry.times
        found.items += entry.item_count
        found.first_at = min(found.first_at, entry.at)
        if entry.at >= found.last_at:
            found.last_at, found.last_job = entry.at, entry.job
    return sums


_KIND = (
    "action",
    "endpoint",
    "scope",
    "verb",
    "outcome",
    "status",
    "fields",
    "job_kind",
    "actor_label",
    "connection_ref",
)
_SUMS = ("entries", "calls", "items", "first_at", "last_at", "last_job")


_COLUMNS = ("chain", "day", "shape", *_KIND, *_SUMS)
_ADD = {
    "entries": "old.entries + EXCLUDED.entries",
    "calls": "old.calls + EXCLUDED.calls",
    "items": "old.items + EXCLUDED.items",
    "first_at": "CASE WHEN EXCLUDED.first_at < old.first_at THEN EXCLUDED.first_at ELSE old.first_at END",
    "last_job": "CASE WHEN EXCLUDED.last_at < old.last_at THEN old.last_job ELSE EXCLUDED.last_job END",
    "last_at": "CASE WHEN EXCLUDED.last_at < old.last_at THEN old.last_at ELSE EXCLUDED.last_at END",
}


def _add_up(key: int, sums: Sums) -> None:
    """The sums are in the figures of their days. Runs under the chain's lock."""
    adapt = connections[router.db_for_write(LedgerDay)].ops.adapt_datetimefield_value
    rows = [
        (
            key, day.isoformat(), hashlib.sha256(write_json(kind)).hexdigest(), *kind,
            one.entries, one.calls, one.items, adapt(one.first_at), adapt(one.last_at), one.last_job,
        )
        for (day, kind), one in sums.items()
    ]  # fmt: skip
    upsert_rows(LedgerDay, unique=("chain", "day", "shape"), columns=_COLUMNS, rows=rows, merge=_ADD)
