"""Columns: which merge field each column of a file holds, as its heading or its first values tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from portal.csv_export import restore_cell
from signatures.audiences.mail_addresses import is_address
from signatures.rendering.fields import BUILT_IN, Field

ADDRESS = "email"
"""What stands for the column that finds the sender."""

SKIP = ""
MAX_COLUMNS = 100
MAX_HEADING = 120  # characters
SAMPLES = 3
_ADDRESS_HEADINGS = frozenset(
    {"email", "emailaddress", "mail", "mailaddress", "address", "emails", "primaryemail", "workemail"}
)
_SYNONYMS = {
    "handy": "sender.mobile",
    "cell": "sender.mobile",
    "cellphone": "sender.mobile",
    "mobilenumber": "sender.mobile",
    "mobilephone": "sender.mobile",
    "position": "sender.title",
    "telephone": "sender.phone",
    "phonenumber": "sender.phone",
    "givenname": "sender.first_name",
    "surname": "sender.last_name",
    "linkedinprofile": "sender.linkedin_url",
    "photourl": "sender.photo_url",
    "calendar": "sender.calendar_url",
    "bookinglink": "sender.calendar_url",
}


class ColumnsRefused(Exception):
    """The chosen columns cannot be read together; the message says why, to a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a file. headings: the first row's cells, or numbers; columns: what each is taken for."""

    has_heading: bool
    headings: list[str]
    samples: list[str]
    columns: list[str]


def read_header(
    first: Sequence[Sequence[str]], fields: Sequence[Field], *, has_heading: bool | None
) -> Header:
    """Return what the first rows of a file tell of its columns.

    has_heading: None has it guessed: a row with an address is no heading. Raises: ColumnsRefused.
    """
    width = max(len(row) for row in first)
    if width > MAX_COLUMNS:
        raise ColumnsRefused(
            f"The file has more than {MAX_COLUMNS} columns. Remove those that hold no values."
        )
    if has_heading is None:
        has_heading = not any(is_address(cell) for cell in first[0])
    body = first[has_heading:]
    headings = [
        (first[0][at] if has_heading and at < len(first[0]) else "")[:MAX_HEADING] or f"Column {at + 1}"
        for at in range(width)
    ]
    filled = [[restore_cell(row[at]) for row in body if at < len(row) and row[at]] for at in range(width)]
    samples = [", ".join(cell[:40] for cell in cells[:SAMPLES]) for cells in filled]
    columns = [_find_field(heading, fields) for heading in headings]
    if ADDRESS not in columns:
        holders = [sum(map(is_address, cells)) for cells in filled]
        if any(holders):
            columns[holders.index(max(holders))] = ADDRESS
    return Header(has_heading, headings, samples, _without_repeated(columns))


def check_columns(columns: Sequence[str], fields: Iterable[Field]) -> None:
    """Raise ColumnsRefused unless one column finds the sender and each field has one column at most."""
    if columns.count(ADDRESS) != 1:
        raise ColumnsRefused("Choose the one column that holds the e-mail addresses of senders.")
    labels = {field.name: field.label for field in fields}
    for name in columns:
        if name not in (ADDRESS, SKIP, *labels):
            raise ColumnsRefused("A column stands for a field that does not exist. Choose its field again.")
        if name != SKIP and columns.count(name) > 1:
            raise ColumnsRefused(f"Two columns stand for {labels[name]}. Skip one of them.")
    if not set(columns) & set(labels):
        raise ColumnsRefused("Choose a field for at least one column.")


def describe_guess(heading: str, column: str, fields: Sequence[Field]) -> tuple[str, str]:
    """Return how sure a column's field is, in words, and the tone of its badge."""
    key = _key(heading)
    if column == SKIP:
        is_ours = any(key in _names(field) for field in BUILT_IN.fields if field not in fields)
        return ("Not edited here" if is_ours else "Not used"), ""
    is_sure = key in _ADDRESS_HEADINGS if column == ADDRESS else _find_exact(key, fields) == column
    return ("Sure", "good") if is_sure else ("Check", "warn")


def _find_field(heading: str, fields: Sequence[Field]) -> str:
    key = _key(heading)
    if key in _ADDRESS_HEADINGS:
        return ADDRESS
    if found := _find_exact(key, fields) or _SYNONYMS.get(key, ""):
        return found if any(field.name == found for field in fields) else SKIP
    labels = {_key(field.label): field.name for field in fields}
    return next((labels[close] for close in get_close_matches(key, labels, n=1, cutoff=0.85)), SKIP)


def _find_exact(key: str, fields: Iterable[Field]) -> str:
    return next((field.name for field in fields if key in _names(field)), "")


def _names(field: Field) -> set[str]:
    """Return how a heading may call a field; “name” alone is left to whoever reads the file."""
    return {_key(field.label), _key(field.name), _key(field.name.partition(".")[2])} - {"name"}


def _key(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _without_repeated(columns: list[str]) -> list[str]:
    return [SKIP if name in columns[:at] else name for at, name in enumerate(columns)]
