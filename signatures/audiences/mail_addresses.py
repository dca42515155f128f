"""E-mail addresses and mail domains: validates and normalizes them."""

from __future__ import annotations

import re
import unicodedata

from portal.hostnames import to_ascii

MAX_LENGTH = 320
# Shown as nothing, so that two addresses look the same and are not: format characters (category Cf) are told by
# their category, these by name: fillers, variation selectors and the grapheme joiner.
_FILLERS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3002: ".", 0xFF61: "."}
_LOCAL = re.compile(r'[^\s@,;:<>()\[\]\\"\ufffd]{1,256}|"[^\s"\\]{1,256}"')
_HOST = re.compile(r'[^\s@,;:<>()\[\]\\"/]+|\[[0-9a-zA-Z:.]+\]')
_MAIL_DOMAIN = re.compile(
    r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
)


def is_address(text: str) -> bool:
    """Return whether the text is one e-mail address, without name, “mailto:” or invisible characters."""
    text = text.strip()
    local, at, host = text.rpartition("@")
    return bool(
        at
        and len(text) <= MAX_LENGTH
        and text.isprintable()
        and not _FILLERS.search(text)
        and _LOCAL.fullmatch(local)
        and _HOST.fullmatch(host)
    )


def normalise(address: str) -> str:
    """Return the normalized address: lower case, NFC, its domain in ASCII by IDNA 2008.

    Other text is returned stripped and in lower case.
    """
    text = remove_invisible(address).lower()
    local, at, host = text.rpartition("@")
    return f"{local}{at}{normalise_host(host)}"


def normalise_host(text: str) -> str:
    """Return a mail domain, or the end of one, in lower case and ASCII; other text in lower case."""
    host = remove_invisible(text).lower()
    try:
        return to_ascii(host)
    except ValueError:
        return host


def normalise_domain(text: str) -> str:
    """Return a mail domain in lower case and ASCII, or '' where it has no dot or no valid ending."""
    host = normalise_host(text)
    return host if _MAIL_DOMAIN.fullmatch(host) else ""


def remove_invisible(text: str) -> str:
    """Return the text stripped, without invisible characters, and with full-width ASCII as plain ASCII."""
    text = text.strip()
    if text.isascii():
        return text
    kept = "".join(character for character in text if unicodedata.category(character) != "Cf")
    return unicodedata.normalize("NFC", _FILLERS.sub("", kept).translate(_FULL_WIDTH)).strip()
