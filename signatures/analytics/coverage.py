"""Coverage: which senders had a campaign's banner in their delivered signature, and which not yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, CharField, Count, Exists, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.utils import timezone

from integrations.models import Mailbox
from signatures.models import Campaign, DailyCount, Decision, GroupMember, Placement, Sender

DELIVERED, ELIGIBLE, MOVED = "delivered", "eligible", "moved"
STATES: tuple[tuple[str, str], ...] = (
    (DELIVERED, "In signature"),
    (ELIGIBLE, "Not delivered while active"),
    (MOVED, "Moved to another group"),
)
_LABELS = dict(STATES)
CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Carrier:
    """One sender. since: when a signature with the banner slot was delivered first, or None.

    recipients: the number of known recipients with a stored decision; who they are is not stored.
    """

    sender: Sender
    state: str
    label: str
    since: datetime | None
    impressions: int
    clicks: int
    recipients: int


def find_carriers(
    campaign: Campaign, *, words: str = "", group_id: int | None = None, state: str = ""
) -> QuerySet[Sender]:
    """Return the senders whose signatures the campaign was for, by name, each with `state` for `list_carriers`.

    Active senders who are in its groups now, and those with impressions of it.
    """
    mailboxes = Mailbox.objects.filter(
        connection_id=OuterRef(OuterRef("person__connection_id")),
        person_remote_id=OuterRef(OuterRef("person__remote_id")),
    )
    places = Placement.objects.filter(
        Q(account_key=OuterRef("person__connection__account_key")) | Q(account_key=""),
        domain_id=campaign.domain_id,
        mailbox_remote_id__in=mailboxes.values("remote_id"),
        banner_since__isnull=False,
    )
    counted = DailyCount.objects.filter(
        domain_id=campaign.domain_id, campaign_id=campaign.pk, sender_id=OuterRef("pk")
    )
    senders = Sender.objects.filter(domain_id=campaign.domain_id).select_related("group", "person")
    senders = senders.annotate(
        banner_since=Subquery(places.order_by("banner_since").values("banner_since")[:1]),
        was_seen=Exists(counted),
    )
    meant = Q(is_active=True)
    groups = list(campaign.groups.values_list("pk", flat=True))
    if groups:
        meant &= GroupMember.objects.find_senders(groups)
    ends_at = min(campaign.ends_at or timezone.now(), timezone.now())
    had = Q(banner_since__lt=ends_at) | Q(was_seen=True)
    senders = senders.annotate(
        state=Case(
            When(meant & had, then=Value(DELIVERED)),
            When(meant, then=Value(ELIGIBLE)),
            When(was_seen=True, then=Value(MOVED)),
            output_field=CharField(),
        )
    )
    senders = senders.filter(state=state) if state in _LABELS else senders.exclude(state=None)
    for word in words.split()[:6]:
        senders = senders.filter(Q(name__icontains=word) | Q(email__icontains=word))
    if group_id is not None:
        senders = senders.filter(group_id=group_id)
    return senders.order_by("name", "email", "pk")


def list_carriers(campaign: Campaign, senders: Sequence[Any]) -> list[Carrier]:
    """Return a line for each sender of one page, as `find_carriers` gives them."""
    ids = [sender.pk for sender in senders]
    counts = DailyCount.objects.filter(
        domain_id=campaign.domain_id, campaign_id=campaign.pk, sender_id__in=ids
    )
    by_sender = counts.order_by().values_list("sender_id").annotate(Sum("impressions"), Sum("clicks"))
    numbers = {sender_id: counted for sender_id, *counted in by_sender}
    decided = Decision.objects.filter(campaign=campaign, sender__in=ids).order_by().values("sender")
    recipients = {
        row["sender"]: row["number"] for row in decided.annotate(number=Count("recipient_key", distinct=True))
    }
    lines = []
    for sender in senders:
        impressions, clicks = numbers.get(sender.pk, (0, 0))
        lines.append(
            Carrier(
                sender,
                sender.state,
                _LABELS[sender.state],
                sender.banner_since,
                impressions,
                clicks,
                recipients.get(sender.pk, 0),
            )
        )
    return lines


# The last two repeat columns under the names they had before; docs/counting.md says until when.
COLUMNS = (
    "sender", "address", "group", "state", "in signature since", "impressions", "clicks", "known recipients",
    "carries the place since", "pictures",
)  # fmt: skip


def list_carrier_rows(campaign: Campaign, senders: QuerySet[Sender]) -> Iterator[Sequence[object]]:
    """Yield every sender for an export, see COLUMNS, a thousand in memory at a time."""
    last: tuple[str, str, int] | None = None
    while True:
        rows = senders if last is None else senders.filter(_after(*last))
        page = list(rows[:CHUNK])
        for each in list_carriers(campaign, page):
            group = each.sender.group.name if each.sender.group else ""
            yield [
                each.sender.name,
                each.sender.email,
                group,
                each.label,
                each.since,
                each.impressions,
                each.clicks,
                each.recipients,
                each.since,
                each.impressions,
            ]
        if len(page) < CHUNK:
            return
        last = (page[-1].name, page[-1].email, page[-1].pk)


def _after(name: str, email: str, pk: int) -> Q:
    return Q(name__gt=name) | Q(name=name, email__gt=email) | Q(name=name, email=email, pk__gt=pk)
