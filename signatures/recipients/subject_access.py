"""Data subject requests: shows, exports and erases the data about one recipient.

An address is only used to compute its pseudonym, which is searched for and recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from integrations.ledger.record import record_act
from portal.models import Domain
from signatures.audiences.pseudonyms import key_of
from signatures.models import (
    BannerEvent,
    Decision,
    KnownRecipient,
    RecipientList,
    RecipientListEntry,
)


@dataclass(frozen=True, slots=True)
class Kept:
    """All data under one recipient's pseudonym.

    decisions: newest first. lists: those with the address; its mail domain is not personal. known: matches of
    the last hour's look-up, or None.
    """

    recipient_key: str
    decisions: tuple[Decision, ...]
    lists: tuple[RecipientList, ...]
    known: KnownRecipient | None

    @property
    def is_nothing(self) -> bool:
        return not (self.decisions or self.lists or self.known)


def get_kept(domain: Domain, address: str) -> Kept:
    """Return the data this domain stores about one address."""
    key = key_of(domain, address)
    decisions = Decision.objects.filter(domain=domain, recipient_key=key)
    return Kept(
        recipient_key=key,
        decisions=tuple(decisions.select_related("sender", "campaign", "banner")),
        lists=tuple(RecipientList.objects.filter(domain=domain, entries__value=key)),
        known=KnownRecipient.objects.filter(domain=domain, recipient_key=key).first(),
    )


def export_kept(domain: Domain, kept: Kept) -> dict[str, Any]:
    """Return the data as plain values, for the data subject. Contains no address."""
    names = dict(domain.campaigns.values_list("pk", "name"))
    verdicts = kept.known.verdicts if kept.known else {}
    return {
        "domain": domain.name,
        "recipient": kept.recipient_key,
        "decisions": [
            {
                "at": _format_moment(decision.at),
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
        "audiences_known_until": _format_moment(kept.known.expires_at) if kept.known else None,
    }


def record_export(domain: Domain, kept: Kept, *, actor: str) -> None:
    """Record the export in the ledger, with the pseudonym instead of the address."""
    record_act("recipient exported", domain=domain, actor_label=actor, object_ref=kept.recipient_key[:16])


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows of each kind were erased."""

    decisions: int
    list_entries: int
    known: int


def erase(domain: Domain, address: str, *, actor: str) -> Erased:
    """Erase all data about this address, and record it in the ledger with the pseudonym.

    Impressions and clicks stay: without the decision they cannot be linked to a recipient.
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
            actor_label=actor,
            object_ref=key[:16],
            detail=f"{count} decisions, {entries} list entries",
        )
    return Erased(count, entries, known)


def _format_moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
