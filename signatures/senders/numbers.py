"""Numbers: phone numbers are stored as E.164 where they are certain, and shown as people write them; pure.

A local value from before it was stored so looks alike where somebody typed it without a blank; the record of each value
says what it is (`origins`), and such a value stays as it was typed.
"""

from __future__ import annotations

from collections.abc import Mapping

from signatures.rendering.fields import Trust, get_trust
from signatures.rendering.phones import format_phone, is_e164, write_e164

from .value_sources import FieldRules


def is_phone(name: str) -> bool:
    return get_trust(name) is Trust.PHONE


def store_numbers(values: Mapping[str, str], rules: FieldRules, home: str) -> dict[str, str]:
    """Return values as they are stored: a phone number that is certain as E.164, everything else as it was typed.

    home: ISO 3166 code of the country of numbers without a country code where the field names none; '' for unknown.
    """
    return {
        name: write_e164(text, rules.find(name).clean_up.region or home) or text if is_phone(name) else text
        for name, text in values.items()
    }


def show_numbers(values: Mapping[str, str]) -> dict[str, str]:
    """Return values as they are shown where a field has no phone format of its own."""
    return {name: show_number(text) if is_phone(name) else text for name, text in values.items()}


def show_number(text: str) -> str:
    return format_phone(text, "", "international") if is_e164(text) else text


def list_typed_numbers(stored: Mapping[str, str]) -> list[str]:
    """Return the phone fields whose value is kept as it was typed."""
    return [name for name, text in stored.items() if text and is_phone(name) and not is_e164(text)]
