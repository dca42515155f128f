"""CSV import: reads rows of cells from an uploaded file, whatever program wrote it, never the whole file at once."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from charset_normalizer import from_bytes

MAX_LINES = 1_000_000
MAX_LINE = 1_000_000  # characters
MAX_CELLS = 1_000  # of a row
_BLOCK = 1 << 20
_SAMPLE = 1 << 16  # bytes and characters from which encoding and separator are guessed
_SAMPLE_ROWS = 20
LEGACY = "cp1252"  # what spreadsheets of Western Windows write where nobody asks for UTF-8
ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16, little endian",
    "utf-16-be": "UTF-16, big endian",
    LEGACY: "Windows-1252, Western",
    "cp1250": "Windows-1250, Central European",
    "cp1251": "Windows-1251, Cyrillic",
    "cp1253": "Windows-1253, Greek",
    "cp1254": "Windows-1254, Turkish",
    "cp1255": "Windows-1255, Hebrew",
    "cp1256": "Windows-1256, Arabic",
    "cp1257": "Windows-1257, Baltic",
    "mac_roman": "Mac Roman",
    "cp850": "DOS, Western",
    "cp932": "Shift JIS, Japanese",
    "gb18030": "GB 18030, Chinese",
    "big5": "Big5, Chinese",
    "cp949": "Korean",
}
"""Codec -> its name for people: what a file can be read as."""

SEPARATORS = {",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Vertical bar"}
_UNICODE = ("utf-8", "utf-16", "utf-16-le", "utf-16-be")
_WORKBOOKS = {
    b"PK\x03\x04": "an Excel or OpenDocument workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
}
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
class Format:
    """How a file is written. separator: between the cells of a row."""

    encoding: str
    separator: str


@dataclass(frozen=True, slots=True)
class Table:
    """A file's rows that hold anything. is_unicode: where it is not, letters outside ASCII are a guess."""

    format: Format
    rows: Iterator[Row]

    @property
    def is_unicode(self) -> bool:
        return self.format.encoding in _UNICODE


def read_table(file: BinaryIO, *, encoding: str = "", separator: str = "") -> Table:
    """Return the file's contents from its beginning; rows are read lazily.

    encoding, separator: '' has them guessed: UTF-8 and UTF-16 with and without byte order marks (two of them, too),
    else Windows-1252; commas, semicolons, tabs and bars. Excel's line `sep=;` and any line ends are understood.
    Raises: CsvRefused, here for a workbook and while rows are read, naming the line.
    """
    _refuse_workbook(file)
    encoding = encoding or _find_encoding(file)
    separator = separator or _find_separator(file, encoding)
    return Table(Format(encoding, separator), _read_rows(file, encoding, separator))


def guess_format(file: BinaryIO) -> Format:
    """Return how the file is probably written, for somebody who sees it and may change it. Raises: CsvRefused."""
    _refuse_workbook(file)
    encoding = _find_encoding(file)
    if encoding == LEGACY:
        encoding = _guess_legacy(file)
    return Format(encoding, _find_separator(file, encoding))


def _refuse_workbook(file: BinaryIO) -> None:
    file.seek(0)
    head = file.read(8)
    for start, kind in _WORKBOOKS.items():
        if head.startswith(start):
            raise CsvRefused(
                f"This is {kind}. Open it in your spreadsheet program, save it as “CSV UTF-8” and choose that file."
            )


def _guess_legacy(file: BinaryIO) -> str:
    """Return which of the older encodings fits the letters; the Western one where the text is the same in it."""
    file.seek(0)
    sample = file.read(_SAMPLE)
    letters = b"\n".join(line for line in sample.splitlines() if not line.isascii())
    guess = from_bytes(letters or sample).best()
    encoding = guess.encoding if guess is not None else LEGACY
    if encoding not in ENCODINGS or encoding in _UNICODE:
        return LEGACY
    same = sample.decode(LEGACY, "replace") == sample.decode(encoding, "replace")
    return LEGACY if same else encoding


def _read_rows(file: BinaryIO, encoding: str, separator: str) -> Iterator[Row]:
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
    try:
        yield from _split(_Lines(text), separator)
    finally:
        text.detach()  # the file stays open, and is the caller's


def _split(lines: _Lines, separator: str) -> Iterator[Row]:
    if _DIRECTIVE.fullmatch(lines.peek()):
        next(lines)
    rows = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    try:
        for row in rows:
            if len(row) > MAX_CELLS:
                raise CsvRefused(f"Line {lines.number:,} has more than {MAX_CELLS:,} cells.")
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield Row(lines.number, cells)
    except csv.Error as error:
        raise CsvRefused(
            f"Line {lines.number:,} cannot be read as CSV: {error}. "
            "A quote before it may be opened and never closed."
        ) from error


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
            self._next = line if line.strip(" \r\n" + "".join(SEPARATORS)) else ""
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


def _find_separator(file: BinaryIO, encoding: str) -> str:
    """Return the separator that Excel's line names, else the one that makes the most columns of equal rows."""
    file.seek(0)
    text = io.StringIO(file.read(_SAMPLE).decode(encoding, "replace").replace("\0", ""), newline="")
    lines = [line for line in text if line.strip("\ufeff \r\n" + "".join(SEPARATORS))]
    if not lines:
        return ","
    if directive := _DIRECTIVE.fullmatch(lines[0].lstrip("\ufeff")):
        return directive["separator"]
    return max(SEPARATORS, key=lambda separator: _count_columns(lines, separator))


def _count_columns(lines: list[str], separator: str) -> float:
    """Return how many columns the first row has beyond one, times the share of rows that are as wide."""
    rows = csv.reader(iter(lines), delimiter=separator, skipinitialspace=True)
    try:
        widths = [len(row) for row in islice(rows, _SAMPLE_ROWS)]
    except csv.Error:
        return 0
    return (widths[0] - 1) * widths.count(widths[0]) / len(widths)


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
        return LEGACY
    return "utf-8"
