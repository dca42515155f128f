"""Settings: what a domain lets its senders do by themselves; each change is an entry of the ledger."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from integrations.ledger.record import record_act
from signatures.models import SelfService


@transaction.atomic
def save_settings(rules: SelfService, changed: Collection[str], *, actor: str) -> None:
    """Store the settings. changed: names of the columns that differ."""
    if not changed:
        return
    rules.save()
    record_act(
        "self-service settings changed",
        domain=rules.domain,
        actor_label=actor,
        detail=", ".join(f"{name}: {getattr(rules, name)}" for name in sorted(changed)),
    )
