"""Overview: computes the figures of a domain's overview page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from integrations.connection.lifecycle import get_connection
from portal.models import Domain
from signatures.analytics.results import Figures, Period, get_total
from signatures.releases.candidate import Candidate, build_candidate
from signatures.releases.changes import Change, describe_changes
from signatures.releases.reach import count_reach, list_audiences
from signatures.senders.mailbox_status import get_mailboxes

from .models import (
    HAND_EDITS,
    IN_PLACE,
    UNFINISHED_DELIVERY,
    BannerPlace,
    DeliveryRun,
    DeliveryRunState,
    DriftPolicy,
    MailboxStatus,
    Release,
    Sender,
    Snapshot,
)

if TYPE_CHECKING:
    from signatures.senders.mailbox_status import MailboxWithStatus

CAUSES_SHOWN = 20
DRAFTS_SHOWN = 3
NARROWEST = 10.0  # of 1,000
NEEDS_YOU = Q(status=MailboxStatus.ACTION_NEEDED) | Q(
    status__in=HAND_EDITS, state__sender__live_group__drift_policy=DriftPolicy.ASK
)
SENDERS_NAMED = 3


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason why mailboxes need action.

    senders: the first few, by name; url: the list of all. is_edit: they were edited in Outreach, and a
    decision is due.
    """

    sentence: str
    mailboxes: int
    senders: tuple[Sender, ...]
    url: str
    is_edit: bool = False


@dataclass(frozen=True, slots=True)
class StatusShare:
    """The number of mailboxes with one status, and its width in a bar of 1,000 units."""

    status: str
    label: str
    number: int
    x: float
    width: float

    @property
    def url_part(self) -> str:
        return urlencode({"state": self.status})


@dataclass(frozen=True, slots=True)
class Overview:
    """Figures over the live mailboxes of active people.

    statuses: those with mailboxes. waiting: mailboxes that a delivery would change. causes: at most 20, most
    frequent first, of what needs_you_total mailboxes need, edits in groups whose policy asks among them.
    drafts: the first three of draft_count, with the people they touch. current_run: the delivery under way,
    or None. restored: originals that mailboxes got back, once Outreach is not connected any more. banners:
    their figures of the seven days that end today; None where signatures have no banner slot and none was
    counted.
    """

    mailboxes_total: int
    up_to_date: int
    causes: tuple[Cause, ...]
    needs_you_total: int
    current_run: DeliveryRun | None
    statuses: tuple[StatusShare, ...] = ()
    waiting: int = 0
    live: Release | None = None
    drafts: tuple[tuple[Change, int], ...] = ()
    draft_count: int = 0
    restored: int = 0
    banners: Figures | None = None


def get_overview(domain: Domain, *, at: datetime | None = None) -> Overview:
    """Return the present figures. at: the time whose day counts as today; None for now."""
    connection = get_connection(domain)
    mailboxes = get_mailboxes(connection)
    counts = dict(mailboxes.order_by().values_list("status").annotate(number=Count("pk")))
    counts.pop(MailboxStatus.INACTIVE, None)
    runs = DeliveryRun.objects.filter(domain=domain)
    now = at or timezone.now()
    candidate = build_candidate(domain)
    return Overview(
        mailboxes_total=sum(counts.values()),
        up_to_date=sum(counts.get(status, 0) for status in IN_PLACE),
        causes=_list_causes(domain, mailboxes),
        needs_you_total=mailboxes.filter(NEEDS_YOU).count(),
        current_run=runs.filter(state__in=[*UNFINISHED_DELIVERY, DeliveryRunState.HALTED]).first(),
        statuses=_share(counts),
        waiting=counts.get(MailboxStatus.PENDING, 0) + counts.get(MailboxStatus.NEVER, 0),
        live=candidate.live,
        drafts=_list_drafts(candidate),
        draft_count=len(candidate.keys),
        restored=_count_restored(domain) if connection is None else 0,
        banners=_count_banners(domain, now),
    )


def _share(counts: Mapping[str, int]) -> tuple[StatusShare, ...]:
    """Return the occurring statuses as parts of a bar, each wide enough to be visible."""
    found = [(status, counts[status]) for status in MailboxStatus if counts.get(status)]
    total = sum(number for _, number in found)
    widths = [max(NARROWEST, 1000 * number / total) for _, number in found]
    shares, x = [], 0.0
    for (status, number), width in zip(found, widths, strict=True):
        part = 1000 * width / sum(widths)
        shares.append(StatusShare(status, status.label, number, round(x, 1), round(part, 1)))
        x += part
    return tuple(shares)


def _list_drafts(candidate: Candidate) -> tuple[tuple[Change, int], ...]:
    keys = candidate.keys[:DRAFTS_SHOWN]
    if not keys:
        return ()
    audiences = list_audiences(candidate.domain, candidate.before, candidate.draft)
    reach = count_reach(candidate.before, candidate.draft, candidate.keys, audiences, only=keys)
    changes = describe_changes(candidate.domain, candidate.before, candidate.draft, keys, candidate.values)
    return tuple((change, reach[change.key]) for change in changes)


def _count_banners(domain: Domain, at: datetime) -> Figures | None:
    today = at.astimezone(ZoneInfo(domain.time_zone)).date()
    figures = get_total(domain, Period(today - timedelta(days=6), today))
    is_on = BannerPlace.objects.filter(domain=domain, is_on=True).exists()
    return None if figures.is_empty and not is_on else figures


def _list_causes(domain: Domain, mailboxes: QuerySet[MailboxWithStatus]) -> tuple[Cause, ...]:
    by_cause: dict[tuple[str, str], list[int]] = {}
    waiting = mailboxes.filter(NEEDS_YOU).order_by("email")
    for status, reason, owner_id in waiting.values_list("status", "last_reason", "owner_id"):
        if owner_id is not None:
            is_edit = status != MailboxStatus.ACTION_NEEDED
            by_cause.setdefault((status, "" if is_edit else reason or ""), []).append(owner_id)
    commonest = sorted(by_cause.items(), key=lambda each: (-len(each[1]), each[0]))[:CAUSES_SHOWN]
    named = Sender.objects.in_bulk({pk for _, owners in commonest for pk in owners[:SENDERS_NAMED]})
    listed = reverse("signatures:senders", args=[domain.name])
    edits = reverse("signatures:drift", args=[domain.name])
    return tuple(
        Cause(
            sentence=reason or f"{MailboxStatus(status).label}.",
            mailboxes=len(owners),
            senders=tuple(named[pk] for pk in dict.fromkeys(owners[:SENDERS_NAMED])),
            url=f"{listed}?{urlencode({'state': status, 'reason': reason})}" if reason else edits,
            is_edit=status != MailboxStatus.ACTION_NEEDED,
        )
        for (status, reason), owners in commonest
    )


def _count_restored(domain: Domain) -> int:
    return Snapshot.objects.filter(domain=domain).exclude(restored_at=None).count()
