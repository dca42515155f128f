"""Readiness: whether this web process can serve, and whether background workers are at work; in words for anybody.

The words name the kind of fault alone: no host, path, account or version. Banners, clicks and pages are served
without a worker, so a load balancer asks for the web process only.
"""

from __future__ import annotations

import logging
import shutil
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.core.cache import cache as shared_cache
from django.db import Error as DatabaseFailure
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from portal.background import LONG
from portal.checks import find_spool, is_spool_writable
from portal.timed_check import TimedCheck
from portal.worker.heartbeat import Worker, get_worker
from portal.worker.machines import is_machine_alive

LEAST_FREE_BYTES = 64 * 2**20  # on the disk of the spool folder

DATABASE_AWAY = "the database does not answer"
MIGRATIONS_PENDING = "migrations are pending; run `python manage.py migrate`"
CACHE_AWAY = "the shared cache does not answer"
SPOOL_HANGS = "the disk of the spool folder does not answer"
SPOOL_CLOSED = "the spool folder is not writable, so views and clicks of banners would be lost"
DISK_FULL = "the disk of the spool folder is nearly full"
WORKER_UNKNOWN = "nobody knows whether a background worker runs, as the database does not answer"
WORKER_AWAY = "no background worker has been seen lately"
LONG_WORKER_AWAY = "no worker of long tasks has been seen lately: syncs and deliveries wait"
MACHINE_AWAY = "no background worker of this machine has been seen lately"
CLOCKS_DIFFER = "the worker's last heartbeat lies in the future: the clocks of worker and database differ"

log = logging.getLogger(__name__)
_said: dict[str, list[str]] = {}  # what this process said last, by topic
_saying = threading.Lock()


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """worker: of short tasks, long_worker: of long ones; None where nobody could ask, or migrations are pending.

    is_machine_alive: whether a worker of this machine is.
    """

    answers: bool
    is_migrated: bool = False
    worker: Worker | None = None
    long_worker: Worker | None = None
    is_machine_alive: bool = False


@dataclass(frozen=True, slots=True)
class Readiness:
    """What was found; web_faults, worker_faults: in words, empty where nothing is wrong."""

    database: DatabaseState
    web_faults: list[str]
    worker_faults: list[str]

    @property
    def web(self) -> dict[str, Any]:
        return {"ready": not self.web_faults, "faults": self.web_faults}

    @property
    def worker(self) -> dict[str, Any]:
        worker = self.database.worker
        age = worker.age_seconds if worker else None
        return {
            "ready": not self.worker_faults,
            "faults": self.worker_faults,
            "alive": bool(worker and worker.is_alive),
            "seen_seconds_ago": None if age is None else round(age),
            "clocks_differ": bool(worker and worker.clocks_differ),
        }

    @property
    def machine(self) -> dict[str, Any]:
        """Return the state of this machine's own worker, for a machine that serves no HTTP."""
        is_alive = self.database.is_machine_alive
        faults = [] if is_alive else [MACHINE_AWAY] if self.database.is_migrated else self.worker_faults
        return {"ready": is_alive, "faults": faults}

    @property
    def both(self) -> dict[str, Any]:
        """Return both parts; `missing`, `database` and `migrations` are the names of version 0.1, until 0.2."""
        faults = list(dict.fromkeys([*self.web_faults, *self.worker_faults]))
        return {
            "ready": not faults,
            "faults": faults,
            "web": self.web,
            "worker": self.worker,
            "missing": next(iter(self.web_faults), ""),
            "database": self.database.answers,
            "migrations": self.database.is_migrated,
        }


def get_readiness() -> Readiness:
    """Check everything side by side, within seconds whatever hangs, and log what changed since the last check."""
    _list_migrations()  # loading takes long once, and must not count as a database that hangs
    asked = [check.begin() for check in (_SPOOL, _CACHE)]
    database = _DATABASE.begin()()
    web = [*_list_database_faults(database), *(fault for wait in asked for fault in wait())]
    found = Readiness(database, web, _list_worker_faults(database))
    _say_once("web", found.web_faults, subject="Not ready to serve", well="Ready to serve again")
    differ = [CLOCKS_DIFFER] if CLOCKS_DIFFER in found.worker_faults else []
    _say_once("worker", differ, subject="Background worker", well="Worker's clock is right again")
    return found


def _ask_database() -> DatabaseState:
    try:
        applied = MigrationRecorder(connection).applied_migrations()
        if not _list_migrations() <= applied.keys():
            return DatabaseState(answers=True)
        return DatabaseState(True, True, get_worker(), get_worker(LONG), is_machine_alive())
    except DatabaseFailure:
        return DatabaseState(answers=False)


def _ask_cache() -> list[str]:
    shared_cache.get("readiness")
    return []


def _look_at_spool() -> list[str]:
    faults = [] if is_spool_writable() else [SPOOL_CLOSED]
    if shutil.disk_usage(find_spool()).free < LEAST_FREE_BYTES:
        faults.append(DISK_FULL)
    return faults


_DATABASE = TimedCheck(_ask_database, late=DatabaseState(answers=False))
_CACHE = TimedCheck(_ask_cache, late=[CACHE_AWAY])
_SPOOL = TimedCheck(_look_at_spool, late=[SPOOL_HANGS])


def _list_database_faults(database: DatabaseState) -> list[str]:
    if not database.answers:
        return [DATABASE_AWAY]
    return [] if database.is_migrated else [MIGRATIONS_PENDING]


def _list_worker_faults(database: DatabaseState) -> list[str]:
    worker, long_worker = database.worker, database.long_worker
    if worker is None or long_worker is None:
        return [MIGRATIONS_PENDING if database.answers else WORKER_UNKNOWN]
    if worker.clocks_differ:
        return [CLOCKS_DIFFER]
    if not worker.is_alive:
        return [WORKER_AWAY]
    return [] if long_worker.is_alive else [LONG_WORKER_AWAY]


def list_pending_migrations() -> list[tuple[str, str]]:
    """Return the migrations of this code that the database lacks, as (app, name), sorted."""
    applied = MigrationRecorder(connection).migration_qs.values_list("app", "name")
    return sorted(_list_migrations() - set(applied))


@cache
def _list_migrations() -> frozenset[tuple[str, str]]:
    """Return this code's migrations; cached, as loading takes long and they do not change at run time."""
    return frozenset(MigrationLoader(None).graph.nodes)


def _say_once(topic: str, faults: list[str], *, subject: str, well: str) -> None:
    with _saying:
        if _said.get(topic, []) == faults:
            return
        _said[topic] = faults
    log.warning(f"{subject}: {'; '.join(faults)}" if faults else well)
