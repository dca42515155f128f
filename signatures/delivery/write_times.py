"""Write times: a domain's quiet hours, and how many writes an hour it allows."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q

from portal.models import Domain
from signatures.models import Delivery, DeliveryRunState, DeliverySettings, DeliveryState

from .base import Stop

HOUR = timedelta(hours=1)
QUIET_CODE = "quiet"
RATE_CODE = "rate"


def get_quiet_end(domain: Domain, settings: DeliverySettings, at: datetime) -> datetime | None:
    """Return when the quiet hours that cover `at` end, in the domain's zone; None outside them. Runs no query."""
    begins, ends = settings.quiet_from, settings.quiet_until
    if begins is None or ends is None or begins == ends:
        return None
    local = at.astimezone(ZoneInfo(domain.time_zone))
    is_quiet = begins <= local.time() < ends if begins < ends else not ends <= local.time() < begins
    if not is_quiet:
        return None
    end = datetime.combine(local.date(), ends, tzinfo=local.tzinfo)
    return end if end > local else end + timedelta(days=1)


def get_quiet_reason(domain: Domain, *, at: datetime) -> Stop | None:
    """Return why nothing is written at this hour, or None."""
    settings = DeliverySettings.objects.for_domain(domain)
    end = get_quiet_end(domain, settings, at)
    if end is None:
        return None
    cause = f"Quiet hours until {end:%H:%M}. It continues automatically then."
    return Stop(DeliveryRunState.WAITING, cause, (end - at).total_seconds(), code=QUIET_CODE)


def count_allowed(domain: Domain, *, at: datetime) -> int | None:
    """Return how many more mailboxes may be written in this hour; None without a limit.

    Called in the transaction that claims them: the row of settings is locked, so that of two runs one waits.
    """
    settings = DeliverySettings.objects.select_for_update().filter(domain=domain).first()
    if settings is None or settings.writes_per_hour is None:
        return None
    unfinished = Q(run__finished_at=None) | Q(run__finished_at__gte=at - HOUR)
    rows = Delivery.objects.filter(unfinished, run__domain=domain)
    claimed = rows.filter(state=DeliveryState.CLAIMED).count()
    written = rows.filter(state=DeliveryState.DELIVERED, finished_at__gt=at - HOUR).count()
    return max(settings.writes_per_hour - claimed - written, 0)


def wait_for_hour(domain: Domain, *, at: datetime) -> Stop:
    """Return how long a run waits when this hour's writes are used up."""
    limit = DeliverySettings.objects.for_domain(domain).writes_per_hour or 0
    written = Delivery.objects.filter(
        run__domain=domain, state=DeliveryState.DELIVERED, finished_at__gt=at - HOUR
    )
    oldest = written.order_by("finished_at").values_list("finished_at", flat=True).first()
    goes_on = (oldest + HOUR if oldest else at) + timedelta(minutes=1)
    cause = f"{limit:,} mailboxes an hour are allowed, and this limit is reached."
    return Stop(DeliveryRunState.WAITING, cause, (goes_on - at).total_seconds(), code=RATE_CODE)
