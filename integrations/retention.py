"""Retention: syncs, rejected records and notices go when their time is over, except the last of each kind."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from portal.batches import get_limit, remove_rows

from .models import UNFINISHED, ConnectionState, Notice, RejectedRecord, SyncRun
from .sync.totals import keep_totals


def remove_old_syncs(*, writes: bool = True) -> dict[str, int]:
    """Return how many rows of each kind went, or without `writes` would go."""
    limit = get_limit(settings.SYNC_KEEP_DAYS)
    ended = Notice.objects.filter(ended_at__lt=limit)
    # Of a living connection a record is rejected until it fits or is gone, which is known however old it is.
    rejected = RejectedRecord.objects.filter(
        connection__state=ConnectionState.DISCONNECTED, last_seen_at__lt=limit
    )
    return {
        "notices": remove_rows(ended, writes=writes),
        "rejected records": remove_rows(rejected, writes=writes),
        "syncs": remove_rows(_get_old_runs(), writes=writes, keep=keep_totals),
    }


def _get_old_runs() -> QuerySet[SyncRun]:
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
