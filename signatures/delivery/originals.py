"""Originals: lists what mailboxes held before us, and writes it as a file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TextIO

from django.db.models import Q

from portal.csv_export import BYTE_ORDER_MARK, defuse_cell
from portal.models import Domain
from signatures.models import Snapshot

FORMATS = ("csv", "jsonl")
PAGE = 200  # originals of up to 65 kB each


@dataclass(frozen=True, slots=True)
class Original:
    """What one mailbox held before us. Instants are ISO 8601 in UTC; restored_at is '' where it was not."""

    mailbox_id: str
    mailbox: str
    taken_at: str
    restored_at: str
    original_html: str


COLUMNS = ("mailbox_id", "mailbox", "taken_at", "restored_at", "original_html")


def list_originals(domain: Domain) -> Iterator[Original]:
    """Yield every original kept for the domain, by mailbox address; memory does not grow with their number."""
    # By their place in the order, and not by a cursor: behind a pooler that would hold every original at once.
    rows, behind = Snapshot.objects.filter(domain=domain).order_by("mailbox_email", "pk"), Q()
    while page := list(rows.filter(behind)[:PAGE]):
        last = page[-1]
        behind = Q(mailbox_email__gt=last.mailbox_email) | Q(mailbox_email=last.mailbox_email, pk__gt=last.pk)
        for row in page:
            yield Original(
                mailbox_id=row.mailbox_remote_id,
                mailbox=row.mailbox_email,
                taken_at=row.taken_at.isoformat(timespec="seconds"),
                restored_at=row.restored_at.isoformat(timespec="seconds") if row.restored_at else "",
                original_html=row.original_html,
            )


def write_originals(domain: Domain, stream: TextIO, format: str) -> int:
    """Write the originals into the stream; return how many.

    format: 'jsonl' is exact, one object a line. 'csv' opens in a spreadsheet: a cell that one would run
    as a formula starts with an apostrophe there.
    """
    if format not in FORMATS:
        raise ValueError(f"{format!r} is none of {', '.join(FORMATS)}")
    count = 0
    table = csv.writer(stream) if format == "csv" else None
    if table is not None:
        stream.write(BYTE_ORDER_MARK)
        table.writerow(COLUMNS)
    for original in list_originals(domain):
        row = asdict(original)
        if table is not None:
            table.writerow([defuse_cell(row[column]) for column in COLUMNS])
        else:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        count += 1
    return count
