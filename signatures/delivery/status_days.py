"""Status days: how many mailboxes of a domain had each status, day by day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import QuerySet

from integrations.models import Connection, ConnectionState
from portal.batches import get_limit, remove_rows
from portal.charts import Stack, draw_states
from portal.models import Domain
from signatures.models import MailboxDay, MailboxStatus, Release
from signatures.senders.mailbox_status import sum_statuses
from signatures.senders.team_counts import get_statuses

PERIODS = (30, 90)
DRAWN = (
    ("edited", "Edited in Outreach", (MailboxStatus.EDITED,)),
    ("emptied", "Emptied", (MailboxStatus.EMPTIED,)),
    ("blocked", "Action needed", (MailboxStatus.ACTION_NEEDED,)),
    ("pending", "Pending", (MailboxStatus.PENDING, MailboxStatus.NEVER)),
)
"""What is not up to date: class, label and statuses; the first at the bottom of the plot."""


@dataclass(frozen=True, slots=True)
class Row:
    """One day of the table beside the plot. numbers: as DRAWN; release: what was published on it, or ''."""

    day: date
    up_to_date: int
    numbers: tuple[int, ...]
    release: str


def note_day(connection: Connection) -> None:
    """Store today's numbers, which are counted as statuses change; earlier days stay as they are."""
    domain = connection.domain
    counts = sum_statuses(get_statuses(domain))
    MailboxDay.objects.update_or_create(domain=domain, day=domain.get_today(), defaults={"counts": counts})


def note_days() -> None:
    """Store today's numbers of each domain with a live connection."""
    for connection in Connection.objects.filter(state=ConnectionState.ACTIVE).select_related("domain"):
        note_day(connection)


def list_days(domain: Domain, number: int) -> list[Row]:
    """Return so many days that end today, without those before the first that was noted.

    A day on which nothing was noted has the numbers of the one before.
    """
    zone, today = ZoneInfo(domain.time_zone), domain.get_today()
    first = today - timedelta(days=number - 1)
    noted = dict(
        MailboxDay.objects.filter(domain=domain, day__gte=first, day__lte=today).values_list("day", "counts")
    )
    if not noted:
        return []
    published = Release.objects.filter(domain=domain).exclude(published_at=None).order_by("number")
    releases: dict[date, str] = {}
    for release in published:
        if release.published_at is not None:
            releases[release.published_at.astimezone(zone).date()] = f"Release {release.number}"
    rows: list[Row] = []
    day, counts = min(noted), noted[min(noted)]
    while day <= today:
        counts = noted.get(day, counts)
        rows.append(_make_row(day, counts, releases.get(day, "")))
        day += timedelta(days=1)
    return rows


def draw_days(rows: list[Row]) -> Stack:
    """Return the plot of what was not up to date, with a line for each release."""
    return draw_states(
        "Mailboxes not up to date, by day",
        names=[f"{row.day:%-d %b}" for row in rows],
        states=[
            (name, label, [row.numbers[place] for row in rows])
            for place, (name, label, _) in enumerate(DRAWN)
        ],
        events=[(place, row.release) for place, row in enumerate(rows) if row.release],
    )


def remove_old_days(*, writes: bool = True) -> dict[str, int]:
    """Return how many rows as old as deliveries that are not kept went, or without `writes` would go."""
    return {"daily mailbox counts": remove_rows(get_old_days(), writes=writes)}


def get_old_days() -> QuerySet[MailboxDay]:
    return MailboxDay.objects.filter(day__lt=get_limit(settings.DELIVERY_KEEP_DAYS).date())


def _make_row(day: date, counts: Mapping[str, int], release: str) -> Row:
    numbers = tuple(sum(counts.get(status, 0) for status in statuses) for _, _, statuses in DRAWN)
    return Row(day, counts.get(MailboxStatus.UP_TO_DATE, 0), numbers, release)
