"""Reading: stores an uploaded file, guesses how it is to be read, and keeps what each of its rows would change.

No value is changed by it. Files are read row by row and rows stored 500 at a time, so memory does not grow with them.
"""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import BinaryIO

from django.db.models import Count, Max, Min, Q, QuerySet
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.csv_import import CsvRefused, Format, Row, guess_format, read_table
from portal.db import create_rows
from portal.leases import Lease, LeaseLost, is_free
from portal.models import Domain, User
from signatures.models import ImportState, RowState, SenderImport, SenderImportRow
from signatures.senders.many_values import CHUNK, list_importable_fields

from .columns import ColumnsRefused, check_columns, read_header
from .rows import RowJudge

MAX_FILE_BYTES = 25_000_000
MAX_ROWS = 100_000
READ_AT_ONCE = 2_000  # lines; a longer file is read in the background
LEASE = timedelta(seconds=120)
_FIRST_ROWS = 20
_BLOCK = 1 << 20


class FileRefused(Exception):
    """A file cannot be imported; the message says why and what to do, to a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Choices:
    """How a person wants a file to be read. columns: empty to have them guessed."""

    format: Format
    has_heading: bool
    columns: tuple[str, ...] = ()
    removes_empty: bool = False


def store_file(
    domain: Domain,
    file: BinaryIO,
    *,
    name: str,
    actor: str,
    by: User | None = None,
    waits: bool,
    encoding: str = "",
    separator: str = "",
) -> SenderImport:
    """Return the stored file, to be read by `read_rows`. waits: its values become drafts. Raises: FileRefused."""
    content, sha256, lines = _compress(file)
    try:
        guess = guess_format(file)
    except CsvRefused as refused:
        raise FileRefused(refused.message) from refused
    stored = SenderImport(
        domain=domain,
        uploaded_by=by,
        uploaded_by_label=actor,
        file_name=name[:255] or "pasted text",
        sha256=sha256,
        content=content,
        encoding=encoding or guess.encoding,
        separator=separator or guess.separator,
        lines=lines,
        waits=waits,
    )
    _guess_columns(stored, has_heading=None)
    stored.save()
    record_act(
        "sender values uploaded",
        domain=domain,
        actor_label=actor,
        object_ref=f"import {stored.pk}",
        detail=f"{stored.file_name}, SHA-256 {sha256}",
    )
    return stored


def choose(sender_import: SenderImport, choices: Choices) -> None:
    """Have the file read in another way; its preview is made anew. Raises: FileRefused, changing nothing."""
    was = (sender_import.encoding, sender_import.separator, sender_import.has_heading)
    sender_import.encoding, sender_import.separator = choices.format.encoding, choices.format.separator
    sender_import.removes_empty = choices.removes_empty
    is_same = was == (sender_import.encoding, sender_import.separator, choices.has_heading)
    if is_same and len(choices.columns) == len(sender_import.columns):
        try:
            check_columns(choices.columns, list_importable_fields(sender_import.domain))
        except ColumnsRefused as refused:
            raise FileRefused(refused.message) from refused
        sender_import.columns = list(choices.columns)
    else:
        _guess_columns(sender_import, has_heading=choices.has_heading)
    request_preview(sender_import)


def request_preview(sender_import: SenderImport, *, waits: bool | None = None) -> None:
    """Have the rows read anew, by `read_rows`. waits: as in `store_file`; None leaves it."""
    if waits is not None:
        sender_import.waits = waits
    changed = SenderImport.objects.filter(
        pk=sender_import.pk,
        state__in=[ImportState.READING, ImportState.PREVIEWED, ImportState.UNREADABLE],
    ).update(
        state=ImportState.READING,
        queued_at=timezone.now(),
        lease_until=None,
        lines_read=0,
        problem="",
        digest="",
        counts={},
        **{
            name: getattr(sender_import, name)
            for name in ("encoding", "separator", "has_heading", "headings", "samples", "columns",
                         "removes_empty", "waits")
        },
    )  # fmt: skip
    if not changed:
        raise FileRefused("This file was applied meanwhile. Upload it again.")
    sender_import.refresh_from_db()


def read_rows(import_id: int) -> SenderImport | None:
    """Read the file and store what each row would change; None where somebody else does, or it was done.

    After a kill, calling it again begins anew. The lease is renewed with every 500 rows.
    """
    due = is_free() & Q(state=ImportState.READING)
    lease = Lease.take(SenderImport, import_id, due, lasts=LEASE, lines_read=0)
    if lease is None:
        return None
    sender_import = SenderImport.objects.select_related("domain").get(pk=import_id)
    SenderImportRow.objects.filter(sender_import=sender_import).delete()
    with suppress(LeaseLost):
        try:
            check_columns(sender_import.columns, list_importable_fields(sender_import.domain))
            _stage(sender_import, lease)
        except (CsvRefused, ColumnsRefused, FileRefused) as refused:
            lease.release(state=ImportState.UNREADABLE, problem=refused.message)
        else:
            counts = _count(sender_import)
            lease.release(
                state=ImportState.PREVIEWED, counts=counts, digest=digest_rows(sender_import), problem=""
            )
        sender_import.refresh_from_db()
        return sender_import
    return None


def digest_rows(sender_import: SenderImport) -> str:
    """Return the SHA-256 of everything that the preview says."""
    digest = hashlib.sha256()
    for row in iterate_rows(sender_import.rows.all()):
        said = [row.line, row.sender_id, row.state, row.values]
        digest.update(json.dumps(said, sort_keys=True, ensure_ascii=False).encode())
    return digest.hexdigest()


def iterate_rows(rows: QuerySet[SenderImportRow]) -> Iterator[SenderImportRow]:
    """Yield the rows in the order of the file; they are fetched 500 at a time."""
    last = 0
    while chunk := list(rows.order_by("pk").filter(pk__gt=last)[:CHUNK]):
        last = chunk[-1].pk
        yield from chunk


def _compress(file: BinaryIO) -> tuple[bytes, str, int]:
    """Return the file's content compressed, its SHA-256 and its number of lines. Raises: FileRefused."""
    packer, digest, packed = zlib.compressobj(6), hashlib.sha256(), []
    size = lines = 0
    file.seek(0)
    while block := file.read(_BLOCK):
        size += len(block)
        if size > MAX_FILE_BYTES:
            raise FileRefused(f"The file is larger than {MAX_FILE_BYTES // 1_000_000} MB. Split it.")
        lines += max(block.count(b"\n"), block.count(b"\r"))
        digest.update(block)
        packed.append(packer.compress(block))
    if not size:
        raise FileRefused("The file is empty.")
    return b"".join((*packed, packer.flush())), digest.hexdigest(), lines + 1


def _open(sender_import: SenderImport) -> Iterator[Row]:
    content = io.BytesIO(zlib.decompress(bytes(sender_import.content)))
    return read_table(content, encoding=sender_import.encoding, separator=sender_import.separator).rows


def _guess_columns(sender_import: SenderImport, *, has_heading: bool | None) -> None:
    """Have headings, samples and columns follow from the file's first rows. Raises: FileRefused."""
    try:
        first = [row.cells for row in islice(_open(sender_import), _FIRST_ROWS)]
        if not first:
            raise FileRefused("The file has no row with anything in it.")
        header = read_header(first, list_importable_fields(sender_import.domain), has_heading=has_heading)
    except (CsvRefused, ColumnsRefused) as refused:
        raise FileRefused(refused.message) from refused
    sender_import.has_heading, sender_import.headings = header.has_heading, header.headings
    sender_import.samples, sender_import.columns = header.samples, header.columns


def _stage(sender_import: SenderImport, lease: Lease) -> None:
    rows, judge = _open(sender_import), RowJudge(sender_import)
    if sender_import.has_heading:
        next(rows, None)
    number = 0
    while chunk := list(islice(rows, CHUNK)):
        number += len(chunk)
        if number > MAX_ROWS:
            raise FileRefused(f"The file has more than {MAX_ROWS:,} rows. Split it.")
        lease.renew(lines_read=chunk[-1].line)
        create_rows(judge.judge(chunk))
    _refuse_repeated(sender_import, lease)


def _refuse_repeated(sender_import: SenderImport, lease: Lease) -> None:
    """Refuse every row whose address stands in another one, too, and name one of those."""
    rows = sender_import.rows.exclude(address="").order_by()
    repeated = rows.values("address").annotate(first=Min("line"), last=Max("line"), number=Count("pk"))
    repeated = repeated.filter(number__gt=1).order_by("address")
    last = ""
    while chunk := list(repeated.filter(address__gt=last).values_list("address", "first", "last")[:CHUNK]):
        last = chunk[-1][0]
        lease.renew()
        for address, first, final in chunk:
            alike = rows.filter(address=address)
            alike.update(state=RowState.REFUSED, values={}, reason=_say_repeated(first))
            alike.filter(line=first).update(reason=_say_repeated(final))


def _say_repeated(line: int) -> str:
    return f"The e-mail address stands in line {line}, too. Remove one."


def _count(sender_import: SenderImport) -> dict[str, int]:
    counted = sender_import.rows.order_by().values_list("state").annotate(number=Count("pk"))
    return {str(state): number for state, number in counted}
