"""Delivery settings: stored, with a line in the ledger of what changed."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from integrations.ledger.record import record_act
from signatures.models import DeliverySettings


@transaction.atomic
def save_settings(settings: DeliverySettings, changed: Sequence[str], *, actor: str) -> None:
    """Store a domain's settings and who changed which of them to what; nothing where none changed."""
    if not changed:
        return
    settings.save()
    record_act(
        "delivery settings changed",
        domain=settings.domain,
        actor_label=actor,
        detail=", ".join(f"{name}: {getattr(settings, name)}" for name in changed)[:1000],
    )
