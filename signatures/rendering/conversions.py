"""Conversions: turn attribute values that people and programs write into the form that every mail client reads.

Done when a template is saved, never to a stored one. A value that cannot be parsed is returned unchanged, and the
sanitizer decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote, urlsplit

from portal.hostnames import to_ascii
from signatures.rendering.colours import read_colour
from signatures.rendering.phones import get_link
from signatures.rendering.styles import PIXELS

_SIZE = re.compile(r"[ \t\n\f\r]*([0-9]{1,4}(?:\.[0-9]{0,9})?)[ \t]*(%|[a-zA-Z]{0,2})[ \t\n\f\r]*")
_SIZE_UNITS = {"": 1.0, "%": 1.0, "px": 1.0, "pt": 96 / 72, **PIXELS}
_BARE_HEX = re.compile(r"[0-9a-fA-F]{3}|[0-9a-fA-F]{6}")
_FUNCTION = re.compile(r"[a-zA-Z]{3,4}\(")
# Browsers remove both from an address before they parse it.
_AROUND_URL = "".join(map(chr, range(0x21)))
_IN_URL = re.compile(r"[\t\n\r]")
_HOST = re.compile(r"[a-z0-9_.-]+|[0-9a-f:.]+")
_URL_CHARACTERS = "/?#[]@!$&'()*+,;=:%-._~"


def convert_attribute(name: str, value: str) -> str:
    """Return the value in the form that every mail client reads, or unchanged where it cannot be parsed."""
    converter = _CONVERTERS.get(name)
    return converter(value) if converter else value


def _convert_size(value: str) -> str:
    """Return a whole number of pixels or per cent: 200 for 200px, 144 for 1.5in."""
    found = _SIZE.fullmatch(value)
    unit = found[2].lower() if found else ""
    if found is None or unit not in _SIZE_UNITS:
        return value
    return f"{round(float(found[1]) * _SIZE_UNITS[unit])}{'%' if unit == '%' else ''}"


def _convert_colour(value: str) -> str:
    value = value.strip()
    colour = read_colour(value) if _FUNCTION.match(value) else ""
    if colour.startswith("#"):
        return colour
    return f"#{value}" if _BARE_HEX.fullmatch(value) and not read_colour(value) else value


def _convert_face(value: str) -> str:
    return value.replace("'", "").replace('"', "")


def _convert_valign(value: str) -> str:
    value = value.strip()
    return "middle" if value.lower() == "center" else value


def _convert_url(value: str) -> str:
    """Return an address as browsers read it: trimmed, its spaces and other characters escaped, its host in ASCII."""
    value = _IN_URL.sub("", value.strip(_AROUND_URL))
    scheme, colon, rest = value.partition(":")
    converter = _URL_CONVERTERS.get(scheme.lower())
    return converter(rest) if colon and converter else value


def _convert_web(rest: str) -> str:
    """Return the https address without its scheme, or "" where it has no valid host."""
    path_end = min((at for at in (rest.find("?"), rest.find("#")) if at >= 0), default=len(rest))
    if "\\" in rest:  # some parsers treat it as a slash, and would find another host
        return ""
    path = rest[:path_end].lstrip("/")
    try:
        parts = urlsplit(f"https://{path}{rest[path_end:]}")
        host = to_ascii(parts.hostname or "")
        port = parts.port
    except ValueError:
        return ""
    if "@" in parts.netloc or not _HOST.fullmatch(host):
        return ""
    written = parts.geturl()[len("https://") + len(parts.netloc) :]
    host = f"[{host}]" if ":" in host else host
    return f"https://{host}{'' if port is None else f':{port}'}{quote(written, safe=_URL_CHARACTERS)}"


def _convert_mailto(rest: str) -> str:
    return f"mailto:{quote(rest.strip(_AROUND_URL), safe=_URL_CHARACTERS)}"


def _convert_tel(rest: str) -> str:
    number = "".join(rest.split())
    return get_link(rest) or f"tel:{number}"


_URL_CONVERTERS: dict[str, Callable[[str], str]] = {
    "https": _convert_web,
    "mailto": _convert_mailto,
    "tel": _convert_tel,
}
_CONVERTERS: dict[str, Callable[[str], str]] = {
    **dict.fromkeys(("width", "height", "border", "cellpadding", "cellspacing"), _convert_size),
    **dict.fromkeys(("bgcolor", "color"), _convert_colour),
    **dict.fromkeys(("href", "src"), _convert_url),
    **dict.fromkeys(("align", "dir", "lang", "role", "colspan", "rowspan", "size", "nowrap"), str.strip),
    "face": _convert_face,
    "valign": _convert_valign,
}
