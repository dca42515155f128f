"""Originals: lists what mailboxes held before the first delivery, and writes it as a file."""

from __future__ import annotations

import csv
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from tempfile import SpooledTemporaryFile
from typing import IO, TextIO

from django.db.models import Q

from portal.csv_export import BYTE_ORDER_MARK, defuse_cell
from portal.models import Domain
from signatures.models import Snapshot

FORMATS = ("csv", "jsonl")
PAGE = 200  # originals of up to 65 kB each
IN_MEMORY_BYTES = 2_000_000  # past that a file waits on disk
_UNSAFE = re.compile(r"[^A-Za-z0-9@._+-]|^\.+")


@dataclass(frozen=True, slots=True)
class Original:
    """What one mailbox held before the first delivery.

    Instants are ISO 8601 in UTC; restored_at is '' where it was not.
    """

    mailbox_id: str
    mailbox: str
    taken_at: str
    restored_at: str
    original_html: str


COLUMNS = ("mailbox_id", "mailbox", "taken_at", "restored_at", "original_html")


def list_originals(domain: Domain) -> Iterator[Original]:
    """Yield every original kept for the domain, by mailbox address; memory does not grow with their number."""
    # In pages and not by a cursor, which behind a connection pooler would read every original at once.
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


def write_archive(domain: Domain, stream: IO[bytes]) -> int:
    """Write a zip with a file for each original, and `manifest.json` with the SHA-256 of each; return how many.

    Memory holds one original at a time, and where the others are in the zip.
    """
    count = 0
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
        SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as manifest,
    ):
        manifest.write(json.dumps({"domain": domain.name}).encode()[:-1] + b', "originals": [')
        for original in list_originals(domain):
            row = asdict(original)
            content = row.pop("original_html").encode("utf-8", "surrogatepass")
            name = f"{_UNSAFE.sub('_', original.mailbox)[:120]}-{_UNSAFE.sub('_', original.mailbox_id)}.html"
            archive.writestr(f"originals/{name}", content)
            row |= {"file": f"originals/{name}", "sha256": sha256(content).hexdigest()}
            manifest.write((b",\n" if count else b"\n") + json.dumps(row, ensure_ascii=False).encode())
            count += 1
        manifest.write(b"\n]}\n")
        manifest.seek(0)
        with archive.open("manifest.json", "w") as file:
            shutil.copyfileobj(manifest, file)
    return count
