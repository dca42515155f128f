"""Whether everybody of a domain signs as intended, and what needs somebody: the figures of the overview."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.db.models import Count, F, QuerySet
from django.urls import reverse
from django.utils import timezone

from integrations.connection.lifecycle import get_connection
from portal.models import Domain
from signatures.analytics.results import Figures, Period, get_total
from signatures.senders.mailbox_status import get_mailboxes

from .models import (
    HAND_EDITS,
    IN_PLACE,
    UNFINISHED_DELIVERY,
    BannerPlace,
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    DeliveryState,
    DriftPolicy,
    MailboxStatus,
    Sender,
    Snapshot,
)

if TYPE_CHECKING:
    from signatures.senders.mailbox_status import MailboxWithStatus

CAUSES_SHOWN = 20
SENDERS_NAMED = 3


@dataclass(frozen=True, slots=True)
class Cause:
    """Why some mailboxes need action. senders: the first few of theirs, by name; url: the list of all."""

    sentence: str
    mailboxes: int
    senders: tuple[Sender, ...]
    url: str


@dataclass(frozen=True, slots=True)
class Overview:
    """Figures over the live mailboxes of active people.

    causes: at most 20, the commonest first, of what needs_you_total mailboxes need. changed_today: mailboxes
    written since midnight in the domain's zone. current_run: the delivery that moves or asks somebody, or
    None. restored: originals that mailboxes got back, once Outreach is not connected any more. banners: their
    figures of the seven days that end today; None where signatures have no banner slot and none was counted.
    """

    mailboxes_total: int
    up_to_date: int
    causes: tuple[Cause, ...]
    needs_you_total: int
    changed_today: int
    current_run: DeliveryRun | None
    restored: int = 0
    banners: Figures | None = None


def get_overview(domain: Domain, *, at: datetime | None = None) -> Overview:
    """Return the figures as they stand; at: the instant whose day counts as today, now where it is None."""
    connection = get_connection(domain)
    mailboxes = get_mailboxes(connection)
    counts = dict(mailboxes.order_by().values_list("status").annotate(number=Count("pk")))
    counts.pop(MailboxStatus.INACTIVE, None)
    runs = DeliveryRun.objects.filter(domain=domain)
    now = at or timezone.now()
    asking = _list_asking(domain, mailboxes)
    return Overview(
        mailboxes_total=sum(counts.values()),
        up_to_date=sum(counts.get(status, 0) for status in IN_PLACE),
        causes=_list_causes(domain, mailboxes.filter(status=MailboxStatus.ACTION_NEEDED)) + asking,
        needs_you_total=counts.get(MailboxStatus.ACTION_NEEDED, 0) + sum(one.mailboxes for one in asking),
        changed_today=_count_delivered(domain, since=_midnight(domain, now)),
        current_run=runs.filter(state__in=[*UNFINISHED_DELIVERY, DeliveryRunState.HALTED]).first(),
        restored=_count_restored(domain) if connection is None else 0,
        banners=_count_banners(domain, now),
    )


def _count_banners(domain: Domain, at: datetime) -> Figures | None:
    today = at.astimezone(ZoneInfo(domain.time_zone)).date()
    figures = get_total(domain, Period(today - timedelta(days=6), today))
    is_on = BannerPlace.objects.filter(domain=domain, is_on=True).exists()
    return None if figures.is_empty and not is_on else figures


def _list_asking(domain: Domain, mailboxes: QuerySet[MailboxWithStatus]) -> tuple[Cause, ...]:
    """Return the edits of groups whose policy asks, as one cause; nothing where there is none."""
    edited = mailboxes.filter(status__in=HAND_EDITS, state__sender__group__drift_policy=DriftPolicy.ASK)
    owners = [pk for pk in edited.order_by("email").values_list("owner_id", flat=True) if pk is not None]
    if not owners:
        return ()
    named = Sender.objects.filter(pk__in=owners[:SENDERS_NAMED]).order_by("name")
    sentence = "The signature was edited in Outreach. Decide whose counts."
    return (Cause(sentence, len(owners), tuple(named), reverse("signatures:drift", args=[domain.name])),)


def _list_causes(domain: Domain, waiting: QuerySet[MailboxWithStatus]) -> tuple[Cause, ...]:
    by_reason: dict[str, list[int]] = {}
    for reason, owner_id in waiting.order_by("email").values_list("last_reason", "owner_id"):
        if owner_id is not None:
            by_reason.setdefault(reason or "", []).append(owner_id)
    commonest = sorted(by_reason.items(), key=lambda each: (-len(each[1]), each[0]))[:CAUSES_SHOWN]
    named = Sender.objects.in_bulk({pk for _, owners in commonest for pk in owners[:SENDERS_NAMED]})
    url = reverse("signatures:senders", args=[domain.name])
    return tuple(
        Cause(
            sentence=reason,
            mailboxes=len(owners),
            senders=tuple(named[pk] for pk in dict.fromkeys(owners[:SENDERS_NAMED])),
            url=f"{url}?{urlencode({'state': MailboxStatus.ACTION_NEEDED.value, 'reason': reason})}",
        )
        for reason, owners in commonest
    )


def _count_restored(domain: Domain) -> int:
    return Snapshot.objects.filter(domain=domain).exclude(restored_at=None).count()


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
