"""Reads a message's structure from its raw bytes: where each part's header and body stand, and nothing changed.

Stricter than mail programs are. Where two of them could read a message differently, it is not looked into.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.utils import getaddresses

MOST_LEVELS = 20
MOST_PARTS = 1_000

_HEADER_END = re.compile(rb"\r?\n\r?\n")
_FIELD_END = re.compile(rb"\r?\n(?![ \t])")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)


class LeftAlone(Exception):
    """Why a message is passed on as it came; the words quote nothing of it."""


class Header:
    """The fields of one header block, by lower-case name, as they stand."""

    def __init__(self, block: bytes) -> None:
        self._fields: dict[str, list[bytes]] = {}
        if not block:
            return
        for line in _FIELD_END.split(block):
            match = _FIELD.fullmatch(line)
            if match is None or b"\0" in line or b"\r" in line.replace(b"\r\n", b""):
                raise LeftAlone("a header that programs may read differently")
            self._fields.setdefault(match[1].decode("ascii").lower(), []).append(match[2])

    def has(self, *names: str) -> bool:
        return any(name in self._fields for name in names)

    def get(self, name: str) -> str:
        """Return the field's value on one line, '' where there is none. Two of a name are refused."""
        values = self._fields.get(name, [])
        if len(values) > 1:
            raise LeftAlone(f"two {name} fields")
        return re.sub(r"\r?\n", "", values[0].decode("latin-1")).strip() if values else ""

    def get_addresses(self, name: str) -> list[str]:
        return [address.lower() for _, address in getaddresses([self.get(name)]) if address]


@dataclass(frozen=True, slots=True)
class Part:
    """A part that holds no others. body_start:end is its body, without the line end before a boundary."""

    header: Header
    media_type: str
    charset: str
    encoding: str
    is_attachment: bool
    body_start: int
    end: int


def read_header(raw: bytes, start: int, end: int) -> tuple[Header, int]:
    """Return the header at `start`, and where the body begins."""
    if raw.startswith((b"\r\n", b"\n"), start, end):
        return Header(b""), raw.index(b"\n", start, end) + 1
    match = _HEADER_END.search(raw, start, end)
    if match is None:
        raise LeftAlone("a header without an end")
    return Header(raw[start : match.start()]), match.end()


def walk_parts(raw: bytes, start: int, end: int, *, level: int = 0) -> Iterator[Part]:
    """Yield the parts that hold no others, in order. Messages within the message are such parts.

    Raises LeftAlone where the structure, or what is sealed in it, forbids to look further.
    """
    header, body_start = read_header(raw, start, end)
    if header.has("content-md5", "content-length"):
        raise LeftAlone("a length or digest of its own")
    content_type = _parse("Content-Type", header.get("content-type"))
    media_type = content_type.get_content_type()
    if media_type in _SEALED:
        raise LeftAlone("it is signed or encrypted")
    encoding = header.get("content-transfer-encoding").lower()
    if content_type.get_content_maintype() != "multipart":
        disposition = _parse("Content-Disposition", header.get("content-disposition"))
        yield Part(
            header=header,
            media_type=media_type,
            charset=str(content_type.get_content_charset("")),
            encoding=encoding,
            is_attachment=disposition.get_content_disposition() == "attachment",
            body_start=body_start,
            end=end,
        )
        return
    boundary = content_type.get_boundary()
    if not boundary or not boundary.isascii() or encoding not in ("", "7bit", "8bit", "binary"):
        raise LeftAlone("a multipart that cannot be split")
    if level >= MOST_LEVELS:
        raise LeftAlone("too many parts within parts")
    for part_start, part_end in _split(raw, body_start, end, b"--" + boundary.encode("ascii")):
        yield from walk_parts(raw, part_start, part_end, level=level + 1)


_SEALED = {
    "multipart/signed",
    "multipart/encrypted",
    "application/pkcs7-mime",
    "application/x-pkcs7-mime",
    "application/pkcs7-signature",
    "application/x-pkcs7-signature",
    "application/pgp-encrypted",
    "application/pgp-signature",
}


def _parse(name: str, value: str) -> Message:
    """Return a message with this one field, for the standard library to read its parameters."""
    message = Message()
    if value:
        message[name] = value
    return message


def _split(raw: bytes, start: int, end: int, delimiter: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each part begins and ends. What is before the first and after the closing line is none."""
    part_start = None
    for line_start, line_end, is_last in _find_delimiters(raw, start, end, delimiter):
        if part_start is not None:
            yield part_start, max(part_start, _before_line_end(raw, line_start))
        part_start = None if is_last else line_end
        if is_last:
            return
    if part_start is not None and part_start < end:
        yield part_start, end


def _find_delimiters(raw: bytes, start: int, end: int, delimiter: bytes) -> Iterator[tuple[int, int, bool]]:
    """Yield start, end and whether it is the closing one, of every line that is exactly a delimiter."""
    at = start
    while (found := raw.find(delimiter, at, end)) >= 0:
        at = found + len(delimiter)
        if found != start and raw[found - 1] != ord("\n"):
            continue
        newline = raw.find(b"\n", at, end)
        rest = raw[at : newline if newline >= 0 else end].rstrip(b" \t\r")
        if rest in (b"", b"--"):
            at = newline + 1 if newline >= 0 else end
            yield found, at, rest == b"--"


def _before_line_end(raw: bytes, at: int) -> int:
    at -= 1
    return at - 1 if raw[at - 1] == ord("\r") else at
