"""Overview: computes the figures of a domain's overview page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, F, Q, TextField, Value, When, Window
from django.db.models.functions import RowNumber
from django.urls import reverse
from django.utils import timezone

from integrations.connection.lifecycle import get_connection
from integrations.models import Connection
from portal.models import Domain
from signatures.analytics.results import Figures, Period, get_total
from signatures.releases.candidate import Candidate, build_candidate
from signatures.releases.changes import Change, describe_changes
from signatures.releases.reach import count_reach, list_audiences
from signatures.senders.team_counts import SENDERS, get_statuses

from .models import (
    HAND_EDITS,
    IN_PLACE,
    UNFINISHED_DELIVERY,
    DeliveryRun,
    DeliveryRunState,
    DriftPolicy,
    MailboxState,
    MailboxStatus,
    Release,
    Sender,
    Snapshot,
)

CAUSES_SHOWN = 20
DRAFTS_SHOWN = 3
NARROWEST = 10.0  # of 1,000
NEEDS_YOU = Q(status=MailboxStatus.ACTION_NEEDED) | Q(
    status__in=HAND_EDITS, sender__live_group__drift_policy=DriftPolicy.ASK
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
    counted. numbers: MailboxStatus -> mailboxes.
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
    numbers: Mapping[str, int] = field(default_factory=dict)

    @property
    def edited(self) -> int:
        """How many mailboxes were edited or emptied in Outreach."""
        return sum(self.numbers.get(status, 0) for status in HAND_EDITS)


def get_overview(
    domain: Domain, *, at: datetime | None = None, connection: Connection | None = None
) -> Overview:
    """Return the present figures. at: the time whose day counts as today; None for now.

    connection: the open one, where it was read already.
    """
    connection = connection or get_connection(domain)
    counts = {} if connection is None else {**get_statuses(domain)}
    for left in (SENDERS, MailboxStatus.INACTIVE):
        counts.pop(left, None)
    runs = DeliveryRun.objects.filter(domain=domain)
    now = at or timezone.now()
    candidate = build_candidate(domain)
    is_troubled = any(counts.get(status) for status in (MailboxStatus.ACTION_NEEDED, *HAND_EDITS))
    causes, needs_you_total = _list_causes(domain, connection) if connection and is_troubled else ((), 0)
    return Overview(
        mailboxes_total=sum(counts.values()),
        up_to_date=sum(counts.get(status, 0) for status in IN_PLACE),
        causes=causes,
        needs_you_total=needs_you_total,
        current_run=runs.filter(state__in=[*UNFINISHED_DELIVERY, DeliveryRunState.HALTED]).first(),
        statuses=_share(counts),
        waiting=counts.get(MailboxStatus.PENDING, 0) + counts.get(MailboxStatus.NEVER, 0),
        live=candidate.live,
        drafts=_list_drafts(candidate),
        draft_count=len(candidate.keys),
        restored=_count_restored(domain) if connection is None else 0,
        banners=_count_banners(domain, now, is_on=candidate.draft.banner["is_on"]),
        numbers=counts,
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
    values = candidate.values if any(key.startswith("values:") for key in keys) else ()
    changes = describe_changes(candidate.domain, candidate.before, candidate.draft, keys, values)
    return tuple((change, reach[change.key]) for change in changes)


def _count_banners(domain: Domain, at: datetime, *, is_on: bool) -> Figures | None:
    today = at.astimezone(ZoneInfo(domain.time_zone)).date()
    figures = get_total(domain, Period(today - timedelta(days=6), today))
    return None if figures.is_empty and not is_on else figures


def _list_causes(domain: Domain, connection: Connection) -> tuple[tuple[Cause, ...], int]:
    """Return the commonest causes, and how many mailboxes need somebody for any cause."""
    states = MailboxState.objects.filter(
        NEEDS_YOU, mailbox__connection=connection, mailbox__retired_at=None, sender__isnull=False
    ).annotate(
        why=Case(
            When(status=MailboxStatus.ACTION_NEEDED, then=F("reason")),
            default=Value(""),
            output_field=TextField(),
        )
    )
    same = [F("status"), F("why")]
    first = states.annotate(
        place=Window(RowNumber(), partition_by=same, order_by="mailbox__email"),
        number=Window(Count("pk"), partition_by=same),
    ).filter(place__lte=SENDERS_NAMED)
    numbers: dict[tuple[str, str], int] = {}
    named: dict[tuple[str, str], dict[Sender, None]] = {}
    for status, why, number, pk, name, email in first.order_by(
        "-number", "status", "why", "place"
    ).values_list("status", "why", "number", "sender_id", "sender__name", "sender__email"):
        numbers[status, why] = number
        named.setdefault((status, why), {})[Sender(pk=pk, name=name, email=email)] = None
    listed = reverse("signatures:senders", args=[domain.name])
    edits = reverse("signatures:drift", args=[domain.name])
    causes = tuple(
        Cause(
            sentence=reason or f"{MailboxStatus(status).label}.",
            mailboxes=number,
            senders=tuple(named[status, reason]),
            url=f"{listed}?{urlencode({'state': status, 'reason': reason})}" if reason else edits,
            is_edit=status != MailboxStatus.ACTION_NEEDED,
        )
        for (status, reason), number in list(numbers.items())[:CAUSES_SHOWN]
    )
    return causes, sum(numbers.values())


def _count_restored(domain: Domain) -> int:
    return Snapshot.objects.filter(domain=domain).exclude(restored_at=None).count()
