"""Watermarks: the instants from which the next run reads what changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from integrations.models import READ_TO_END, Connection, SyncKind

OVERLAP = timedelta(seconds=5)  # read again behind the newest instant seen, as rows commit out of order
UNDATED = timedelta(minutes=1)  # how much our clock may go ahead beyond what was last compared


@dataclass(frozen=True, slots=True)
class Watermarks:
    """The newest `updatedAt` that runs which came to their end have seen; a later run reads from there on."""

    people: datetime | None
    mailboxes: datetime | None


def get_watermarks(connection: Connection) -> Watermarks | None:
    """Return from where to read what changed, or None where everything must be read."""
    ended = connection.sync_runs.filter(state__in=READ_TO_END, created_at__gte=connection.authorised_at)
    if not ended.filter(kind=SyncKind.FULL).exists():
        return None
    last = ended.latest("id")
    return Watermarks(last.people_watermark, last.mailboxes_watermark)


def later(one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the later instant, or now where that lies in the future: what changes until then would be missed."""
    latest = max((instant for instant in (one, other) if instant), default=None)
    return latest and min(latest, timezone.now())


def with_overlap(since: datetime | None) -> datetime | None:
    return since and since - OVERLAP
