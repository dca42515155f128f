"""A CSV file of mail domains and addresses, read line by line: no database, and never the whole file at once."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAX_FILE_BYTES = 25_000_000
MAX_ENTRIES = 250_000
MAX_REPORTED = 20
_HEADERS = frozenset(
    {"email", "e-mail", "email address", "e-mail address", "mail", "address", "domain", "email domain",
     "company domain", "website"}
)  # fmt: skip
_DOMAIN = re.compile(r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_LOCAL = re.compile(r"[^\s@,;<>()\"]{1,64}")


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is neither a domain nor an address."""

    number: int
    reason: str


class FileRefused(Exception):
    """A file cannot be used; the message says why, to a person, and `bad_lines` which lines (the first ones)."""

    def __init__(self, message: str, bad_lines: tuple[BadLine, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.bad_lines = bad_lines


@dataclass(frozen=True, slots=True)
class Entry:
    """One domain or one address, in lower case, and the line it stands on."""

    line: int
    value: str

    @property
    def is_address(self) -> bool:
        return "@" in self.value


def check_file(file: BinaryIO) -> int:
    """Return how many entries the file has. Raises: FileRefused, naming the first lines that cannot be read."""
    bad: list[BadLine] = []
    count = bad_count = 0
    for found in read_entries(file):
        if isinstance(found, Entry):
            count += 1
        else:
            bad_count += 1
            if len(bad) < MAX_REPORTED:
                bad.append(found)
        if count > MAX_ENTRIES:
            raise FileRefused(f"A list holds at most {MAX_ENTRIES:,} entries. Split the file.")
    if bad:
        lines = "line is" if bad_count == 1 else "lines are"
        raise FileRefused(
            f"Nothing was taken in: {bad_count:,} {lines} neither a mail domain nor an address.", tuple(bad)
        )
    if not count:
        raise FileRefused("The file has no mail domain and no address in it.")
    return count


def read_entries(file: BinaryIO) -> Iterator[Entry | BadLine]:
    """Yield what each line says, from the file's beginning; blank lines are passed over.

    The column is the one whose heading says e-mail or domain; without a heading, the first one that
    holds either in the first line. Raises: FileRefused for what is no such file at all.
    """
    file.seek(0)
    # What is no UTF-8 spoils names and notes beside the addresses, not the addresses.
    text = io.TextIOWrapper(file, encoding=_find_encoding(file), errors="replace", newline="")
    try:
        yield from _read_rows(text)
    finally:
        text.detach()  # the file stays open, and is the caller's


def _read_rows(text: io.TextIOWrapper) -> Iterator[Entry | BadLine]:
    first_line = text.readline(100_000)
    while first_line and not first_line.strip(" \t\r\n,;"):
        first_line = text.readline(100_000)
    if not first_line:
        return
    text.seek(0)
    rows = csv.reader(_without_nul(text), delimiter=_find_separator(first_line), skipinitialspace=True)
    column: int | None = None
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if column is None:
                column, is_heading = _find_column(cells)
                if is_heading:
                    continue
            yield _read_cell(rows.line_num, cells[column] if column < len(cells) else "")
    except csv.Error as error:
        raise FileRefused(f"Line {rows.line_num} cannot be read as CSV: {error}.") from error


def _find_encoding(file: BinaryIO) -> str:
    head = file.read(4)
    file.seek(0)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8-sig"


def _find_separator(line: str) -> str:
    """Return what parts the cells of the first line: the one of comma, semicolon and tab it has most of."""
    return max(",;\t", key=line.count)


def _find_column(cells: list[str]) -> tuple[int, bool]:
    """Return which column holds the entries, and whether this line is a heading."""
    values = [index for index, cell in enumerate(cells) if _clean(cell)]
    if values:
        return values[0], False
    named = [index for index, cell in enumerate(cells) if cell.casefold() in _HEADERS]
    if named:
        return named[0], True
    raise FileRefused(
        "The first line has neither a heading such as “email” or “domain”, nor a domain or an address. "
        "Name the column, or leave only that column in the file."
    )


def _read_cell(line: int, cell: str) -> Entry | BadLine:
    value = _clean(cell)
    if value:
        return Entry(line, value)
    shown = "is empty" if not cell else "is neither a mail domain nor an address"
    return BadLine(line, f"Line {line} {shown}.")


def _clean(cell: str) -> str:
    """Return the domain or address in lower case, or '' for neither. “@acme.com” is a domain."""
    value = cell.strip().lower().removeprefix("mailto:").removeprefix("@")
    local, at, domain = value.rpartition("@")
    if at and not _LOCAL.fullmatch(local):
        return ""
    try:
        host = domain.encode("idna").decode("ascii") if not domain.isascii() else domain
    except UnicodeError:
        return ""
    return f"{local}{at}{host}" if _DOMAIN.fullmatch(host) else ""


def _without_nul(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield line.replace("\0", "")
