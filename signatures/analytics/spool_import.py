"""Spool import: reads spooled events into BannerEvent rows, each exactly once.

Files are read in batches. The offset in a file is stored in the transaction of its events, so that a killed process
neither loses nor doubles a line. Files of ended processes are imported by the next process that runs this.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from portal.db import insert_rows
from portal.models import Domain
from signatures.models import Banner, BannerEvent, Decision, Sender, SpoolImport

from . import spool

logger = logging.getLogger(__name__)

Row = list[Any]
BATCH = 1_000
HOUR = timedelta(hours=1)
FORGOTTEN = timedelta(days=30)  # since the file was last found, on whatever machine it is
NOTED_EVERY = timedelta(days=1)
COLUMNS = (
    "at", "kind", "method", "domain_id", "sender_id", "group_id", "campaign_id", "banner_id", "decision_id",
    "network", "agent", "visitor_key",
)  # fmt: skip
DOMAIN = COLUMNS.index("domain_id")


def sweep_spool(*, own_only: bool = False) -> int:
    """Import the spool files, and remove those of ended processes. Return the number of events.

    own_only: only this process's file. Any number of processes may do this at once.
    """
    if own_only:
        path = spool.SPOOL.path
        return import_file(path) if path is not None else 0
    folder = spool.get_folder()
    if not folder.is_dir():
        return 0
    brought = 0
    for path in sorted(folder.glob(f"*{spool.SUFFIX}")):
        is_over = _is_over(path)  # before the import: nothing is appended to the file after this
        brought += import_file(path)
        if is_over:
            _remove(path)
    SpoolImport.objects.filter(changed_at__lt=timezone.now() - FORGOTTEN).delete()
    return brought


def import_file(path: Path) -> int:
    """Import every whole line of the file, once; return how many events this call stored.

    A file without new lines is noted once a day: its row may be removed by another machine, which cannot see it.
    """
    brought = 0
    while True:
        moved, came = _import_batch(path)
        brought += came
        if not moved:
            return brought


def _import_batch(path: Path) -> tuple[bool, int]:
    """Return whether there was something to read, and how many events it was."""
    row, _ = SpoolImport.objects.get_or_create(name=path.name)
    try:
        with path.open("rb") as file:
            file.seek(row.offset)
            lines = list(_read_lines(file))
    except FileNotFoundError:
        return False, 0  # another process has finished it
    if not lines:
        if row.changed_at < timezone.now() - NOTED_EVERY:
            SpoolImport.objects.filter(pk=row.pk, offset=row.offset).update(changed_at=timezone.now())
        return False, 0
    rows, recipients = _parse(lines)
    with transaction.atomic():
        # Of several processes that read the same lines, the one that moves the offset stores them.
        ours = SpoolImport.objects.filter(pk=row.pk, offset=row.offset)
        if not ours.update(offset=row.offset + sum(map(len, lines)), changed_at=timezone.now()):
            return True, 0
        _insert(rows)
        _keep_showings(recipients)
    return True, len(rows)


def _read_lines(file: Any) -> Iterator[bytes]:
    for number, line in enumerate(file):
        if number == BATCH or not line.endswith(b"\n"):
            return
        yield line


def _parse(lines: list[bytes]) -> tuple[list[Row], list[Decision]]:
    """Return the events and the decisions for known recipients, without incomplete lines and removed domains."""
    rows: list[Row] = []
    showings: list[Decision] = []
    for values in _decode(lines):
        try:
            *row, recipient_key = values
            row[0] = datetime.fromtimestamp(row[0], UTC)
            if len(row) != len(COLUMNS):
                raise ValueError
        except (ValueError, TypeError, IndexError):
            logger.error("A banner event was torn by a full disk, and is lost.")
            continue
        rows.append(row)
        named = dict(zip(COLUMNS, row, strict=True)) if recipient_key else {}
        if named.get("campaign_id") is not None:
            names = ("domain_id", "sender_id", "campaign_id", "banner_id", "at")
            shown = {name: named[name] for name in names}
            showings.append(Decision(**shown, recipient_key=recipient_key, way=Decision.Way.VARIABLE))
    there = Domain.objects.filter(pk__in={row[DOMAIN] for row in rows}).values_list("pk", flat=True)
    present = set(there)
    return (
        [row for row in rows if row[DOMAIN] in present],
        [showing for showing in showings if showing.domain_id in present],
    )


def _decode(lines: list[bytes]) -> list[Any]:
    """Return what each line holds; None for one that is not whole, and nothing for an empty one."""
    try:
        decoded = json.loads(b"[%b]" % b",".join(lines))
        if len(decoded) == len(lines):  # torn lines may fit together
            return list(decoded)
    except ValueError:
        pass  # one of them is torn
    return [_decode_line(line) for line in lines if line.strip()]


def _decode_line(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _insert(rows: list[Row]) -> None:
    """Insert rows without a model instance for each: there are thousands, and requests run beside this."""
    adapt = connection.ops.adapt_datetimefield_value
    insert_rows(BannerEvent, columns=COLUMNS, rows=((adapt(at), *rest) for at, *rest in rows))


def _keep_showings(showings: list[Decision]) -> None:
    """Store impressions of known recipients, for frequency caps: one for a campaign, recipient and hour."""
    if not showings:
        return
    senders = _get_present(Sender, [showing.sender_id for showing in showings])
    banners = _get_present(Banner, [showing.banner_id for showing in showings])
    for showing in showings:
        same = Decision.objects.filter(
            domain_id=showing.domain_id,
            recipient_key=showing.recipient_key,
            campaign=showing.campaign_id or 0,
            at__gt=showing.at - HOUR,
            at__lt=showing.at + HOUR,
        )
        if showing.sender_id in senders and showing.banner_id in banners and not same.exists():
            showing.save(force_insert=True)


def _get_present(model: type[Sender] | type[Banner], ids: list[int | None]) -> set[int | None]:
    asked = {pk for pk in ids if pk is not None}
    return set(model.objects.filter(pk__in=asked).values_list("pk", flat=True))


def _is_over(path: Path) -> bool:
    """Return whether the process that wrote the file has ended, or closed it."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(file)


def _remove(path: Path) -> None:
    """Remove the file once every whole line is imported. An incomplete line was never answered."""
    row = SpoolImport.objects.filter(name=path.name).first()
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return
    with path.open("rb") as file:
        file.seek(row.offset if row else 0)
        has_more = any(line.endswith(b"\n") for line in file)
    if size and has_more:
        return
    path.unlink(missing_ok=True)
