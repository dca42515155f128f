"""Single fetches and clicks, and earlier states of campaigns, go when their time is over; daily counts stay."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from signatures.campaigns.revisions import remove_old_editions
from signatures.models import BannerEvent, BannerPlace

BATCH = 5_000
MOST_AT_ONCE = 5_000_000


def remove_old_events(
    *, now: datetime | None = None, limit: int = MOST_AT_ONCE, batch_size: int = BATCH
) -> int:
    """Counted events older than their domain's `event_days` are gone; returns how many, at most about `limit`.

    What is not counted yet stays until it is. What campaigns were before then goes with them.
    """
    removed = 0
    for place in BannerPlace.objects.select_related("domain").order_by("pk"):
        until = (now or timezone.now()) - timedelta(days=place.event_days)
        remove_old_editions(place.domain, until=until)
        while removed < limit:
            batch = _remove_batch(place, until, batch_size)
            removed += batch
            if batch < batch_size:
                break
    return removed


def _remove_batch(place: BannerPlace, until: datetime, size: int) -> int:
    with transaction.atomic():
        old = BannerEvent.objects.filter(domain_id=place.pk, is_judged=True, at__lt=until)
        rows = list(old.order_by("at", "pk").values_list("pk", "at")[:size])
        if rows:
            last = rows[-1][1]
            earlier = Q(events_removed_until=None) | Q(events_removed_until__lt=last)
            BannerPlace.objects.filter(earlier, pk=place.pk).update(events_removed_until=last)
            BannerEvent.objects.filter(pk__in=[pk for pk, _ in rows]).delete()
        return len(rows)
