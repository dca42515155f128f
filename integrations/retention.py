"""Retention: syncs, rejected records, notices and checks of the ledger go when their time is over.

The last of each kind stays.
"""

from __future__ import annotations

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from portal.batches import get_limit, remove_rows

from .ledger.totals import total_calls
from .models import (
    UNFINISHED,
    ChainCheck,
    ConnectionState,
    LedgerCheckpoint,
    Notice,
    RejectedRecord,
    SyncRun,
)
from .sync.totals import keep_totals, total_ended


def remove_old_syncs(*, writes: bool = True) -> dict[str, int]:
    """Return how many rows of each kind went, or without `writes` would go. Metrics total first."""
    if writes:
        total_ended()
        total_calls()
    return {
        "notices": remove_rows(get_old_notices(), writes=writes),
        "rejected records": remove_rows(get_old_rejections(), writes=writes),
        "syncs": remove_rows(get_old_runs(), writes=writes, keep=keep_totals),
        "checks of the ledger": remove_rows(get_old_checks(), writes=writes),
    }


def get_old_notices() -> QuerySet[Notice]:
    """Return notices that ended long ago."""
    return Notice.objects.filter(ended_at__lt=get_limit(settings.SYNC_KEEP_DAYS))


def get_old_rejections() -> QuerySet[RejectedRecord]:
    """Return rejected records of connections that ended.

    Of a living connection a record is rejected until it fits or is gone, which is known however old it is.
    """
    return RejectedRecord.objects.filter(
        connection__state=ConnectionState.DISCONNECTED, last_seen_at__lt=get_limit(settings.SYNC_KEEP_DAYS)
    )


def get_old_runs() -> QuerySet[SyncRun]:
    """Return ended runs that nothing asks for any more.

    The last of each kind and state of a connection stays: from where to read, when it was last read and how that
    went are read from them. So does one that a rejected record names as the last that met it.
    """
    later = SyncRun.objects.filter(
        connection=OuterRef("connection"),
        kind=OuterRef("kind"),
        state=OuterRef("state"),
        pk__gt=OuterRef("pk"),
    )
    named = RejectedRecord.objects.filter(run=OuterRef("pk"))
    runs = SyncRun.objects.filter(finished_at__lt=get_limit(settings.SYNC_KEEP_DAYS)).exclude(
        state__in=UNFINISHED
    )
    return runs.filter(Exists(later), ~Exists(named))


def get_old_checks() -> QuerySet[ChainCheck]:
    """Return checks of a chain whose head was pruned since, and with it what they could be compared with.

    The newest of each chain stays.
    """
    pruned = LedgerCheckpoint.objects.filter(chain=OuterRef("chain"), last_sequence__gte=OuterRef("count"))
    newer = ChainCheck.objects.filter(chain=OuterRef("chain"), pk__gt=OuterRef("pk"))
    return ChainCheck.objects.filter(Exists(pruned), Exists(newer))
