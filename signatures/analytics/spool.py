"""Spool: stores impressions and clicks on disk before they are answered.

A process appends one line per event to a spool file of its own. Appended lines survive the process, but not the
loss of the machine before it wrote them to its disk. `spool_import` reads the files into rows.
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
from functools import lru_cache
from hashlib import blake2b, sha256
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

logger = logging.getLogger(__name__)

SUFFIX = ".events"
ROTATE_BYTES = 4_000_000
MAX_AGENT = 200
LONGEST_AGENT = 1_000  # told apart by so many characters; a process remembers some thousands
DAY = 86_400  # seconds


class Event(NamedTuple):
    """One impression or click. visitor: the whole address, which is never stored.

    recipient_key: keyed digest of a known recipient, where the banner was chosen for one.
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
    visitor: str = ""
    agent: str = ""


class Spool:
    """This process's spool file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file: int | None = None
        self._pid = 0
        self._size = 0
        self._is_torn = False
        self._lost = 0
        self.path: Path | None = None

    def append(self, line: bytes) -> None:
        """Append the line. Where the disk is full, it is lost, and that is logged once."""
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
        """How many lines were lost since the last one that was written."""
        return self._lost

    def _write(self, line: bytes) -> None:
        file = self._file if self._file is not None and self._pid == os.getpid() else self._open()
        if self._is_torn:
            line = b"\n" + line
        written = os.write(file, line)
        self._size += written
        # A full disk may take a part of a line; the next one must not be read as its rest.
        self._is_torn = written != len(line)
        if self._is_torn:
            raise OSError("the disk is full")
        if self._size > ROTATE_BYTES:
            self._close()

    def _open(self) -> int:
        folder = get_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{secrets.token_hex(12)}{SUFFIX}"
        # Under another name until it is locked: a file without a lock counts as one of a dead process.
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
        """Close the file, which may be removed once it was imported."""
        with self._lock:
            self._close()


SPOOL = Spool()


def get_folder() -> Path:
    return Path(settings.SPOOL_FOLDER)


def count(event: Event) -> None:
    """Append the event, before its request is answered. Never raises for a full disk.

    The line holds the columns of `spool_import.COLUMNS` in their order, and the recipient's key.
    """
    now, none = time.time(), "null"
    visitor = _describe_visitor(event.visitor, event.agent[:LONGEST_AGENT], event.domain_id, int(now // DAY))
    # JSON by string formatting: every banner request waits for this.
    SPOOL.append(
        f'[{now:.3f},"{event.kind}","{event.method}",{event.domain_id},{event.sender_id or none},'
        f"{event.group_id or none},{event.campaign_id or none},{event.banner_id or none},"
        f'{event.decision_id or none},{visitor},"{event.recipient_key}"]\n'.encode()
    )


@lru_cache(maxsize=4096)
def _describe_visitor(visitor: str, agent: str, domain_id: int, day: int) -> str:
    """Return network, mail program and visitor's key of that day, as JSON. Image proxies are the same visitor often."""
    key = make_visitor_key(visitor, agent, domain_id, day)
    return f'{json.dumps(cut_address(visitor))},{json.dumps(tidy_agent(agent))},"{key}"'


@lru_cache(maxsize=4096)
def cut_address(address: str) -> str:
    """Return the network of an address, /24 or /48; '' for an invalid one."""
    try:
        found = ip_address(address.strip())
    except ValueError:
        return ""
    mapped = getattr(found, "ipv4_mapped", None)
    found = mapped or found
    return str(ip_network(f"{found}/{24 if found.version == 4 else 48}", strict=False)).partition("%")[0]


def tidy_agent(agent: str) -> str:
    return "".join(character for character in agent if character.isprintable())[:MAX_AGENT].strip()


def make_visitor_key(visitor: str, agent: str, domain_id: int, day: int) -> str:
    """Return a digest that is the same for one visitor on one day (UTC) in one domain, and tells nothing else.

    visitor: the whole address. day: since 1970.
    """
    if not visitor:
        return ""
    told = f"{domain_id}\n{visitor}\n{agent}".encode("utf-8", "replace")
    return blake2b(told, key=_get_day_key(day), digest_size=16).hexdigest()


@lru_cache(maxsize=2)
def _get_day_key(day: int) -> bytes:
    return hmac.new(settings.SECRET_KEY.encode(), f"visitors of day {day}".encode(), sha256).digest()
