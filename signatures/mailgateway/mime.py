"""MIME structure: where each part's header and body are in the raw bytes; nothing is changed.

Stricter than mail programs are: a message that two of them could read differently is not searched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message

MOST_LEVELS = 20
MOST_PARTS = 1_000  # those that hold others included
MOST_BOUNDARIES = 10_000  # lines of one multipart that begin like its boundary
LARGEST_HEADER = 262_144  # bytes of one block; mail servers bound it at 100 KB and less
LONGEST_VALUE = 4_096  # of a field with parameters, which the standard library reads in quadratic time

_HEADER_END = re.compile(rb"\r?\n\r?\n")
_FIELD_END = re.compile(rb"\r?\n(?![ \t])")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)


class LeftAlone(Exception):
    """A message is passed on unchanged; the text says why, and quotes nothing of it."""


class Header:
    """The fields of one header block, by lower-case name, unchanged."""

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
        """Return the field's value on one line, '' where there is none. Raises LeftAlone where there are two."""
        values = self._fields.get(name, [])
        if len(values) > 1:
            raise LeftAlone(f"two {name} fields")
        return re.sub(r"\r?\n", "", values[0].decode("latin-1")).strip() if values else ""

    def get_addresses(self, name: str) -> list[str]:
        return read_addresses(self.get(name).encode("latin-1").decode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class Part:
    """A part without parts of its own. body_start:end is its body, without the line end before a boundary."""

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
    if match.start() - start > LARGEST_HEADER:
        raise LeftAlone("a header that is too long")
    return Header(raw[start : match.start()]), match.end()


def walk_parts(raw: bytes, start: int, end: int) -> Iterator[Part]:
    """Yield the parts without parts of their own, in order. A message inside the message is one part.

    Raises LeftAlone for ambiguous structures and for signed or encrypted parts.
    """
    return _walk(raw, start, end, level=0, numbers=iter(range(MOST_PARTS)))


def _walk(raw: bytes, start: int, end: int, *, level: int, numbers: Iterator[int]) -> Iterator[Part]:
    """As walk_parts. numbers: counts the parts of the message; each takes the next one."""
    if next(numbers, None) is None:
        raise LeftAlone("too many parts")
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
        yield from _walk(raw, part_start, part_end, level=level + 1, numbers=numbers)


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
    if len(value) > LONGEST_VALUE:
        raise LeftAlone(f"a {name} field that is too long")
    message = Message()
    if value:
        message[name] = value
    return message


def _split(raw: bytes, start: int, end: int, delimiter: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each part begins and ends. Text before the first delimiter and after the closing one is no part."""
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
    at, looked_at = start - 1, 0  # a delimiter follows a line end
    while (found := raw.find(b"\n" + delimiter, at, end)) >= 0:
        looked_at += 1
        if looked_at > MOST_BOUNDARIES:
            raise LeftAlone("too many boundaries")
        line_start, at = found + 1, found + 1 + len(delimiter)
        newline = raw.find(b"\n", at, end)
        rest = raw[at : newline if newline >= 0 else end].rstrip(b" \t\r")
        if rest in (b"", b"--"):
            at = newline if newline >= 0 else end
            yield line_start, min(at + 1, end), rest == b"--"


def _before_line_end(raw: bytes, at: int) -> int:
    at -= 1
    return at - 1 if raw[at - 1] == ord("\r") else at


# RFC 5322, 3.4, by our own patterns: what the standard library takes for an address differs between its versions.
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_OUTSIDE_COMMENTS = re.compile(rf'{_QUOTED}|\(|[^"(]++', re.DOTALL)
_IN_COMMENT = re.compile(r"\\.|[()]|[^\\()]++", re.DOTALL)
_MAILBOX_PIECE = re.compile(rf'{_QUOTED}|<(?:{_QUOTED}|[^<>"])*+>|[,;:]|[^"<,;:]++', re.DOTALL)
_ADDRESS = re.compile(rf'(?:{_QUOTED}|[^\s"@<>()]+)@[^\s"@<>()]+', re.DOTALL)


def read_addresses(text: str) -> list[str]:
    """Return the addresses of a From field in lower case; none where quotes, brackets or comments do not end.

    Names and comments that look like addresses are not returned.
    """
    bare = _drop_comments(text)
    if bare is None:
        return []
    mailboxes: list[tuple[list[str], list[str]]] = [([], [])]  # words, and text in angle brackets
    at = 0
    while at < len(bare):
        match = _MAILBOX_PIECE.match(bare, at)
        if match is None:
            return []
        piece, at = match[0], match.end()
        words, bracketed = mailboxes[-1]
        if piece == ":":  # the text before it was a group's name
            words.clear()
        elif piece in ",;":
            mailboxes.append(([], []))
        elif piece.startswith("<"):
            bracketed.append(piece[1:-1])
        else:
            words.append(piece)
    found = [inside if inside else ["".join(words)] for words, inside in mailboxes]
    addresses = [one[0].strip().lower() for one in found if len(one) == 1]
    return [address for address in addresses if _ADDRESS.fullmatch(address)]


def _drop_comments(text: str) -> str | None:
    """Return the text without comments, which may be nested; None where quotes or comments do not end."""
    kept, depth, at = [], 0, 0
    while at < len(text):
        match = (_IN_COMMENT if depth else _OUTSIDE_COMMENTS).match(text, at)
        if match is None:
            return None
        piece, at = match[0], match.end()
        if piece == "(":
            depth += 1
        elif depth and piece == ")":
            depth -= 1
        elif not depth:
            kept.append(piece)
    return "".join(kept) if not depth else None
