"""List files: reads mail domains and addresses from a CSV file, line by line and without database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import BinaryIO

from portal.csv_import import CsvRefused, Row, read_table
from portal.hostnames import remove_invisible

from .mail_addresses import is_address, normalise, normalise_domain

MAX_FILE_BYTES = 25_000_000
MAX_ENTRIES = 250_000
MAX_INTERNATIONAL = 20_000  # entries whose domain has letters outside ASCII, each of which costs some 0.2 ms
MAX_BAD_LINES = 10_000
MAX_REPORTED = 20
MAX_CELL = 1_000  # characters; longer ones are nobody's address
SAMPLE_ROWS = 200  # from which the column is recognised
# A heading is recognised by its words, whatever is between them: “Primary Email”, “Contact.Email”, “e-mail”.
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+|[^\W\d_A-Za-z]+")
_ADDRESS_WORDS = frozenset({"email", "mail", "emails", "emailaddress", "correo", "courriel"})
_DOMAIN_WORDS = frozenset(
    {"domain", "domains", "website", "websites", "url", "homepage", "web", "address", "adresse"}
)
_OTHER_WORDS = frozenset(
    {"account", "adress", "business", "city", "company", "contact", "country", "customer", "e", "first", "full", "id",
     "last", "lead", "lists", "mailing", "main", "name", "names", "organisation", "organization", "owner", "partner",
     "person", "phone", "primary", "private", "prospect", "recipient", "recipients", "secondary", "site", "state",
     "the", "title", "type", "user", "work"}
)  # fmt: skip
_PLAIN_HEADINGS = frozenset({"email", "e mail", "mail", "email address", "e mail address"})
_IN_BRACKETS = re.compile(r"[^<>]*<([^<>]+)>")
_SCHEMES = ("mailto:", "smtp:")
_URL = re.compile(r"(?:https?:)?//(?:[^/?#@]*+@)?(?P<host>[^/?#@:]+)(?::[0-9]*)?(?:[/?#].*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is neither a domain nor an address."""

    number: int
    reason: str


class FileRefused(Exception):
    """A file is not valid; the message says why, to a person, and `bad_lines` names the first lines."""

    def __init__(self, message: str, bad_lines: tuple[BadLine, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.bad_lines = bad_lines


@dataclass(frozen=True, slots=True)
class Entry:
    """One domain or one address, in lower case, and its line number."""

    line: int
    value: str

    @property
    def is_address(self) -> bool:
        return "@" in self.value


def check_file(file: BinaryIO) -> int:
    """Return how many entries the file has. Raises: FileRefused, naming the first invalid lines."""
    bad: list[BadLine] = []
    count = bad_count = international = 0
    for found in read_entries(file):
        if isinstance(found, Entry):
            count += 1
            international += "xn--" in found.value
        else:
            bad_count += 1
            if len(bad) < MAX_REPORTED:
                bad.append(found)
        if count > MAX_ENTRIES:
            raise FileRefused(f"A list holds at most {MAX_ENTRIES:,} entries. Split the file.")
        if international > MAX_INTERNATIONAL:
            raise FileRefused(
                f"A list holds at most {MAX_INTERNATIONAL:,} domains with letters outside ASCII. Split the file."
            )
        if bad_count >= MAX_BAD_LINES:
            raise FileRefused(
                f"Nothing was imported: more than {MAX_BAD_LINES:,} lines are neither a mail domain nor an address.",
                tuple(bad),
            )
    if bad:
        lines = "line is" if bad_count == 1 else "lines are"
        raise FileRefused(
            f"Nothing was imported: {bad_count:,} {lines} neither a mail domain nor an address.", tuple(bad)
        )
    if not count:
        raise FileRefused("The file contains no mail domain and no address.")
    return count


def read_entries(file: BinaryIO) -> Iterator[Entry | BadLine]:
    """Yield each row's entry, from the file's beginning; blank rows are skipped.

    The column is the one that holds addresses, else the one that holds domains. Raises: FileRefused for what is no
    such file at all, or leaves open which column is meant.
    """
    table = read_table(file)
    try:
        sample = list(islice(table.rows, SAMPLE_ROWS))
        if not sample:
            return
        column, has_heading = _find_column(sample)
        for row in chain(sample[has_heading:], table.rows):
            yield _read_cell(row, column, is_unicode=table.is_unicode)
    except CsvRefused as error:
        raise FileRefused(error.message) from error


def _find_column(sample: list[Row]) -> tuple[int, bool]:
    """Return which column holds the entries, and whether the first row is a heading."""
    first, rest = sample[0].cells, sample[1:]
    is_heading = _is_heading(first, rest)
    rows = rest if is_heading else sample
    width = max(len(row.cells) for row in sample)
    texts = [[row.cells[index] for row in rows if index < len(row.cells)] for index in range(width)]
    headings = [first[index] if is_heading and index < len(first) else "" for index in range(width)]
    holders = [index for index in range(width) if any(is_address(_strip(cell)) for cell in texts[index])]
    if len(holders) > 1:
        plain = [index for index in holders if " ".join(_words(headings[index])) in _PLAIN_HEADINGS]
        if len(plain) != 1:
            names = ", ".join(f"“{headings[index] or f'column {index + 1}'}”"[:80] for index in holders[:5])
            raise FileRefused(
                f"{len(holders)} columns contain addresses: {names}. Remove all but one, "
                "or name the right one “Email”."
            )
        return plain[0], is_heading
    if holders:
        return holders[0], is_heading
    named = [index for index, text in enumerate(headings) if _names_entries(text)]
    filled = [index for index in range(width) if any(_clean(cell) for cell in texts[index])]
    for index in (*(index for index in named if index in filled), *filled, *named):
        return index, is_heading
    raise FileRefused(
        "The first line has neither a heading such as “email” or “domain”, nor a domain or an address. "
        "Name the column, or leave only that column in the file."
    )


def _is_heading(first: list[str], rest: list[Row]) -> bool:
    """Return whether the first row is a heading. Raises: FileRefused where it may be an entry."""
    if any("@" in cell for cell in first):
        return False
    is_named = any(_names_entries(cell) for cell in first)
    dotted = [index for index, cell in enumerate(first) if _clean(cell)]
    for index in dotted:
        below = [row.cells[index] for row in rest if index < len(row.cells) and row.cells[index]]
        is_above_addresses = bool(below) and all("@" in cell for cell in below)
        is_capital = first[index] != first[index].lower()
        if (is_capital and not is_named and is_above_addresses) or (
            _names_entries(first[index]) and not is_capital and not is_above_addresses
        ):
            raise FileRefused(
                f"“{first[index][:80]}” in the first line may be a heading or a domain. "
                "Add a heading above it, such as “email”."
            )
    return is_named or (not dotted and _holds_entries(rest))


def _holds_entries(rows: list[Row]) -> bool:
    return any(is_address(_strip(cell)) for row in rows for cell in row.cells)


def _names_entries(cell: str) -> bool:
    """Return whether a cell consists of words used in headings of addresses or domains."""
    words = _words(cell)
    known = _ADDRESS_WORDS | _DOMAIN_WORDS
    return any(word in known for word in words) and all(word in known | _OTHER_WORDS for word in words)


def _words(cell: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(cell)] if len(cell) <= 80 else []


def _read_cell(row: Row, column: int, *, is_unicode: bool) -> Entry | BadLine:
    cell = row.cells[column] if column < len(row.cells) else ""
    value = _clean(cell)
    if value and not (is_unicode or cell.isascii()):
        return BadLine(
            row.line,
            f"Line {row.line} has letters that can be read in several ways. Save the file as “CSV UTF-8”.",
        )
    if value:
        return Entry(row.line, value)
    shown = "is empty" if not cell else "is neither a mail domain nor an address"
    return BadLine(row.line, f"Line {row.line} {shown}.")


def _clean(cell: str) -> str:
    """Return the domain or address in normalized form, or '' for neither.

    “@acme.com” is a domain, and so is the host of a web address, without its “www.”.
    """
    text = _strip(cell)
    if len(text) > MAX_CELL:
        return ""
    if is_address(text):
        value = normalise(text)
        return value if normalise_domain(value.rpartition("@")[2]) else ""
    found = _URL.fullmatch(text)
    domain = normalise_domain(found["host"] if found else text.removeprefix("@").rstrip("/"))
    return normalise_domain(domain.removeprefix("www.")) or domain


def _strip(cell: str) -> str:
    """Return a cell's text without display name, URL scheme and invisible characters."""
    text = remove_invisible(cell[: MAX_CELL + 1])
    if found := _IN_BRACKETS.fullmatch(text):
        text = found[1].strip()
    for scheme in _SCHEMES:
        if text[: len(scheme)].lower() == scheme:
            text = text[len(scheme) :].strip()
    return text
