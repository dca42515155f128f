"""Host names: converts them to ASCII by IDNA 2008, as browsers and registries do, and removes what is invisible."""

from __future__ import annotations

import re
import unicodedata

import idna

MAX_LENGTH = 253  # of the ASCII form (RFC 1035); what is longer is refused before any work is done on it
MAX_LABELS = 10  # of a name with letters outside ASCII, each of which costs some 20 µs
# Shown as nothing, so that two addresses look the same and are not: format characters (category Cf) are told by
# their category, these by name: fillers, variation selectors and the grapheme joiner.
INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3002: ".", 0xFF61: "."}
_DOTS = re.compile("[.。．｡]")


def to_ascii(host: str) -> str:
    """Return the host as it is looked up: in lower case and ASCII, without a dot at the end.

    Mapped by UTS #46 without its transitional rules, so “straße.example” is its own host and never
    “strasse.example”. A name that is ASCII already is only put in lower case.
    Raises: ValueError for a name that no registry accepts, such as one with an emoji, and for a long one.
    """
    if len(host) > MAX_LENGTH + 1:
        raise ValueError(f"a host name has at most {MAX_LENGTH} characters")
    if host.isascii():
        return host.lower().removesuffix(".")
    if len(_DOTS.split(host)) > MAX_LABELS + 1:
        raise ValueError(f"a host name with letters outside ASCII has at most {MAX_LABELS} parts")
    return idna.encode(host, uts46=True).decode("ascii").removesuffix(".")


def normalise_host(text: str) -> str:
    """Return a host, or the end of one, in lower case and ASCII; other text in lower case."""
    host = remove_invisible(text).lower()
    try:
        return to_ascii(host)
    except ValueError:
        return host


def remove_invisible(text: str) -> str:
    """Return the text stripped, without invisible characters, and with full-width ASCII as plain ASCII."""
    text = text.strip()
    if text.isascii():
        return text
    kept = "".join(character for character in text if unicodedata.category(character) != "Cf")
    return unicodedata.normalize("NFC", INVISIBLE.sub("", kept).translate(_FULL_WIDTH)).strip()
