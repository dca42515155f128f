"""Rotation: seals every stored secret with the newest key while everything keeps running."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.db import models, transaction

from .sealing import Unsealable, reseal

SEALED_SEEDS = ("secret", "seed")


@dataclass(slots=True)
class Tally:
    """unreadable: what could not be opened, named so that an operator finds it."""

    resealed: int = 0
    unreadable: list[str] = field(default_factory=list)


def reseal_all(*, writes: bool = True) -> Tally:
    """Every stored secret is under the newest key; row by row, so that a kill leaves each readable.

    A column whose name ends in `_sealed` holds a sealed text, in whichever model it stands.
    """
    tally = Tally()
    for model in apps.get_models():
        columns = [
            column.attname for column in model._meta.concrete_fields if column.attname.endswith("_sealed")
        ]
        if columns:
            filled = models.Q(*((column, "") for column in columns), _connector=models.Q.AND)
            for pk in model._default_manager.exclude(filled).values_list("pk", flat=True):
                _reseal_row(model, pk, columns, tally, writes=writes)
    for pk in Authenticator.objects.values_list("pk", flat=True):
        _reseal_authenticator(pk, tally, writes=writes)
    return tally


@transaction.atomic
def _reseal_row(
    model: type[models.Model], pk: Any, columns: list[str], tally: Tally, *, writes: bool
) -> None:
    """The row is locked meanwhile, so that a renewed pair is never overwritten by an older one."""
    row = model._default_manager.select_for_update().get(pk=pk)
    try:
        fresh = {column: reseal(getattr(row, column)) for column in columns if getattr(row, column)}
    except Unsealable:
        tally.unreadable.append(f"{model._meta.verbose_name} of {getattr(row, 'domain', row)}")
        return
    if writes and fresh:
        model._default_manager.filter(pk=pk).update(**fresh)
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
