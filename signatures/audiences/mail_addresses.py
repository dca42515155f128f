"""E-mail addresses and mail domains: validates and normalizes them."""

from __future__ import annotations

import re

from portal.hostnames import INVISIBLE, normalise_host, remove_invisible

MAX_LENGTH = 320
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
        and not INVISIBLE.search(text)
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


def normalise_domain(text: str) -> str:
    """Return a mail domain in lower case and ASCII, or '' where it has no dot or no valid ending."""
    host = normalise_host(text)
    return host if _MAIL_DOMAIN.fullmatch(host) else ""
