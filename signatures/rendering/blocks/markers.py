"""Markers: the HTML comments in which a design keeps its settings, and how they are found again.

    <!-- name {"size": 17, "when": ""} 9b21f0c4 -->…<!-- /name -->

The checksum is of the settings and of the markup between the two comments, lists of other blocks left out. A
list of blocks stands between <!-- blocks --> and <!-- /blocks -->.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from signatures.rendering.bounds import read_liquid
from signatures.rendering.errors import Locator
from signatures.rendering.markup import Kind, Unclosed, read_pieces
from signatures.rendering.sentinels import SLOT_OPEN

LIST = "blocks"
# What stands in a comment that is a marker; its settings may be broken by hand, and are read later.
_MARKER = re.compile(
    r"(?P<list>/?blocks)|/(?P<end>[a-z]{1,20}+)|(?P<start>[a-z]{1,20}+) (?P<rest>(?:[0-9]{1,4}+ )?+\{.*)",
    re.DOTALL,
)
_LOOKS_LIKE_ONE = re.compile(
    r"<!-- (?:(?:blocks|/[a-z]{1,20}+)\s{0,99}+-->|[a-z]{1,20}+ (?:[0-9]{1,4}+ )?+\{)"
)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
# An output, a tag or the comment itself would end, or begin, at these.
_ESCAPES = {
    "&": "\\u0026",
    "{": "\\u007b",
    "}": "\\u007d",
    "<": "\\u003c",
    ">": "\\u003e",
    "--": "\\u002d\\u002d",
}
_ESCAPED = re.compile("[&{}<>]|--")
_REST = re.compile(r"(?:(?P<version>[0-9]{1,4}) )?(?P<settings>\{.*\}) (?P<checksum>[0-9a-f]{8})", re.DOTALL)


@dataclass(frozen=True)
class Marker:
    """One marker in a source. name: of the block, or LIST. rest: settings and checksum, unread; "" at an end."""

    start: int
    end: int
    name: str
    is_end: bool
    rest: str = ""


@dataclass(frozen=True)
class Rest:
    """What stands behind the name of a marker. settings: JSON, unread. version: of the format, for a design."""

    version: int | None
    settings: str
    checksum: str


def write_settings(settings: Mapping[str, Any]) -> str:
    """Return settings as JSON that may stand in a comment and holds nothing that Liquid reads."""
    written = json.dumps(settings, sort_keys=True)
    written = _STRING.sub(lambda string: _ESCAPED.sub(lambda found: _ESCAPES[found[0]], string[0]), written)
    return written.replace("}}", "} }").replace("}}", "} }")


def write_marked(name: str, settings: str, own: str, *, version: int | None = None) -> tuple[str, str]:
    """Return the comments before and after a block. settings: its JSON. own: its markup without lists of blocks."""
    number = "" if version is None else f"{version} "
    return f"<!-- {name} {number}{settings} {make_checksum(settings, own)} -->", f"<!-- /{name} -->"


def read_rest(rest: str) -> Rest | None:
    """Return what stands behind the name of a marker, or None where it was broken."""
    found = _REST.fullmatch(rest.strip())
    if found is None:
        return None
    return Rest(int(found["version"]) if found["version"] else None, found["settings"], found["checksum"])


def read_settings(settings: str) -> dict[str, Any] | None:
    """Return the settings that JSON says, or None where it was broken."""
    try:
        found = json.loads(settings)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def make_checksum(settings: str, own: str) -> str:
    """Return eight hex digits for settings and own markup."""
    return sha256(f"{settings}\n{own}".encode("utf-8", "surrogatepass")).hexdigest()[:8]


def find_markers(source: str) -> Iterator[Marker]:
    """Yield the markers of `source` in order; what stands in tags, <style>, fields or Liquid comments is none.

    Raises: TemplateError, for Liquid or a tag without an end.
    """
    at = Locator(source)
    masked: list[str] = []
    position = 0
    for start, end, _ in read_liquid(source, at):
        masked += source[position:start], SLOT_OPEN * (end - start)
        position = end
    masked.append(source[position:])
    try:
        for piece in read_pieces("".join(masked)):
            if piece.kind is Kind.COMMENT and piece.text.startswith("<!-- ") and piece.text.endswith("-->"):
                found = _MARKER.fullmatch(piece.text[5:-3].rstrip())
                if found is not None:
                    yield _read_marker(found, piece.start, piece.end)
    except Unclosed as unclosed:
        raise at.error(f"{unclosed.name} has no end.", unclosed.position) from unclosed


def _read_marker(found: re.Match[str], start: int, end: int) -> Marker:
    if found["list"]:
        return Marker(start, end, LIST, found["list"].startswith("/"))
    if found["end"]:
        return Marker(start, end, found["end"], is_end=True)
    return Marker(start, end, found["start"], is_end=False, rest=found["rest"])


def holds_marker(markup: str) -> bool:
    """Return whether anything in `markup` could be read as a marker."""
    return _LOOKS_LIKE_ONE.search(markup) is not None
