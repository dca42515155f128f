"""Overrides: local values that differ from Outreach's, over all senders of a domain, to keep or to drop."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from integrations.ledger.record import record_act
from portal.db import update_rows
from portal.models import Domain
from signatures.models import Sender
from signatures.rendering.fields import Field, Source, Trust
from signatures.rendering.phones import write_e164

from .many_values import set_many_values
from .origins import TYPED, ValueRecord
from .values import get_mirrored_values, lock_senders
from .vocabulary import get_vocabulary


@dataclass(frozen=True, slots=True)
class Override:
    """One local value beside Outreach's. is_kept: somebody chose to keep it beside this value of Outreach."""

    sender: Sender
    field: Field
    theirs: str
    own: str
    record: ValueRecord | None
    is_kept: bool

    @property
    def key(self) -> str:
        return f"{self.sender.pk}:{self.field.name}"


def list_overrides(domain: Domain) -> list[Override]:
    """Return every override of an active sender that differs from Outreach's value, by name; two queries."""
    senders = Sender.objects.filter(domain=domain, is_active=True).exclude(own_values={})
    fields = get_vocabulary(domain).of_senders(Source.OUTREACH)
    return [
        override
        for sender in senders.select_related("person").order_by("name", "pk")
        for field in fields
        if (override := _find_override(sender, field)) is not None
    ]


def _find_override(sender: Sender, field: Field) -> Override | None:
    own = sender.own_values.get(field.name) or ""
    theirs = get_mirrored_values(sender).get(field.name) or ""
    if not own or own == theirs or _is_same_number(sender, field, own, theirs):
        return None
    stored = sender.value_origins.get(field.name) or {}
    record = ValueRecord.from_json(stored) if "at" in stored else None
    return Override(sender, field, theirs, own, record, stored.get("kept") == theirs)


def _is_same_number(sender: Sender, field: Field, own: str, theirs: str) -> bool:
    region = (sender.person.phone_region or "").upper()
    return field.trust is Trust.PHONE and own == write_e164(theirs, region)


@transaction.atomic
def drop_overrides(domain: Domain, overrides: Iterable[Override], *, actor: str, waits: bool) -> int:
    """Remove these local values, so that Outreach's show again; return of how many senders.

    waits: as in `set_own_values`.
    """
    removed: dict[int, dict[str, str]] = {}
    for one in overrides:
        removed.setdefault(one.sender.pk, {})[one.field.name] = ""
    return set_many_values(domain, removed.items(), actor=actor, run="overrides", origin=TYPED, waits=waits)


@transaction.atomic
def keep_overrides(domain: Domain, overrides: Iterable[Override], *, actor: str) -> None:
    """Note that these were looked at and stay: they are listed again once Outreach's value changes."""
    theirs: dict[int, dict[str, str]] = {}
    for one in overrides:
        theirs.setdefault(one.sender.pk, {})[one.field.name] = one.theirs
    changed = list(lock_senders(domain, theirs))
    for sender in changed:
        kept = {
            name: {**sender.value_origins.get(name, {}), "kept": text}
            for name, text in theirs[sender.pk].items()
        }
        sender.value_origins = {**sender.value_origins, **kept}
    update_rows(changed, ["value_origins"])
    if changed:
        record_act(
            "overrides kept",
            domain=domain,
            actor_label=actor,
            object_ref="overrides",
            detail=f"{sum(map(len, theirs.values())):,} values of {len(changed):,} senders",
        )
