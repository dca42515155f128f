"""Bodies: a part's body as bytes and as text, edited without changing the rest.

Each body has `text`, the decoded bytes, and `splice`, which turns edits of the text into the least change of the
raw bytes. What cannot be read exactly is refused, and the message then goes on unchanged.
"""

from __future__ import annotations

import re
from array import array
from base64 import b64encode
from binascii import Error as BinasciiError
from binascii import a2b_base64
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .slot import Edit

LONGEST_LINE = 998  # RFC 5322, 2.1.1, without the line's end
LONGEST_ENCODED_LINE = 76  # RFC 2045, 6.7 and 6.8


class BodyRefused(Exception):
    """A body that cannot be edited exactly; the message says why, and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Splice:
    """Replaces start:end of the message by `new`."""

    start: int
    end: int
    new: bytes


class Body(Protocol):
    @property
    def text(self) -> bytes: ...

    @property
    def size(self) -> int:
        """How many bytes it takes in memory."""
        ...

    def splice(self, slots: Sequence[Sequence[Edit]]) -> list[Splice]:
        """Return the changes of the message that make these edits. slots: the edits of each slot, in order."""
        ...


def open_body(raw: bytes, start: int, end: int, encoding: str) -> Body:
    """Return the body at start:end of the message. Raises BodyRefused."""
    match encoding:
        case "7bit" | "8bit" | "binary" | "":
            return PlainBody(raw, start, end)
        case "quoted-printable":
            return QuotedBody(raw, start, end)
        case "base64":
            return Base64Body(raw, start, end)
    raise BodyRefused("a transfer encoding that is not known")


def get_line_end(raw: bytes, start: int, end: int) -> bytes:
    """Return the line end of the first line of raw[start:end]."""
    at = raw.find(b"\n", start, end)
    return b"\n" if at >= 0 and (at == 0 or raw[at - 1] != 13) else b"\r\n"


class PlainBody:
    """A body without a transfer encoding."""

    def __init__(self, raw: bytes, start: int, end: int) -> None:
        self.text = raw[start:end]
        self.size = len(self.text)
        self._start = start
        self._line_end = get_line_end(raw, start, end)

    def splice(self, slots: Sequence[Sequence[Edit]]) -> list[Splice]:
        """Break lines that would be too long for mail, where the edit allows it."""
        splices: list[Splice] = []
        at = line = 0
        line_end = -1
        for edit in (edit for edits in slots for edit in edits):
            line = self.text.rfind(b"\n", at, edit.start) + 1 or line
            if line_end < edit.end:
                line_end = self.text.find(b"\n", edit.end)
                line_end = line_end if line_end >= 0 else len(self.text)
            new, others = edit.new, edit.start - line + line_end - edit.end
            if edit.filler and others + len(new) > LONGEST_LINE - 2 * len(new):
                new += self._line_end
            splices.append(Splice(self._start + edit.start, self._start + edit.end, new))
            at = edit.start
        return splices


class QuotedBody:
    """Quoted-printable, with the position of each decoded byte in the message. Source: RFC 2045, 6.7."""

    _TOKEN = re.compile(rb"=([0-9A-Fa-f]{2})|=[ \t]*\r?\n|[^=]+|(=)")

    def __init__(self, raw: bytes, start: int, end: int) -> None:
        text = bytearray()
        # Of each run of literal bytes, and of each encoded byte: position in the text, position in the message.
        self._starts, self._places = array("I"), array("I")
        for token in self._TOKEN.finditer(raw, start, end):
            if token[2]:
                if token.end() == end:  # a soft break whose line end went to the boundary
                    continue
                raise BodyRefused("quoted-printable with an equals sign that means nothing")
            if token[1] or raw[token.start()] != ord("="):
                self._starts.append(len(text))
                self._places.append(token.start())
                text += bytes((int(token[1], 16),)) if token[1] else token[0]
        self.text = bytes(text)
        self.size = len(self.text) + len(self._starts) * 2 * self._starts.itemsize
        self._raw, self._end = raw, end
        self._line_end = get_line_end(raw, start, end)

    def splice(self, slots: Sequence[Sequence[Edit]]) -> list[Splice]:
        splices: list[Splice] = []
        column = written_to = 0
        for edit in (edit for edits in slots for edit in edits):
            start, last = self._find(edit.start), self._find(edit.end - 1)
            end = last + (3 if self._raw[last] == ord("=") else 1)
            line = self._raw.rfind(b"\n", written_to, start) + 1
            column = start - line if line else column + start - written_to
            new, column = self._write(edit.new, column, end)
            splices.append(Splice(start, end, new))
            written_to = end
        return splices

    def _find(self, byte: int) -> int:
        """Return the position in the message of this byte of the text."""
        run = bisect_right(self._starts, byte) - 1
        return self._places[run] + byte - self._starts[run]

    def _write(self, new: bytes, column: int, end: int) -> tuple[bytes, int]:
        """Return the bytes quoted, and the column after them; no line exceeds the limit."""
        written = bytearray()
        for byte in new:
            token = bytes((byte,)) if 32 <= byte < 127 and byte != ord("=") else b"=%02X" % byte
            if column + len(token) >= LONGEST_ENCODED_LINE:  # leaves room for the "=" of a soft break
                written += b"=" + self._line_end
                column = 0
            written += token
            column += len(token)
        rest = len(self._raw[end : min(end + LONGEST_LINE, self._end)].partition(b"\n")[0].rstrip(b"\r"))
        if rest and column + rest > LONGEST_ENCODED_LINE:
            written += b"=" + self._line_end
            column = 0
        return bytes(written), column


class Base64Body:
    """Base64 in lines. Only the lines of a slot change: fillers pad it to whole groups, so the rest stays the same."""

    def __init__(self, raw: bytes, start: int, end: int) -> None:
        self._line_end = get_line_end(raw, start, end)
        # Of each line: the number of characters before it, and its start.
        self._counts, self._starts = array("I"), array("I")
        self._longest = 0
        at, packed = start, bytearray()
        while at < end:
            line_end = raw.find(b"\n", at, end)
            line_end = line_end if line_end >= 0 else end
            if line := raw[at:line_end].rstrip(b" \t\r"):
                self._counts.append(len(packed))
                self._starts.append(at)
                packed += line
                self._longest = max(self._longest, len(line))
            at = line_end + 1
        self._count = len(packed)
        try:
            self.text = a2b_base64(packed, strict_mode=True) if packed else b""
        except BinasciiError as error:
            raise BodyRefused("base64 that cannot be read exactly") from error
        if len(packed) % 4:
            raise BodyRefused("base64 that ends too early")
        self.size = len(self.text) + len(self._starts) * 2 * self._starts.itemsize

    def splice(self, slots: Sequence[Sequence[Edit]]) -> list[Splice]:
        regions: list[list[Edit]] = []
        for edits in slots:
            if regions and edits[0].start // 3 <= (regions[-1][-1].end - 1) // 3:
                regions[-1] += edits
            else:
                regions.append(list(edits))
        return [self._splice(edits) for edits in regions]

    def _splice(self, edits: Sequence[Edit]) -> Splice:
        """Return the groups of four from the first edit to the last, encoded again."""
        first, last = edits[0].start // 3, (edits[-1].end - 1) // 3
        from_byte, to_byte = first * 3, min((last + 1) * 3, len(self.text))
        packed = b64encode(self._compose(edits, from_byte, to_byte))
        start, column = self._find(first * 4)
        end = self._find(last * 4 + 3)[0] + 1
        return Splice(start, end, self._wrap(packed, column, self._count_behind(last * 4 + 3)))

    def _compose(self, edits: Sequence[Edit], start: int, end: int) -> bytes:
        """Return the edited text of start:end, padded to whole lines, or at least to whole groups."""
        change = sum(len(edit.new) - (edit.end - edit.start) for edit in edits)
        filler = next(edit.filler for edit in edits if edit.filler)
        turns = self._count_fillers(change, len(filler))
        composed, at = bytearray(), start
        for edit in edits:
            composed += self.text[at : edit.start] + edit.new
            if edit.filler:
                composed += edit.filler * turns
                turns = 0
            at = edit.end
        return bytes(composed + self.text[at:end])

    def _count_fillers(self, change: int, size: int) -> int:
        line = self._longest // 4 * 3 if self._longest % 4 == 0 and self._longest <= LONGEST_LINE else 3
        for step in (line, 3):
            for turns in range(step):
                if (change + turns * size) % step == 0:
                    return turns
        raise BodyRefused("base64 whose groups cannot be kept in step")

    def _find(self, character: int) -> tuple[int, int]:
        """Return the position in the message of this base64 character, and its column."""
        line = bisect_right(self._counts, character) - 1
        column = character - self._counts[line]
        return self._starts[line] + column, column

    def _count_behind(self, character: int) -> int:
        """Return how many characters follow this one in its line."""
        following = bisect_right(self._counts, character)
        return (self._counts[following] if following < len(self._counts) else self._count) - character - 1

    def _wrap(self, packed: bytes, column: int, tail: int) -> bytes:
        """Return the characters in lines as long as the others, the first starting at `column`.

        tail: how many characters of the last line follow them.
        """
        width = max(self._longest, LONGEST_ENCODED_LINE) if len(self._counts) == 1 else self._longest
        lines = [packed[: width - column]]
        lines += [packed[at : at + width] for at in range(width - column, len(packed), width)]
        here = len(lines[-1]) + (column if len(lines) == 1 else 0)
        if tail and width < here + tail:
            lines.append(b"")
        return self._line_end.join(lines)
