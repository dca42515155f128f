"""CSV import: reads rows of cells from an uploaded file, whatever program wrote it, never the whole file at once."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAX_LINES = 1_000_000
MAX_LINE = 1_000_000  # characters
MAX_CELLS = 1_000  # of a row
_BLOCK = 1 << 20
_LEGACY = "cp1252"  # what spreadsheets of Western Windows write where nobody asks for UTF-8
_SEPARATORS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*+"')
_DIRECTIVE = re.compile(r'"?sep=(?P<separator>[^\r\n"])"?\s*', re.IGNORECASE)


class CsvRefused(Exception):
    """A file cannot be read as CSV; the message says why and what to do, to a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row, without blanks around them, and the line of the file on which it ends."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A file's rows that hold anything. is_unicode: where it is not, letters outside ASCII are a guess."""

    is_unicode: bool
    rows: Iterator[Row]


def read_table(file: BinaryIO) -> Table:
    """Return the file's contents from its beginning; rows are read lazily.

    Reads UTF-8 and UTF-16 with and without byte order marks (two of them, too), Windows-1252 for
    everything else, commas, semicolons, tabs and bars, Excel's line `sep=;`, and any line ends.
    Raises: CsvRefused, while rows are read, naming the line.
    """
    encoding = _find_encoding(file)
    return Table(is_unicode=encoding != _LEGACY, rows=_read_rows(file, encoding))


def _read_rows(file: BinaryIO, encoding: str) -> Iterator[Row]:
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
    try:
        yield from _split(_Lines(text))
    finally:
        text.detach()  # the file stays open, and is the caller's


def _split(lines: _Lines) -> Iterator[Row]:
    first = lines.peek()
    if directive := _DIRECTIVE.fullmatch(first):
        next(lines)
        separator = directive["separator"]
    else:
        separator = _find_separator(first)
    rows = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    try:
        for row in rows:
            if len(row) > MAX_CELLS:
                raise CsvRefused(f"Line {lines.number:,} has more than {MAX_CELLS:,} cells.")
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield Row(lines.number, cells)
    except csv.Error as error:
        raise CsvRefused(f"Line {lines.number:,} cannot be read as CSV: {error}.") from error


class _Lines(Iterator[str]):
    """The lines of a text, bounded in length and number; empty ones are passed over outside of quotes."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._next = ""
        self.number = 0

    def peek(self) -> str:
        """Return the first line that holds anything, without taking it; '' at the end."""
        while not self._next:
            line = self._read()
            if not line:
                return ""
            self._next = line if line.strip(" \r\n" + _SEPARATORS) else ""
        return self._next

    def __next__(self) -> str:
        line, self._next = self._next or self._read(), ""
        if not line:
            raise StopIteration
        return line

    def _read(self) -> str:
        line = self._text.readline(MAX_LINE + 1)
        if not line:
            return ""
        self.number += 1
        if self.number > MAX_LINES:
            raise CsvRefused(f"The file has more than {MAX_LINES:,} lines. Split it.")
        if len(line) > MAX_LINE:
            raise CsvRefused(f"Line {self.number:,} is longer than {MAX_LINE:,} characters.")
        if self.number == 1:
            line = line.lstrip("\ufeff") or "\n"
        return line.replace("\0", "") or "\n"


def _find_separator(line: str) -> str:
    """Return the separator of the first line: the one that occurs most often outside of quotes."""
    bare = _QUOTED.sub("", line)
    return max(_SEPARATORS, key=bare.count)


def _find_encoding(file: BinaryIO) -> str:
    """Return the encoding by its mark, by the NULs of UTF-16, or by whether the whole file is UTF-8."""
    file.seek(0)
    head = file.read(512)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    half = max(1, len(head) // 2)
    if head[1::2].count(0) * 2 > half:
        return "utf-16-le"
    if head[0::2].count(0) * 2 > half:
        return "utf-16-be"
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        while block := file.read(_BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _LEGACY
    return "utf-8"
