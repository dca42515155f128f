"""Samples: memory and open files of each process, and rows of each table, at one moment."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.apps import apps
from django.db import connection, models

from portal.leases import COLUMN
from tests.support.served import LONG, SHORT, Served, get_group

GROUPS = ("supervisor", "web server", SHORT, LONG)
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20

GROWING = {
    "integrations.SyncRun": "one for each sync",
    "integrations.LedgerEntry": "one for each call and act",
    "integrations.Notice": "one for each thing that people are told",
    "integrations.ChainCheck": "one for each check of the ledger",
    "signatures.DeliveryRun": "one for each delivery",
    "signatures.Delivery": "one for each mailbox of a delivery",
    "signatures.SignatureHtml": "one for each text that a mailbox held",
    "signatures.Release": "one for each publication",
    "signatures.Campaign": "one for each campaign",
    "signatures.Banner": "one for each banner of a campaign",
    "signatures.CampaignRevision": "one for each change of a campaign",
    "signatures.AudienceTally": "one for each campaign",
    "signatures.Decision": "one for each sender and recipient that a banner was asked for",
    "signatures.BannerEvent": "one for each banner and click",
    "signatures.DailyCount": "one for each campaign, sender and day",
    "signatures.DailyTotal": "one for each campaign and day",
    "django_q.Task": "the newest 1,000 of each task",
    "MB of the database": "with the rows above",
}
"""Tables that grow with what is done, and are pruned by age or kept on purpose; all others must stay flat."""


@dataclass(frozen=True)
class Process:
    group: str
    pid: int
    memory_mb: float
    files: int


@dataclass(frozen=True)
class Sample:
    """rows: of each table, and what else is counted. seconds: since the load began."""

    seconds: float
    processes: tuple[Process, ...]
    rows: dict[str, int]

    def sum_memory(self, group: str) -> float:
        return sum(one.memory_mb for one in self.processes if one.group == group)

    def sum_files(self, group: str) -> int:
        return sum(one.files for one in self.processes if one.group == group)


def take_sample(served: Served, folder: Path, *, seconds: float) -> Sample:
    """folder: with the portal's temporary files and its spool."""
    return Sample(seconds, tuple(_list_processes(served)), _count_rows(folder))


def _list_processes(served: Served) -> Iterator[Process]:
    for group in GROUPS:
        pids = get_group(served.get_pid(group)) if group != "supervisor" else {served.process.pid}
        for pid in sorted(pids):
            with contextlib.suppress(OSError):  # it ended meanwhile
                resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
                yield Process(group, pid, resident * PAGE_MB, files)


def _count_rows(folder: Path) -> dict[str, int]:
    shown: list[type[models.Model]] = [one for one in apps.get_models() if not one._meta.proxy]
    found = {one._meta.label: one._base_manager.count() for one in shown}
    leased = [one for one in shown if COLUMN in {field.name for field in one._meta.fields}]
    found["leases held"] = sum(one._base_manager.exclude(**{COLUMN: None}).count() for one in leased)
    with connection.cursor() as cursor:
        for name, query in (
            ("rows of the cache", "SELECT count(*) FROM portal_cache"),
            (
                "sessions of the database",
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()",
            ),
            ("MB of the database", "SELECT pg_database_size(current_database()) / 1048576"),
        ):
            cursor.execute(query)
            found[name] = cursor.fetchone()[0]
    found["files of the portal"] = sum(path.is_file() for path in folder.rglob("*"))
    return found
