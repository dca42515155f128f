"""Fetches and clicks, on disk before they are answered, and in the database soon after: each exactly once.

A process appends one line per event to a spool file of its own. What was appended outlives the process; a lost
machine loses what it had not written to its disk. Files are read into rows in batches, together with how far they
were read, so that a kill at any instant neither loses nor doubles a line. A file whose process is gone is swept by
whoever comes next.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b, sha256
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from portal.db import insert_rows
from portal.models import Domain
from signatures.models import Banner, BannerEvent, Decision, Sender, SpoolImport

logger = logging.getLogger(__name__)

Row = dict[str, Any]
SUFFIX = ".events"
BATCH = 1_000
ROTATE_BYTES = 4_000_000
MAX_AGENT = 200
HOUR = timedelta(hours=1)
_COLUMNS = (
    "at", "kind", "method", "domain_id", "sender_id", "group_id", "campaign_id", "banner_id", "decision_id",
    "network", "agent", "reader_key",
)  # fmt: skip
FORGOTTEN = timedelta(days=2)  # of a file that is not there any more


@dataclass(frozen=True, slots=True)
class Event:
    """One fetch or click. reader: the whole address, which goes no further than this process's memory.

    recipient_key: keyed digest of a known recipient, where the picture was chosen for one.
    """

    kind: str
    method: str
    domain_id: int
    sender_id: int | None
    group_id: int | None
    campaign_id: int | None
    banner_id: int | None
    decision_id: int | None = None
    recipient_key: str = ""
    reader: str = ""
    agent: str = ""


class Spool:
    """This process's file. Appending takes no longer than the system needs to note it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file: int | None = None
        self._pid = 0
        self._size = 0
        self._is_torn = False
        self._lost = 0
        self.path: Path | None = None

    def append(self, line: bytes) -> None:
        """The line is the system's to keep. Where the disk takes nothing, it is lost, and that is logged once."""
        with self._lock:
            try:
                self._write(line)
            except OSError as error:
                if not self._lost:
                    logger.error("Banner events cannot be kept: %s. Banners are shown all the same.", error)
                self._lost += 1
                return
            if self._lost:
                logger.error("Banner events are kept again; %s were lost.", self._lost)
                self._lost = 0

    @property
    def lost(self) -> int:
        """How many lines could not be kept since the last one that could."""
        return self._lost

    def _write(self, line: bytes) -> None:
        file = self._file if self._file is not None and self._pid == os.getpid() else self._open()
        if self._is_torn:
            line = b"\n" + line
        written = os.write(file, line)
        self._size += written
        # A full disk may take a part; the next line must not be taken for the rest of this one.
        self._is_torn = written != len(line)
        if self._is_torn:
            raise OSError("the disk is full")
        if self._size > ROTATE_BYTES:
            self._close()

    def _open(self) -> int:
        folder = get_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{secrets.token_hex(12)}{SUFFIX}"
        # Under another name until it is locked: a file that nobody holds is taken for a dead process's.
        made = path.with_suffix(".new")
        file = os.open(made, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)  # until this process ends, however it ends
        made.rename(path)
        self._file, self._pid, self._size, self._is_torn, self.path = file, os.getpid(), 0, False, path
        return file

    def _close(self) -> None:
        if self._file is not None and self._pid == os.getpid():
            os.close(self._file)
        self._file = self.path = None

    def close(self) -> None:
        """The file is finished, and may be removed once it was read."""
        with self._lock:
            self._close()


SPOOL = Spool()


def get_folder() -> Path:
    return Path(settings.SPOOL_FOLDER)


def count(event: Event) -> None:
    """The event is kept, before whoever asked is answered. Never raises for a full disk."""
    now = time.time()
    ids = (
        event.domain_id, event.sender_id, event.group_id, event.campaign_id, event.banner_id, event.decision_id,
    )  # fmt: skip
    numbers = ",".join(["null" if number is None else str(number) for number in ids])
    # JSON, written by hand: this is on the way of every banner.
    SPOOL.append(
        f'[{now:.3f},"{event.kind}","{event.method}",{numbers},{_quote(cut_address(event.reader))},'
        f'{_quote(tidy_agent(event.agent))},"{make_reader_key(event, now)}","{event.recipient_key}"]\n'.encode()
    )


_quote = lru_cache(maxsize=8192)(json.dumps)


@lru_cache(maxsize=4096)
def cut_address(address: str) -> str:
    """Return the network of an address, /24 or /48; '' for what is none."""
    try:
        found = ip_address(address.strip())
    except ValueError:
        return ""
    mapped = getattr(found, "ipv4_mapped", None)
    found = mapped or found
    return str(ip_network(f"{found}/{24 if found.version == 4 else 48}", strict=False)).partition("%")[0]


@lru_cache(maxsize=4096)
def tidy_agent(agent: str) -> str:
    return "".join(character for character in agent if character.isprintable())[:MAX_AGENT].strip()


def make_reader_key(event: Event, now: float) -> str:
    """Return what is the same for the same reader on one day (UTC) in one domain, and no name of anybody."""
    if not event.reader:
        return ""
    told = f"{event.domain_id}\n{event.reader}\n{event.agent}".encode("utf-8", "replace")
    return blake2b(told, key=_get_day_key(int(now // 86_400)), digest_size=16).hexdigest()


@lru_cache(maxsize=2)
def _get_day_key(day: int) -> bytes:
    return hmac.new(settings.SECRET_KEY.encode(), f"readers of day {day}".encode(), sha256).digest()


# ── From the disk into rows ──────────────────────────────────────────────────────────────────────
def sweep_spool(*, own_only: bool = False) -> int:
    """What stands in the spool is in the database, and files of processes that are gone are removed.

    own_only: this process's file alone. Returns how many events came in. Any number may do this at once.
    """
    if own_only:
        path = SPOOL.path
        return import_file(path) if path is not None else 0
    folder = get_folder()
    if not folder.is_dir():
        return 0
    brought = 0
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        is_over = _is_over(path)  # asked first: what is read after it is all there will ever be
        brought += import_file(path)
        if is_over:
            _remove(path)
    gone = SpoolImport.objects.filter(changed_at__lt=timezone.now() - FORGOTTEN)
    for name in list(gone.values_list("name", flat=True)):
        if not (folder / name).exists():
            SpoolImport.objects.filter(name=name, changed_at__lt=timezone.now() - FORGOTTEN).delete()
    return brought


def import_file(path: Path) -> int:
    """Every whole line of the file is in the database, once; returns how many this call brought in."""
    brought = 0
    while True:
        moved, came = _import_batch(path)
        brought += came
        if not moved:
            return brought


def _import_batch(path: Path) -> tuple[bool, int]:
    """Return whether there was something to read, and how many events came of it."""
    row, _ = SpoolImport.objects.get_or_create(name=path.name)
    try:
        with path.open("rb") as file:
            file.seek(row.offset)
            lines = list(_read_lines(file))
    except FileNotFoundError:
        return False, 0  # another one was done with it
    if not lines:
        return False, 0
    rows, recipients = _parse(lines)
    with transaction.atomic():
        # Whoever moves the mark has the lines; anybody else who read them finds it moved, and drops them.
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
    """Return what the lines say; a torn one says nothing, and a domain that is gone has no events."""
    rows: list[Row] = []
    showings: list[Decision] = []
    for line in lines:
        try:
            values = json.loads(line)
            row = dict(zip(_COLUMNS, values[:-1], strict=True))
            row["at"] = datetime.fromtimestamp(values[0], UTC)
        except (ValueError, TypeError, IndexError):
            if line.strip():
                logger.error("A banner event was torn by a full disk, and is lost.")
            continue
        rows.append(row)
        if values[-1] and row["campaign_id"] is not None:
            names = ("domain_id", "sender_id", "campaign_id", "banner_id", "at")
            shown = {name: row[name] for name in names}
            showings.append(Decision(**shown, recipient_key=values[-1], way=Decision.Way.VARIABLE))
    there = Domain.objects.filter(pk__in={row["domain_id"] for row in rows}).values_list("pk", flat=True)
    present = set(there)
    return (
        [row for row in rows if row["domain_id"] in present],
        [showing for showing in showings if showing.domain_id in present],
    )


def _insert(rows: list[Row]) -> None:
    """Write rows without a model instance for each: they come by the thousand, beside the requests."""
    adapt = connection.ops.adapt_datetimefield_value
    values = ((adapt(at), *rest) for at, *rest in (row.values() for row in rows))
    insert_rows(BannerEvent, columns=_COLUMNS, rows=values)


def _keep_showings(showings: list[Decision]) -> None:
    """What known recipients were shown counts towards caps: a campaign once for a recipient and hour."""
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
    """Return whether the process that wrote the file is gone, or done with it."""
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
    """The file is gone, once everything in it is in the database. A line without its end was never answered."""
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
