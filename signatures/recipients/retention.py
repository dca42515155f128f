"""Retention: removes expired events, decisions and look-up answers, and changes their retention.

Daily counts stay longer. Campaign revisions are removed once neither events nor decisions need them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.batches import remove_rows
from portal.models import Domain
from signatures.audiences.seen_values import get_unseen
from signatures.campaigns.revisions import get_old_revisions
from signatures.models import (
    BannerEvent,
    CampaignRevision,
    CountingState,
    Decision,
    KnownRecipient,
    RecipientPrivacy,
)

from .lookup_share import get_old_shares

BATCH = 5_000
MOST_AT_ONCE = 5_000_000


def remove_old_events(
    *, now: datetime | None = None, limit: int = MOST_AT_ONCE, batch_size: int = BATCH
) -> int:
    """Remove counted events older than their domain's `event_days`; return how many, at most about `limit`.

    Events that are not counted yet stay. Campaign revisions that nothing needs any more are removed first.
    """
    removed = 0
    for old_revisions in list_old_revisions(now=now):
        remove_rows(old_revisions)
    for domain, until in _list_limits(now, "event_days").items():
        while removed < limit:
            batch = _remove_batch(domain, until, batch_size)
            removed += batch
            if batch < batch_size:
                break
    return removed


def list_old_events() -> Iterator[QuerySet[BannerEvent]]:
    """Yield counted events that are old, as the index has them."""
    for until, domains in _group_by_limit(None, "event_days"):
        yield _get_old_events(domains, until)


def list_old_revisions(*, now: datetime | None = None) -> Iterator[QuerySet[CampaignRevision]]:
    """Yield revisions that neither an event nor a decision needs any more."""
    for until, domains in _group_by_limit(now, "event_days", "decision_days"):
        yield get_old_revisions(domains, until=until)


def list_old_decisions(*, now: datetime | None = None) -> Iterator[QuerySet[Decision]]:
    """Yield old decisions, as the index has them."""
    for until, domains in _group_by_limit(now, "decision_days"):
        yield Decision.objects.filter(domain__in=domains, at__lt=until)


def _group_by_limit(now: datetime | None, *columns: str) -> Iterator[tuple[datetime, list[Domain]]]:
    """Yield the domains that keep rows of these kinds equally long, with the instant before which they keep none."""
    together: dict[datetime, list[Domain]] = defaultdict(list)
    for domain, until in _list_limits(now, *columns).items():
        together[until].append(domain)
    yield from together.items()


def _list_limits(now: datetime | None, *columns: str) -> dict[Domain, datetime]:
    """Return for each domain the instant before which it keeps nothing of these kinds."""
    at, limits = now or timezone.now(), {}
    for domain in Domain.objects.select_related("recipient_privacy").order_by("pk"):
        privacy = getattr(domain, "recipient_privacy", None) or RecipientPrivacy(domain=domain)
        limits[domain] = at - timedelta(days=max(getattr(privacy, column) for column in columns))
    return limits


def _get_old_events(domains: Collection[Domain], until: datetime) -> QuerySet[BannerEvent]:
    return BannerEvent.objects.filter(domain__in=domains, is_judged=True, at__lt=until)


def _remove_batch(domain: Domain, until: datetime, size: int) -> int:
    with transaction.atomic():
        rows = list(_get_old_events([domain], until).order_by("at", "pk").values_list("pk", "at")[:size])
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
    for old in list_old_decisions(now=now):
        while ids := list(old.values_list("pk", flat=True)[:batch_size]):
            removed += Decision.objects.filter(pk__in=ids).delete()[0]
    return removed


def remove_expired() -> int:
    """Remove expired recipient data that was counted; return how many rows."""
    remove_rows(get_old_shares(now=timezone.now()))
    remove_rows(get_unseen())
    return remove_rows(get_expired())


def get_expired() -> QuerySet[KnownRecipient]:
    return KnownRecipient.objects.filter(is_tallied=True, expires_at__lt=timezone.now())


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
