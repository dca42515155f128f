"""Whether everybody of a domain signs as intended, and what needs somebody: the figures of the overview."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count, F
from django.urls import reverse
from django.utils import timezone

from integrations.connection.lifecycle import get_connection
from portal.models import Domain
from signatures.analytics.results import Figures, Period, get_total
from signatures.senders.mailbox_status import MailboxStatus, get_fallback_template, get_mailboxes

from .models import (
    UNFINISHED_DELIVERY,
    BannerPlace,
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    DeliveryState,
    Sender,
)

NEEDS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Need:
    """One mailbox that waits for somebody: whose it is, what happened, and where to act."""

    sender_name: str
    group_name: str
    what: str
    url: str


@dataclass(frozen=True, slots=True)
class Overview:
    """Figures over the live mailboxes of active people.

    needs_you: at most 20 of needs_you_total. changed_today: signatures delivered since midnight in
    the domain's zone. current_run: the delivery that moves or asks somebody, or None. banners: what they
    did in the seven days that end today; None where signatures carry none and none was seen.
    """

    mailboxes_total: int
    up_to_date: int
    needs_you: tuple[Need, ...]
    needs_you_total: int
    changed_today: int
    current_run: DeliveryRun | None
    banners: Figures | None = None


def get_overview(domain: Domain, *, at: datetime | None = None) -> Overview:
    """Return the figures as they stand; at: the instant whose day counts as today, now where it is None."""
    mailboxes = get_mailboxes(get_connection(domain), fallback=get_fallback_template(domain))
    counts = dict(mailboxes.order_by().values_list("status").annotate(number=Count("pk")))
    counts.pop(MailboxStatus.LEFT_OUT, None)
    waiting = list(mailboxes.filter(status=MailboxStatus.NEEDS_YOU).order_by("email")[:NEEDS_SHOWN])
    owners = Sender.objects.select_related("group").in_bulk([mailbox.owner_id for mailbox in waiting])
    needs = tuple(
        _describe(domain, owners[mailbox.owner_id], mailbox.last_reason or "") for mailbox in waiting
    )
    runs = DeliveryRun.objects.filter(domain=domain)
    now = at or timezone.now()
    return Overview(
        mailboxes_total=sum(counts.values()),
        up_to_date=counts.get(MailboxStatus.IN_PLACE, 0),
        needs_you=needs,
        needs_you_total=counts.get(MailboxStatus.NEEDS_YOU, 0),
        changed_today=_count_delivered(domain, since=_midnight(domain, now)),
        current_run=runs.filter(state__in=[*UNFINISHED_DELIVERY, DeliveryRunState.HALTED]).first(),
        banners=_count_banners(domain, now),
    )


def _count_banners(domain: Domain, at: datetime) -> Figures | None:
    today = at.astimezone(ZoneInfo(domain.time_zone)).date()
    figures = get_total(domain, Period(today - timedelta(days=6), today))
    is_on = BannerPlace.objects.filter(domain=domain, is_on=True).exists()
    return None if figures.is_empty and not is_on else figures


def _describe(domain: Domain, sender: Sender, what: str) -> Need:
    url = reverse("signatures:sender", args=[domain.name, sender.pk])
    return Need(str(sender), sender.group.name if sender.group else "", what, url)


def _count_delivered(domain: Domain, *, since: datetime) -> int:
    delivered = Delivery.objects.filter(
        run__domain=domain,
        run__kind=DeliveryRun.Kind.DELIVER,
        state=DeliveryState.DELIVERED,
        finished_at__gte=since,
    )
    return delivered.aggregate(number=Count(F("mailbox_remote_id"), distinct=True))["number"]


def _midnight(domain: Domain, at: datetime) -> datetime:
    local = at.astimezone(ZoneInfo(domain.time_zone))
    return datetime.combine(local.date(), time.min, tzinfo=local.tzinfo)
