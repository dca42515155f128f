"""Host names: converts them to ASCII by IDNA 2008, as browsers and registries do."""

from __future__ import annotations

import re

import idna

MAX_LENGTH = 253  # of the ASCII form (RFC 1035); what is longer is refused before any work is done on it
MAX_LABELS = 10  # of a name with letters outside ASCII, each of which costs some 20 µs
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
