"""API keys: creates, finds, limits and revokes the keys with which gateways and add-ins ask for decisions."""

from __future__ import annotations

import math
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Greatest, Least
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.models import Domain
from signatures.models import DecisionKey

PREFIX_LENGTH = 12
USE_NOTED_EVERY = timedelta(minutes=1)


class TooMany(Exception):
    """A key exceeded its rate limit; `retry_after_seconds` says when the next request is answered."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new key. text: shown once and not stored."""

    row: DecisionKey
    text: str


def make_key(domain: Domain, name: str, *, actor: str) -> NewKey:
    """Create a key; its text is returned once, and stored as a digest."""
    text = f"csk_{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        row = DecisionKey.objects.create(
            domain=domain,
            name=name,
            prefix=text[:PREFIX_LENGTH],
            key_sha256=_digest(text),
            created_by_label=actor,
        )
        record_act(
            "decision key made",
            domain=domain,
            actor_label=actor,
            object_ref=str(row.pk),
            detail=str(row),
        )
    return NewKey(row, text)


def revoke_key(row: DecisionKey, *, actor: str) -> bool:
    """Revoke the key; return False where it was revoked already."""
    with transaction.atomic():
        is_ours = DecisionKey.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=timezone.now())
        if is_ours:
            record_act(
                "decision key revoked",
                domain=row.domain,
                actor_label=actor,
                object_ref=str(row.pk),
                detail=str(row),
            )
    return bool(is_ours)


def find_key(text: str) -> DecisionKey | None:
    """Return the active key with this text, or None.

    Compares digests, so that the time it takes reveals nothing about a key.
    """
    return (
        DecisionKey.objects.filter(key_sha256=_digest(text), revoked_at=None).select_related("domain").first()
    )


def count_request(key: DecisionKey) -> None:
    """Count one request of this key across all processes. Raises: TooMany, counting nothing.

    A bucket of twice DECISIONS_PER_SECOND requests, filled at that rate; one statement takes one out where
    one is there, so that two processes never take the same.
    """
    rate, burst = settings.DECISIONS_PER_SECOND, settings.DECISIONS_PER_SECOND * 2
    now = time.time()
    since = Greatest(Value(now) - F("counted_at"), Value(0.0))
    left = Least(Value(float(burst)), F("requests_left") + since * Value(float(rate)))
    rows = DecisionKey.objects.filter(pk=key.pk).annotate(left=left)
    if not rows.filter(left__gte=1).update(requests_left=left - 1, counted_at=now):
        present = rows.values_list("left", flat=True).first() or 0.0
        raise TooMany(max(math.ceil((1 - present) / rate), 1))
    note_before = timezone.now() - USE_NOTED_EVERY
    if key.last_used_at is None or key.last_used_at < note_before:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=note_before)
        DecisionKey.objects.filter(stale, pk=key.pk).update(last_used_at=timezone.now())


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
