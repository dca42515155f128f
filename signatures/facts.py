"""What the choice needs to know of a recipient: derived facts, kept for a short while; never their record.

A recipient's record in Outreach is read at most once an hour, asked about the live audiences while it is in
memory, and dropped. What stays is which audiences held.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from json import dumps

from django.db.models import Count, Q
from django.utils import timezone

from portal.models import Domain

from .audience import Condition, Recipient, is_in_audience, needs_prospect
from .board import Board, load_board
from .campaigns import RecipientFacts
from .models import Decision, KnownRecipient
from .recipients import get_lists_holding, key_of, normalise

LIFE = timedelta(hours=1)


class Gap(StrEnum):
    """Why the recipient's record is not known; NONE where it is, or where no audience asks for it."""

    NONE = ""
    NO_ADDRESS = "no_address"
    NOT_ASKED = "not_asked"
    ASKED_BEFORE = "asked_before"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a recipient now.

    facts: None where the address is none. With a gap, audiences that need the recipient's record do not hold.
    until: for Gap.ASKED_BEFORE, when the record may be asked for again.
    """

    facts: RecipientFacts | None
    gap: Gap = Gap.NONE
    until: datetime | None = None


def get_cached(domain: Domain, address: str, *, board: Board | None = None) -> RecipientFacts | None:
    """Return what was found out about a recipient within the last hour, or None; asks nobody.

    board: the domain's, where the caller holds it already.
    A campaign whose audience changed since then does not count as matched.
    """
    if not is_address(address):
        return None
    key = key_of(domain, address)
    row = KnownRecipient.objects.filter(
        domain=domain, recipient_key=key, expires_at__gt=timezone.now()
    ).first()
    if row is None:
        return None
    board = board or load_board(domain, since=timezone.now())
    return RecipientFacts(key, _get_matched(row.verdicts, board), count_shown(domain, key, board))


def get_facts(domain: Domain, address: str, *, within: float) -> Known:
    """Return what is known of a recipient, asking Outreach where a live audience needs it.

    within: seconds until this returns, whatever Outreach does.
    """
    if not is_address(address):
        return Known(None, Gap.NO_ADDRESS)
    board = load_board(domain, since=timezone.now())
    key = key_of(domain, address)
    recipient = Recipient(
        email_domain=normalise(address).rpartition("@")[2], list_ids=get_lists_holding(domain, address)
    )
    verdicts = _judge(board, recipient, only=_get_local(board))
    KnownRecipient.objects.update_or_create(
        domain=domain,
        recipient_key=key,
        defaults={"verdicts": verdicts, "expires_at": timezone.now() + LIFE},
    )
    gap = Gap.NONE if len(verdicts) == len(board.audiences) else Gap.NOT_ASKED
    return Known(RecipientFacts(key, _get_matched(verdicts, board), count_shown(domain, key, board)), gap)


def count_shown(domain: Domain, key: str, board: Board) -> dict[int, int]:
    """Return campaign id -> how often this recipient got it within its cap's days; capped campaigns only."""
    now = timezone.now()
    caps = board.get_caps()
    if not caps:
        return {}
    counted = {
        f"shown{campaign_id}": Count(
            "pk", filter=Q(campaign_id=campaign_id, at__gt=now - timedelta(days=cap.days))
        )
        for campaign_id, cap in caps.items()
    }
    rows = Decision.objects.filter(domain=domain, recipient_key=key, campaign_id__in=caps)
    totals = rows.aggregate(**counted)
    return {campaign_id: totals[f"shown{campaign_id}"] for campaign_id in caps}


def is_address(text: str) -> bool:
    """Return whether the text can be one e-mail address: something, an @ and a domain, 320 characters at most."""
    local, at, domain = text.strip().rpartition("@")
    is_clean = text.isprintable() and not set(" ,\t") & set(text.strip())
    return bool(local and at and domain and is_clean and len(text) <= 320)


def digest_audience(conditions: Iterable[Condition]) -> str:
    """Return what tells one audience from another, and from itself before a change."""
    written = dumps([condition.as_json() for condition in conditions], sort_keys=True)
    return sha256(written.encode()).hexdigest()[:16]


def _get_local(board: Board) -> frozenset[int]:
    return frozenset(pk for pk, conditions in board.audiences.items() if not needs_prospect(conditions))


def _judge(board: Board, recipient: Recipient, *, only: Iterable[int]) -> dict[str, tuple[str, bool]]:
    return {
        str(pk): (digest_audience(board.audiences[pk]), is_in_audience(board.audiences[pk], recipient))
        for pk in only
    }


def _get_matched(verdicts: Mapping[str, tuple[str, bool]], board: Board) -> frozenset[int]:
    return frozenset(
        pk
        for pk, conditions in board.audiences.items()
        if (verdict := verdicts.get(str(pk))) and verdict[1] and verdict[0] == digest_audience(conditions)
    )
