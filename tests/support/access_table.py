"""The table of who gets which answer where (`access_table.txt`), read; and the lines it lacks, proposed.

`python -m tests.support.access_table` prints a proposal for every address the table does not list, made from the
permission its view asks for. Nothing is written: whoever adds an address reads the lines, mends them, and
puts them into the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

TABLE = Path(__file__).with_name("access_table.txt")

ROLES = ("auditor", "editor", "approver", "admin", "owner")
WHO = (
    "anonymous",
    *(f"{role} of A" for role in ROLES),
    *(f"{role} of B" for role in ROLES),
    "deactivated",
    "staff",
    "superuser",
)


@dataclass(frozen=True, slots=True)
class Row:
    """What everybody gets at one address of domain A. statuses: in the order of WHO."""

    address: str
    method: str
    statuses: tuple[int, ...]
    is_repeated: (
        bool  # a further model of an admin group: the first one stands for the columns that are no operators
    )

    def __str__(self) -> str:
        return f"{self.method} {self.address}"


def read_table() -> list[Row]:
    """Return every row, a `{group}` of models written out.

    Raises ValueError with the line where it is not whole.
    """
    groups: dict[str, list[str]] = {}
    rows: list[Row] = []
    group = ""
    for number, line in enumerate(TABLE.read_text().splitlines(), start=1):
        words = line.replace(" | ", " ").split()
        if not words or words[0].startswith("#"):
            continue
        if words[0].startswith("{"):
            group = words[0]
            groups[group] = []
            continue
        if line.startswith(" "):
            groups[group] += words
            continue
        address, method, *statuses = words
        if len(statuses) != len(WHO) or not all(status.isdigit() for status in statuses):
            raise ValueError(f"{TABLE.name}, line {number}: write one status for each of {', '.join(WHO)}.")
        found = next((name for name in groups if name in address), "")
        for place, model in enumerate(groups.get(found, [""])):
            written = address.replace(found, model) if found else address
            rows.append(Row(written, method, tuple(map(int, statuses)), is_repeated=place > 0))
    return rows


def list_addresses() -> dict[str, Callable[..., Any]]:
    """Return every address the portal answers, written as in its URL patterns, with its view."""
    return dict(_walk(get_resolver(), "/"))


def _walk(resolver: URLResolver, before: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    for pattern in resolver.url_patterns:
        # A regular expression's anchors say nothing to a reader; spaces would end the column.
        written = before + str(pattern.pattern).removeprefix("^").removesuffix("$").replace(" ", "")
        if isinstance(pattern, URLPattern):
            yield written, pattern.callback
        else:
            yield from _walk(pattern, written)


def propose(address: str, view: Callable[..., Any]) -> list[str]:
    """Return the lines a view's own permission asks for; one `?` for each status that only its author knows."""
    from portal.access import PERMISSIONS

    permission = getattr(view, "required_permission", None)
    lines = []
    for method, done in (("GET", "200"), ("POST", "302")):
        if permission is None:
            columns = ["?"] * len(WHO)
        else:
            may = {role: done if permission in PERMISSIONS[role] else "403" for role in (*ROLES, "staff")}
            columns = [
                "302",
                *(may[role] for role in ROLES),
                *["404"] * len(ROLES),
                "302",
                may["staff"],
                may["staff"],
            ]
        lines.append(write_line(address, method, columns))
    return lines


def write_line(address: str, method: str, columns: list[str]) -> str:
    b = 1 + len(ROLES)
    rest = b + len(ROLES)
    parts = " | ".join(
        " ".join(part) for part in (columns[:1], columns[1:b], columns[b:rest], columns[rest:])
    )
    return f"{address:<72} {method:<4}  {parts}"


def list_missing() -> list[str]:
    listed = {row.address for row in read_table()}
    return [
        line
        for address, view in list_addresses().items()
        if address not in listed
        for line in propose(address, view)
    ]


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    print("\n".join(list_missing()) or "The table lists every address.")
