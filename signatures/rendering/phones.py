"""Phone numbers: finds them in text, and makes tel: links that work from any country."""

from __future__ import annotations

import re
from functools import lru_cache

from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    Leniency,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberMatcher,
    ValidationResult,
    country_code_for_region,
    format_number,
    is_possible_number_with_reason,
    is_valid_number,
    parse,
    region_code_for_number,
)

_MAX_LENGTH = 200
_SCHEME = re.compile(r"\s*(?:tel|callto|phone)\s*:\s*", re.IGNORECASE)
_VARIATION_SELECTORS = re.compile("[\ufe00-\ufe0f]")
# Words for an extension that the library does not know, at the end: German, French, Spanish, Portuguese, Dutch.
_EXTENSION = re.compile(
    r"[\s,;/(–-](?:durchwahl|dwl|dw|nebenstelle|nst|klappe|kl|poste|interno|anexo|ramal|toestel|tst)"
    r"[.:]?\s?(?P<digits>[0-9]{1,7})\)?\s*$",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[^\W\d_]")
# What the library reads as an extension by itself.
_KNOWN_EXTENSION = re.compile(
    r"[\s,;(](?:;?\s?ext(?:ension|n)?[.:=]?|x|#|int\.?)\s?[0-9]{1,7}[#)]?\s*$", re.IGNORECASE
)
_VANITY = re.compile(r"[+0-9 .()-]*[0-9][ .-]?[A-Z][A-Z0-9 .-]*")
_INTERNATIONAL_PREFIX = re.compile(r"00(?=[1-9])")
# After a slash: another number, or a different end of the same one.
_SECOND_AFTER_SLASH = re.compile(r"(?P<first>[^/]*[0-9]\)?)\s*/")
_NORTH_AMERICA = 1
_E164 = re.compile(r"\+[1-9][0-9]{2,14}(?:;ext=[0-9]{1,7})?")
# The commonest form, without a table of countries: parsing a number otherwise costs as much as a signature.
_PLAIN = re.compile(r"\+1[ .-]?(?:\(([2-9][0-9]{2})\)|([2-9][0-9]{2}))[ .-]?([0-9]{3})[ .-]?([0-9]{4})")


def without_scheme(text: str) -> str:
    """Return what somebody typed as a phone number without tel: in front."""
    found = _SCHEME.match(text)
    return text[found.end() :] if found else text


@lru_cache(maxsize=4096)
def get_link(text: str, region: str = "") -> str:
    """Return the tel: link of the (first) phone number in `text`, or "" where none can be parsed with certainty.

    region: ISO 3166 code of the country whose numbers are written without a country code; "" for unknown.
    The link holds the whole number with its country code, so it is the same number from everywhere (RFC 3966).
    """
    if plain := _PLAIN.fullmatch(text):
        return f"tel:+1{''.join(plain.groups(''))}"
    if len(text) > _MAX_LENGTH:
        return ""
    text = _VARIATION_SELECTORS.sub("", without_scheme(text)).strip()
    number = _read_number(text, region if country_code_for_region(region) else "")
    return "" if number is None else f"tel:{_write_e164(number)}"


@lru_cache(maxsize=4096)
def format_phone(text: str, region: str, style: str) -> str:
    """Return a phone number in one form, with its extension; `text` where it is not one number, known with certainty.

    region: as for `get_link`. style: international or national.
    """
    number = _read_single(text, region)
    if number is None:
        return text
    is_home = style == "national" and region_code_for_number(number) == region
    return str(
        format_number(number, PhoneNumberFormat.NATIONAL if is_home else PhoneNumberFormat.INTERNATIONAL)
    )


@lru_cache(maxsize=4096)
def write_e164(text: str, region: str) -> str:
    """Return a phone number as E.164, with an extension as RFC 3966 writes it; '' where `format_phone` leaves it.

    region: as for `get_link`.
    """
    number = _read_single(text, region)
    return _write_e164(number) if number is not None else ""


def is_e164(text: str) -> bool:
    """Return whether `text` is what `write_e164` gives."""
    return _E164.fullmatch(text) is not None


def _write_e164(number: PhoneNumber) -> str:
    extension = f";ext={number.extension}" if number.extension else ""
    return f"{format_number(number, PhoneNumberFormat.E164)}{extension}"


def _read_single(text: str, region: str) -> PhoneNumber | None:
    """Return the number where `text` is one number without letters, known with certainty, or None."""
    if len(text) > _MAX_LENGTH:
        return None
    plain = _VARIATION_SELECTORS.sub("", without_scheme(text)).strip()
    found = _EXTENSION.search(plain)
    number = _read_whole(
        plain[: found.start()] if found else plain, region if country_code_for_region(region) else ""
    )
    if number is None or "/" in plain or _is_vanity(plain, region):
        return None
    if found:
        number.extension = found["digits"]
    return number


@lru_cache(maxsize=1024)
def get_region(text: str) -> str:
    """Return the ISO 3166 code of the country of a number with a country code, or ""."""
    text = _VARIATION_SELECTORS.sub("", without_scheme(text)).strip()
    number = _read_number(text, "") if len(text) <= _MAX_LENGTH else None
    if number is None:
        return ""
    regions = COUNTRY_CODE_TO_REGION_CODE.get(number.country_code or 0, ("",))
    return str(region_code_for_number(number) or regions[0])


def _read_number(text: str, region: str) -> PhoneNumber | None:
    found = _EXTENSION.search(text)
    base = text[: found.start()] if found else text
    number = _read_whole(base, region) or _find_first(base, region)
    if number is not None and found:
        number.extension = found["digits"]
    return number


def _read_whole(text: str, region: str) -> PhoneNumber | None:
    """Return the number where `text` is one number and nothing else, or None."""
    slash = _SECOND_AFTER_SLASH.match(text)
    first = _parse(slash["first"], region) if slash else None
    if first is not None:
        return first
    if _LETTER.search(_KNOWN_EXTENSION.sub("", text)) and not _is_vanity(text, region):
        return None
    return _parse(text, region)


def _is_vanity(text: str, region: str) -> bool:
    """Return whether letters in `text` mean digits of the telephone's keys."""
    is_of_known_country = text.startswith("+") or country_code_for_region(region) == _NORTH_AMERICA
    return is_of_known_country and _VANITY.fullmatch(text) is not None


def _parse(text: str, region: str) -> PhoneNumber | None:
    is_international = text.startswith(("+", "\uff0b"))
    for written in (text, _INTERNATIONAL_PREFIX.sub("+", text, count=1) if text.startswith("00") else ""):
        try:
            number = parse(written, region or None)
        except NumberParseException:
            continue
        if _is_certain(number, is_international=is_international):
            return number
    return None


def _is_certain(number: PhoneNumber, *, is_international: bool) -> bool:
    """Return whether this can be dialled; where the country was guessed, the number must be valid there."""
    if is_international:
        return bool(is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE)
    return bool(is_valid_number(number))


def _find_first(text: str, region: str) -> PhoneNumber | None:
    """Return the first number among other words, or None."""
    for found in PhoneNumberMatcher(text, region or None, leniency=Leniency.POSSIBLE, max_tries=20):
        if _is_certain(found.number, is_international=found.raw_string.startswith(("+", "\uff0b"))):
            number: PhoneNumber = found.number
            return number
    return None
