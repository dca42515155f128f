"""The one place that writes ledger entries: each is chained to the one before it, and counted.

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

from portal.models import Domain

from .digests import FIELDS, digest_entry, write_json
from .models import LedgerChain, LedgerDay, LedgerEntry

BATCH = 500
NUMBER = re.compile(r"\s*\d+$")


def append(entries: Sequence[LedgerEntry], *, domain: Domain | None) -> None:
    """The entries are the newest of the domain's chain, in this order. Without a domain: of the chain for none."""
    if not entries:
        return
    with transaction.atomic():
        chain = lock_chain(domain)
        for entry in entries:
            chain.count += 1
            entry.sequence, entry.previous_digest = chain.count, chain.digest
            entry.digest = chain.digest = digest_entry({name: getattr(entry, name) for name in FIELDS})
        LedgerEntry.objects.bulk_create(entries, batch_size=BATCH)
        chain.save(update_fields=["count", "digest"])
        _count(chain, entries, zone=ZoneInfo(domain.time_zone) if domain else UTC)


def lock_chain(domain: Domain | None) -> LedgerChain:
    """Return the chain's head, locked until the present transaction ends; made where there is none."""
    key = domain.pk if domain else 0
    heads = LedgerChain.objects.select_for_update()
    chain = heads.filter(pk=key).first()
    if chain is None:
        made = LedgerChain(id=key, domain=domain, domain_name=domain.name if domain else "")
        LedgerChain.objects.bulk_create([made], ignore_conflicts=True)
        chain = heads.get(pk=key)
    return chain


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


def _count(chain: LedgerChain, entries: Sequence[LedgerEntry], *, zone: tzinfo) -> None:
    """The entries are in the figures of their days. Runs under the chain's lock."""
    sums: dict[tuple[date, tuple[str, ...]], _Sum] = {}
    for entry in entries:
        kind = (
            entry.action, entry.endpoint, entry.scope, entry.verb, str(entry.outcome),
            json.dumps(entry.fields), get_job_kind(entry.job), entry.actor_label,
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
    _add_up(chain, sums)


_KIND = ("action", "endpoint", "scope", "verb", "outcome", "fields", "job_kind", "actor_label")
_SUMS = ("entries", "calls", "items", "first_at", "last_at", "last_job")


def _add_up(chain: LedgerChain, sums: dict[tuple[date, tuple[str, ...]], _Sum]) -> None:
    connection = connections[router.db_for_write(LedgerDay)]
    adapt = connection.ops.adapt_datetimefield_value
    table = connection.ops.quote_name(LedgerDay._meta.db_table)
    names = ("chain_id", "day", "shape", *_KIND, *_SUMS)
    columns = ", ".join(connection.ops.quote_name(name) for name in names)
    # Table and column names are our own; every value is a parameter. Django's own upsert only replaces.
    statement = f"""
        INSERT INTO {table} ({columns}) VALUES ({", ".join(["%s"] * len(names))})
        ON CONFLICT (chain_id, day, shape) DO UPDATE SET
            entries = {table}.entries + EXCLUDED.entries,
            calls = {table}.calls + EXCLUDED.calls,
            items = {table}.items + EXCLUDED.items,
            first_at = CASE WHEN EXCLUDED.first_at < {table}.first_at
                THEN EXCLUDED.first_at ELSE {table}.first_at END,
            last_job = CASE WHEN EXCLUDED.last_at < {table}.last_at
                THEN {table}.last_job ELSE EXCLUDED.last_job END,
            last_at = CASE WHEN EXCLUDED.last_at < {table}.last_at
                THEN {table}.last_at ELSE EXCLUDED.last_at END
    """  # noqa: S608
    rows = [
        (
            chain.pk, connection.ops.adapt_datefield_value(day), hashlib.sha256(write_json(kind)).hexdigest(),
            *kind, one.entries, one.calls, one.items, adapt(one.first_at), adapt(one.last_at), one.last_job,
        )
        for (day, kind), one in sums.items()
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)
