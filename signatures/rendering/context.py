"""Context: checks values by trust class. No value reaches a template in another way."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from urllib.parse import quote, urlsplit

from portal.hostnames import to_ascii
from signatures.rendering.fields import BUILT_IN, Field, Trust, Vocabulary, get_custom_trust
from signatures.rendering.phones import get_region, without_scheme

from .banner_links import split_address
from .dates import format_date
from .own_images import is_own_image

PHONE_REGION = "sender.phone_region"
_NOTHING = None, "no value"
MAX_TEXT_LENGTH = 4_000
MAX_URL_LENGTH = 2_000

# Unicode's explicit direction controls can make a name read as another one ("Trojan Source"),
# and zero-width space and byte order mark are invisible. Joiners and the two plain direction
# marks stay: Persian, Hindi and Hebrew names need them.
_KEPT_FORMAT_CHARACTERS = frozenset("\u200c\u200d\u200e\u200f")
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
# Each is replaced by a similar character, so no value, and no two adjacent values, can form {{ or {%.
_BRACES = str.maketrans({"{": "(", "}": ")"})
_BRACES_IN_URL = str.maketrans({"{": "%7B", "}": "%7D"})
_GAP = re.compile(r"\s++")
_LINE_BREAK = re.compile("[\r\n\v\f\u0085\u2028\u2029]")
_SPACES = re.compile(r"[ \t]+")

_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`|~-]{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_][\w-]{1,62}")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"[1-9][0-9]{0,3}")
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_URL_FORBIDDEN = re.compile(r"[\s\"'<>\\^`|]")


class PhoneText(str):
    """A phone number as it was written, and the country it is of where it has no country code."""

    region: str = ""


class Unfit(ValueError):
    """A value does not fit its field's trust class; the message says why, without the value."""


@dataclass(frozen=True)
class Context:
    """The values of one rendering.

    scope: nested plain dicts, every known field present, None where the value is missing.
    missing: field name -> why. own_images: those addresses among the values that fit as the vocabulary has an origin.
    """

    scope: dict[str, dict[str, str | None]]
    missing: dict[str, str]
    own_images: tuple[str, ...] = ()

    def add_missing(self, names: Iterable[str]) -> None:
        """Make each custom field that the vocabulary has not a missing one: templates may be published before it."""
        for name in names:
            if get_custom_trust(name) is None:
                continue
            owner, _, key = name.partition(".")
            if key not in self.scope.setdefault(owner, {}):
                self.scope[owner][key] = None
                self.missing[name] = "no such field"

    def value(self, name: str) -> str | None:
        """Return the checked value of the field `name`, or None."""
        owner, _, key = name.partition(".")
        return self.scope[owner][key]


def build_context(values: Mapping[str, str | None], vocabulary: Vocabulary = BUILT_IN) -> Context:
    """Return `values` as a scope in which each value fits its trust class or is None.

    values: flat dotted field names to raw text. Unknown names are left out, except
    PHONE_REGION: the country of a sender's numbers, by default that of the company's number.
    """
    home = get_region(values.get("company.phone") or "")
    regions = {"sender": (values.get(PHONE_REGION) or "").upper() or home, "company": home}
    scope: dict[str, dict[str, str | None]] = {}
    missing: dict[str, str] = {}
    own_images: list[str] = []
    for owner, fields in vocabulary.by_owner.items():
        found = scope.setdefault(owner, {})
        for field, name in fields:
            raw = values.get(field.name)
            value, reason = _NOTHING if raw is None or field.is_removed else _checked(field.trust, raw)
            if value is None and raw and _is_own_image(field, raw, vocabulary):
                value = raw
                own_images.append(raw)
            elif value is None:
                missing[field.name] = reason
            elif field.trust is Trust.PHONE:
                value = PhoneText(value)
                value.region = regions[owner]
            elif field.trust is Trust.DATE:
                value = format_date(value, field.date_format)
            found[name] = value
    return Context(scope, missing, tuple(own_images))


def _is_own_image(field: Field, raw: str, vocabulary: Vocabulary) -> bool:
    is_address = field.trust in (Trust.URL, Trust.IMAGE) and not field.is_removed
    return is_address and is_own_image(raw, vocabulary.own_origin)


# Most values of a signature are the company's, the same for everybody.
@lru_cache(maxsize=4096)
def _checked(trust: Trust, raw: str) -> tuple[str | None, str]:
    """Return the cleaned value, or None and why it counts as missing."""
    try:
        return _CHECKS[trust](_plain_text(raw)), ""
    except Unfit as reason:
        return None, str(reason)


def _plain_text(raw: str) -> str:
    """Return `raw` on one line, without control, invisible or private characters."""
    if len(raw) > MAX_TEXT_LENGTH:
        raise Unfit(f"longer than {MAX_TEXT_LENGTH:,} characters")
    if not raw.isprintable():
        raw = _GAP.sub(_joint, raw.strip())
        raw = "".join(character for character in raw if _is_kept(character))
    value = _SPACES.sub(" ", raw).strip()
    if not value:
        raise Unfit("empty")
    return value


def _joint(found: re.Match[str]) -> str:
    """Return what joins two lines: a comma, unless the first ends in punctuation. Other gaps stay the same."""
    if not _LINE_BREAK.search(found[0]):
        return found[0]
    before = found.string[found.start() - 1] if found.start() else ""
    return " " if before in ",;:." else ", "


def _is_kept(character: str) -> bool:
    if character in _KEPT_FORMAT_CHARACTERS or character == "\t":
        return True
    return unicodedata.category(character) not in _DROPPED_CATEGORIES


def _text(value: str) -> str:
    return value.translate(_BRACES)


def _email(value: str) -> str:
    if len(value) > 254 or not _EMAIL.fullmatch(value):
        raise Unfit("not an e-mail address")
    return value


def _phone(value: str) -> str:
    """Return the number as written, if it contains digits: people can dial what we cannot parse."""
    value = _text(without_scheme(value))
    if sum(character.isdigit() for character in value) < 3:
        raise Unfit("not a phone number")
    return value


def _colour(value: str) -> str:
    value = value.lower()
    if not _COLOUR.fullmatch(value):
        raise Unfit("not a colour written #rrggbb")
    return value


def clean_url(value: str) -> str:
    """Return an absolute https address in ASCII: no user name, no odd characters, a real host. Raises: Unfit"""
    if len(value) > MAX_URL_LENGTH:
        raise Unfit(f"longer than {MAX_URL_LENGTH:,} characters")
    if _URL_FORBIDDEN.search(value):
        raise Unfit("not a web address")
    try:
        parts = urlsplit(value)
        host = to_ascii(parts.hostname or "")
        port = parts.port
    except ValueError as error:
        raise Unfit("not a web address") from error
    if parts.scheme != "https":
        raise Unfit("not an https:// address")
    if "@" in parts.netloc or not _HOST.fullmatch(host):
        raise Unfit("not a web address")
    netloc = host if port is None else f"{host}:{port}"
    query = parts.query and f"?{parts.query}"
    fragment = parts.fragment and f"#{parts.fragment}"
    rest = f"{parts.path}{query}{fragment}".translate(_BRACES_IN_URL)
    path = quote(rest, safe="/?#[]@!$&()*+,;=:%-._~")
    return f"https://{netloc}{path}"


def _date(value: str) -> str:
    try:
        return date.fromisoformat(value if _DATE.fullmatch(value) else "").isoformat()
    except ValueError as error:
        raise Unfit("not a date written YYYY-MM-DD") from error


def _number(value: str) -> str:
    if not _NUMBER.fullmatch(value):
        raise Unfit("not a number from 1 to 9999")
    return value


def _place(value: str) -> str:
    """Return the address of one of our banners, with its variable unchanged."""
    base = split_address(value)
    if base is None:
        raise Unfit("not an https:// address of our own")
    if base.startswith("https:") and clean_url(base) != base.lower():
        raise Unfit("not a web address")
    return value


_CHECKS: dict[Trust, Callable[[str], str]] = {
    Trust.TEXT: _text,
    Trust.LONG_TEXT: _text,
    Trust.EMAIL: _email,
    Trust.URL: clean_url,
    Trust.IMAGE: clean_url,
    Trust.PHONE: _phone,
    Trust.DATE: _date,
    Trust.COLOUR: _colour,
    Trust.NUMBER: _number,
    Trust.PLACE: _place,
}
