"""Retention: removes expired events, decisions and look-up answers, and changes their retention.

Daily counts stay. Campaign revisions are removed with the events.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.models import Domain
from signatures.audiences.seen_values import remove_unseen
from signatures.campaigns.revisions import remove_old_revisions
from signatures.models import BannerEvent, CountingState, Decision, KnownRecipient, RecipientPrivacy

from .lookup_share import remove_old_shares

BATCH = 5_000
MOST_AT_ONCE = 5_000_000


def remove_old_events(
    *, now: datetime | None = None, limit: int = MOST_AT_ONCE, batch_size: int = BATCH
) -> int:
    """Remove counted events older than their domain's `event_days`; return how many, at most about `limit`.

    Events that are not counted yet stay. Campaign revisions of that time are removed too.
    """
    removed = 0
    for domain in Domain.objects.order_by("pk"):
        days = RecipientPrivacy.objects.for_domain(domain).event_days
        until = (now or timezone.now()) - timedelta(days=days)
        remove_old_revisions(domain, until=until)
        while removed < limit:
            batch = _remove_batch(domain, until, batch_size)
            removed += batch
            if batch < batch_size:
                break
    return removed


def _remove_batch(domain: Domain, until: datetime, size: int) -> int:
    with transaction.atomic():
        old = BannerEvent.objects.filter(domain=domain, is_judged=True, at__lt=until)
        rows = list(old.order_by("at", "pk").values_list("pk", "at")[:size])
        if rows:
            last = rows[-1][1]
            earlier = Q(events_removed_until=None) | Q(events_removed_until__lt=last)
            CountingState.objects.for_domain(domain, create=True)
            CountingState.objects.filter(earlier, pk=domain.pk).update(events_removed_until=last)
            BannerEvent.objects.filter(pk__in=[pk for pk, _ in rows]).delete()
        return len(rows)


def remove_old_decisions(*, now: datetime | None = None, batch_size: int = BATCH) -> int:
    """Remove decisions older than their domain's `decision_days`, in batches; return how many."""
    removed = 0
    for domain in Domain.objects.order_by("pk"):
        days = RecipientPrivacy.objects.for_domain(domain).decision_days
        until = (now or timezone.now()) - timedelta(days=days)
        old = Decision.objects.filter(domain=domain, at__lt=until)
        while ids := list(old.order_by("at").values_list("pk", flat=True)[:batch_size]):
            removed += Decision.objects.filter(pk__in=ids).delete()[0]
    return removed


def remove_expired() -> int:
    """Remove expired recipient data that was counted; return how many rows."""
    remove_old_shares(now=timezone.now())
    remove_unseen()
    removed, _ = KnownRecipient.objects.filter(is_tallied=True, expires_at__lt=timezone.now()).delete()
    return removed


@dataclass(frozen=True, slots=True)
class Removable:
    """How many rows a change of the retention would remove next night."""

    decisions: int
    events: int


def get_removable(domain: Domain, *, decision_days: int, event_days: int) -> Removable:
    """Return how many rows are older than these days now."""
    now = timezone.now()
    return Removable(
        decisions=Decision.objects.filter(domain=domain, at__lt=now - timedelta(days=decision_days)).count(),
        events=BannerEvent.objects.filter(domain=domain, at__lt=now - timedelta(days=event_days)).count(),
    )


def set_retention(domain: Domain, *, decision_days: int, event_days: int, actor: str) -> None:
    """Set the retention of decisions and events; older ones are removed next night."""
    before = RecipientPrivacy.objects.for_domain(domain, create=True)
    with transaction.atomic():
        RecipientPrivacy.objects.filter(pk=domain.pk).update(
            decision_days=decision_days, event_days=event_days
        )
        record_act(
            "retention changed",
            domain=domain,
            actor_label=actor,
            detail=f"decisions {before.decision_days} → {decision_days} days, "
            f"views and clicks {before.event_days} → {event_days} days",
        )
