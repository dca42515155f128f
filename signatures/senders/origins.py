"""Origins: who set each local value of a sender, when, and from which file; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from signatures.rendering.phones import is_e164

from .numbers import is_phone


class OriginKind(StrEnum):
    TYPED = "typed"
    IMPORT = "import"
    UNDONE = "import undone"
    ADOPTED = "adopted from Outreach"
    SELF_SERVICE = "self-service"


@dataclass(frozen=True, slots=True)
class ValueOrigin:
    """Where a value comes from. file: name of the imported file."""

    kind: OriginKind = OriginKind.TYPED
    file: str = ""

    @property
    def words(self) -> str:
        """What a page says: typed here, or the file."""
        if self.kind is OriginKind.TYPED:
            return "typed here"
        return f"{self.kind.value} {self.file}".strip()

    def to_json(self) -> dict[str, str]:
        return {"kind": self.kind.value, "file": self.file}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ValueOrigin:
        """Return what `to_json` gave; typed here for ''."""
        return cls(OriginKind(stored.get("kind") or OriginKind.TYPED), stored.get("file", ""))


TYPED = ValueOrigin()


@dataclass(frozen=True, slots=True)
class ValueRecord:
    """Who set a value, when and how."""

    actor: str
    at: datetime
    origin: ValueOrigin

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ValueRecord:
        """Return a stored record."""
        return cls(
            stored["by"],
            datetime.fromisoformat(stored["at"]),
            ValueOrigin.from_json(stored),
        )


def update_origins(
    origins: Mapping[str, Any],
    before: Mapping[str, str],
    after: Mapping[str, str],
    entered: Mapping[str, tuple[str, ValueOrigin]],
    at: datetime,
) -> dict[str, Any]:
    """Return the records after a change of local values: a new one for each that changed, none for what is gone.

    entered: field -> who entered its new value, and how.
    """
    records = {name: record for name, record in origins.items() if name in after}
    for name, text in after.items():
        if before.get(name) != text and name in entered:
            actor, origin = entered[name]
            records[name] = {"by": actor, "at": at.isoformat(), **origin.to_json()}
            if origin.kind is not OriginKind.ADOPTED:  # those show what the mailbox showed
                records = mark_numbers(records, {name: text})
    return records


def mark_numbers(origins: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """Return the records with a note at each of these values that is a phone number stored as E.164."""
    numbers = [name for name, text in values.items() if is_phone(name) and is_e164(text)]
    return {**origins, **{name: {**origins.get(name, {}), "e164": True} for name in numbers}}


def list_numbers(origins: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields whose value was stored as E.164."""
    return frozenset(name for name, each in origins.items() if each.get("e164"))


def list_imported(origins: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields whose value a file brought."""
    return frozenset(name for name, each in origins.items() if each.get("kind") == OriginKind.IMPORT)
