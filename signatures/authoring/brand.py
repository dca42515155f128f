"""Brand: stores the company's values as a draft of a release."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from integrations.ledger.record import record_act
from signatures.models import Brand
from signatures.releases.content import BRAND
from signatures.releases.draft import note_edit


@transaction.atomic
def save_brand(brand: Brand, changed: Collection[str], *, actor: str) -> None:
    """Store the company's values. changed: names of the columns that differ."""
    brand.save()
    if changed:
        note_edit(brand.domain, BRAND, actor=actor)
        record_act(
            "company values changed", domain=brand.domain, actor_label=actor, detail=", ".join(changed)
        )
