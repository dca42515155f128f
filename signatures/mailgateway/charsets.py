"""Charsets: whether a part's text can be searched for our marks, by any name of its charset."""

from __future__ import annotations

import codecs
import encodings
import re
from encodings.aliases import aliases
from pkgutil import iter_modules

import webencodings

BYTE_ORDER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

# Python caches every name that is looked up, so only names that it knows are looked up.
_PYTHON_NAMES = frozenset(aliases) | {module.name for module in iter_modules(encodings.__path__)}
_CODE_PAGE = re.compile(r"(?:x-)?(?:cp|windows|win|ibm|dos|ms)[-_ ]?(\d{3,5})")
# Charsets in which the bytes of our marks may be part of another character.
_SHIFTING = ("hz", "iso2022", "johab", "utf-7")


def holds_ascii(charset: str) -> bool:
    """Return whether every byte below 128 is the ASCII character, and no escape sequence changes its meaning.

    False for an unknown charset.
    """
    codec = _find_codec(charset)
    if codec is None or codec.name.startswith(_SHIFTING):
        return False
    plain = bytes(range(32, 127))
    try:
        return plain.decode(codec.name) == plain.decode("ascii")
    except (LookupError, UnicodeError):  # a codec that is not of text
        return False


def get_byte_order(charset: str, text: bytes) -> str | None:
    """Return the codec of UTF-16 with its byte order; None where it is not UTF-16, or its order is not known."""
    codec = _find_codec(charset)
    if codec is None or codec.name not in ("utf-16", "utf-16-le", "utf-16-be"):
        return None
    marked = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}.get(text[:2])
    if codec.name == "utf-16":
        return marked
    return codec.name if marked in (None, codec.name) else None


def _find_codec(charset: str) -> codecs.CodecInfo | None:
    """Return the codec by one of Python's names, a browser's, or a code page's; None for an unknown name."""
    charset = charset.strip("' ")
    page = _CODE_PAGE.fullmatch(charset)
    plain = charset.removeprefix("x-").removesuffix("mb4")  # MySQL's name for all of UTF-8
    names = (charset, f"cp{page[1]}" if page else plain)
    name = next((one for one in names if _normalize(one) in _PYTHON_NAMES), None)
    if name is None:
        known = webencodings.lookup(charset)
        name = known.codec_info.name if known else ""
    try:
        return codecs.lookup(name)
    except LookupError:  # a codec of another system, or a name that only browsers know
        return None


def _normalize(name: str) -> str:
    return encodings.normalize_encoding(name).replace(".", "_")
