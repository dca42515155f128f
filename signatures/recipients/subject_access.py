"""What is kept about one recipient, for how long, and how it goes: shown, taken along, erased.

Addresses come in, and only their keyed digest is searched for, stored or recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.models import Domain
from signatures.audiences.pseudonyms import key_of
from signatures.campaigns.ruleset import get_place, load_board
from signatures.models import (
    BannerEvent,
    BannerPlace,
    Decision,
    KnownRecipient,
    RecipientList,
    RecipientListEntry,
)

from .facts import get_asked

BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Kept:
    """Everything that is kept under one recipient's digest.

    decisions: newest first. lists: that hold the address itself; those with its mail domain are not about
    a person. known: what the last hour's look-up left, or None.
    """

    recipient_key: str
    decisions: tuple[Decision, ...]
    lists: tuple[RecipientList, ...]
    known: KnownRecipient | None

    @property
    def is_nothing(self) -> bool:
        return not (self.decisions or self.lists or self.known)


def get_kept(domain: Domain, address: str) -> Kept:
    """Return what this domain keeps about one address."""
    key = key_of(domain, address)
    decisions = Decision.objects.filter(domain=domain, recipient_key=key)
    return Kept(
        recipient_key=key,
        decisions=tuple(decisions.select_related("sender", "campaign", "banner")),
        lists=tuple(RecipientList.objects.filter(domain=domain, entries__value=key)),
        known=KnownRecipient.objects.filter(domain=domain, recipient_key=key).first(),
    )


def export_kept(domain: Domain, kept: Kept) -> dict[str, Any]:
    """Return what is kept as plain values, for the person it is about. Holds no address."""
    names = dict(domain.campaigns.values_list("pk", "name"))
    verdicts = kept.known.verdicts if kept.known else {}
    return {
        "domain": domain.name,
        "recipient": kept.recipient_key,
        "decisions": [
            {
                "at": _say(decision.at),
                "way": decision.way,
                "sender": decision.sender.email if decision.sender else None,
                "campaign": decision.campaign.name if decision.campaign else None,
                "banner": decision.banner.name if decision.banner else None,
            }
            for decision in kept.decisions
        ],
        "lists": [one.name for one in kept.lists],
        "audiences": {
            names[int(pk)]: bool(verdict[1]) for pk, verdict in verdicts.items() if int(pk) in names
        },
        "audiences_known_until": _say(kept.known.expires_at) if kept.known else None,
    }


def record_export(domain: Domain, kept: Kept, *, actor_label: str) -> None:
    """That somebody took along what is kept is in the ledger, with the digest and no address."""
    record_act(
        "recipient exported", domain=domain, actor_label=actor_label, object_ref=kept.recipient_key[:16]
    )


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows of each kind went."""

    decisions: int
    list_entries: int
    known: int


def erase(domain: Domain, address: str, *, actor_label: str) -> Erased:
    """Nothing is kept about this address any more; the act is in the ledger, with the digest and no address.

    Fetches and clicks stay as counts: without the decision nothing leads from them to a recipient.
    """
    key = key_of(domain, address)
    with transaction.atomic():
        decisions = Decision.objects.filter(domain=domain, recipient_key=key)
        ids = list(decisions.values_list("pk", flat=True))
        BannerEvent.objects.filter(domain=domain, decision_id__in=ids).update(decision_id=None)
        count, _ = decisions.delete()
        entries, _ = RecipientListEntry.objects.filter(recipient_list__domain=domain, value=key).delete()
        known, _ = KnownRecipient.objects.filter(domain=domain, recipient_key=key).delete()
        record_act(
            "recipient erased",
            domain=domain,
            actor_label=actor_label,
            object_ref=key[:16],
            detail=f"{count} decisions, {entries} list entries",
        )
    return Erased(count, entries, known)


def remove_old_decisions(*, now: datetime | None = None, batch_size: int = BATCH) -> int:
    """Decisions older than their domain's `decision_days` are gone, in batches; returns how many."""
    removed = 0
    for place in BannerPlace.objects.order_by("pk"):
        until = (now or timezone.now()) - timedelta(days=place.decision_days)
        old = Decision.objects.filter(domain_id=place.pk, at__lt=until)
        while ids := list(old.order_by("at").values_list("pk", flat=True)[:batch_size]):
            removed += Decision.objects.filter(pk__in=ids).delete()[0]
    return removed


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change of the retention would remove in the next night."""

    decisions: int
    events: int


def preview_retention(domain: Domain, *, decision_days: int, event_days: int) -> Preview:
    """Return how many rows are older than these days now."""
    now = timezone.now()
    return Preview(
        decisions=Decision.objects.filter(domain=domain, at__lt=now - timedelta(days=decision_days)).count(),
        events=BannerEvent.objects.filter(domain=domain, at__lt=now - timedelta(days=event_days)).count(),
    )


def set_retention(domain: Domain, *, decision_days: int, event_days: int, actor_label: str) -> None:
    """Decisions and events are kept for this long; what is older goes in the next night."""
    place = get_place(domain)
    with transaction.atomic():
        BannerPlace.objects.filter(pk=place.pk).update(decision_days=decision_days, event_days=event_days)
        record_act(
            "retention changed",
            domain=domain,
            actor_label=actor_label,
            detail=f"decisions {place.decision_days} → {decision_days} days, "
            f"views and clicks {place.event_days} → {event_days} days",
        )


def get_fields_asked(domain: Domain) -> frozenset[str]:
    """Return the prospect attributes that a look-up would name now: those of live audiences, and no others."""
    now = timezone.now()
    return get_asked(load_board(domain, since=now), at=now)


def _say(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
