"""Key rotation: every sealed text under the newest key, while everything keeps running."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db import transaction

from .models import Connection
from .sealing import Unsealable, reseal

SEALED_COLUMNS = ("access_sealed", "refresh_sealed")
SEALED_SEEDS = ("secret", "seed")


@dataclass(slots=True)
class Tally:
    """unreadable: what could not be opened, named so that an operator finds it."""

    resealed: int = 0
    unreadable: list[str] = field(default_factory=list)


def reseal_all(*, writes: bool = True) -> Tally:
    """Every stored secret is under the newest key; row by row, so that a kill leaves each readable."""
    tally = Tally()
    for pk in Connection.objects.exclude(access_sealed="", refresh_sealed="").values_list("pk", flat=True):
        _reseal_connection(pk, tally, writes=writes)
    for pk in Authenticator.objects.values_list("pk", flat=True):
        _reseal_authenticator(pk, tally, writes=writes)
    return tally


@transaction.atomic
def _reseal_connection(pk: UUID, tally: Tally, *, writes: bool) -> None:
    """The row is locked meanwhile, so that a renewed pair is never overwritten by an older one."""
    row = Connection.objects.select_for_update().get(pk=pk)
    try:
        fresh = {column: reseal(getattr(row, column)) for column in SEALED_COLUMNS if getattr(row, column)}
    except Unsealable:
        tally.unreadable.append(f"connection of {row.domain.name}")
        return
    if writes and fresh:
        Connection.objects.filter(pk=pk).update(**fresh)
    tally.resealed += len(fresh)


@transaction.atomic
def _reseal_authenticator(pk: int, tally: Tally, *, writes: bool) -> None:
    row = Authenticator.objects.select_for_update().get(pk=pk)
    try:
        fresh = {key: reseal(row.data[key]) for key in SEALED_SEEDS if row.data.get(key)}
    except Unsealable:
        tally.unreadable.append(f"{row.get_type_display()} of {row.user}")
        return
    if writes and fresh:
        row.data = {**row.data, **fresh}
        row.save(update_fields=["data"])
    tally.resealed += len(fresh)
