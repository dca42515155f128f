"""Links: addresses that a setting may hold, written out or by a field's name, and their markup."""

from __future__ import annotations

import re

from signatures.rendering.context import Unfit, clean_url
from signatures.rendering.fields import BUILT_IN, Trust, get_trust
from signatures.rendering.liquid import escape_value
from signatures.rendering.sanitize import is_allowed_attribute

_LINKED = {Trust.URL: "", Trust.EMAIL: "mailto:", Trust.PHONE: "tel:"}
# Field -> what stands before its value in a link.
LINK_FIELDS: dict[str, str] = {field.name: _LINKED[field.trust] for field in BUILT_IN.with_trust(*_LINKED)}
_FIELD_NAME = re.compile(r"[a-z_]{1,40}+\.[a-z0-9_]{1,60}+")
_ADDRESS = re.compile(r"(?:mailto|tel):[!#-&*-;=?-Z_a-z~]{1,500}+")


def is_link_field(name: str) -> bool:
    """Return whether the value of this field, which may be a custom one, can be linked."""
    return get_trust(name) in _LINKED


class Refused(ValueError):
    """A value that a setting does not take; the message is a sentence that says what it takes."""


def clean_link(value: str, *, is_required: bool = False) -> str:
    """Return a field's name, an address that starts with https://, mailto: or tel:, or "" for no link."""
    value = value.strip()
    if not value and not is_required:
        return ""
    if is_link_field(value):
        return value
    if _FIELD_NAME.fullmatch(value) and value.partition(".")[0] in ("sender", "company", "group", "banner"):
        raise Refused(f"{value} is not a field with a link.")
    if _ADDRESS.fullmatch(value) and is_allowed_attribute("href", value):
        return value
    return clean_address(
        value, "Enter an address that starts with https://, mailto: or tel:, or select a field."
    )


def clean_address(value: str, sentence: str = "Enter a URL that starts with https://.") -> str:
    """Return an https address in ASCII. Raises: Refused with `sentence` for anything else."""
    try:
        address = clean_url(value.strip())
    except Unfit as error:
        raise Refused(sentence) from error
    if not is_allowed_attribute("href", address):
        raise Refused(sentence)
    return address


def write_link(link: str) -> str:
    """Return what stands in the href of `link`, which was checked."""
    prefix = _LINKED.get(get_trust(link) or Trust.TEXT)
    return escape_value(link) if prefix is None else f"{prefix}{{{{ {link} }}}}"
