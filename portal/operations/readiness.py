"""Readiness: whether this web process can serve, which takes a database that answers and is migrated.

The worker's state is reported too but does not count: banners, clicks and pages are served without it.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import Error as DatabaseFailure
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from portal.worker.heartbeat import Worker, get_worker

log = logging.getLogger(__name__)
_said = {"web": "", "worker": ""}  # what this process said last; empty: nothing was wrong
_saying = threading.Lock()


@dataclass(frozen=True, slots=True)
class Readiness:
    """worker: None where the database could not be asked."""

    answers: bool
    is_migrated: bool
    worker: Worker | None

    @property
    def is_ready(self) -> bool:
        return self.answers and self.is_migrated

    @property
    def missing(self) -> str:
        """Return what keeps this process from serving; empty where nothing does."""
        if not self.answers:
            return "the database does not answer"
        return "" if self.is_migrated else "migrations are pending; run `python manage.py migrate`"

    def as_dict(self) -> dict[str, Any]:
        worker = self.worker
        age = worker.age_seconds if worker else None
        return {
            "ready": self.is_ready,
            "missing": self.missing,
            "database": self.answers,
            "migrations": self.is_migrated,
            "worker": {
                "alive": bool(worker and worker.is_alive),
                "seen_seconds_ago": None if age is None else round(age),
                "clocks_differ": bool(worker and worker.clocks_differ),
            },
        }


def get_readiness() -> Readiness:
    """Check the database, and log what changed since this process's last check."""
    found = _look()
    clocks = "the worker's last heartbeat lies in the future: the clocks of worker and database differ"
    differ = bool(found.worker and found.worker.clocks_differ)
    _say_once("web", found.missing, subject="Not ready to serve", well="Ready to serve again")
    if found.worker:
        _say_once(
            "worker",
            clocks if differ else "",
            subject="Background worker",
            well="Worker's clock is right again",
        )
    return found


def _look() -> Readiness:
    try:
        applied = MigrationRecorder(connection).applied_migrations()
    except DatabaseFailure:
        return Readiness(answers=False, is_migrated=False, worker=None)
    if not _list_migrations() <= applied.keys():
        return Readiness(answers=True, is_migrated=False, worker=None)
    try:
        return Readiness(answers=True, is_migrated=True, worker=get_worker())
    except DatabaseFailure:
        return Readiness(answers=False, is_migrated=False, worker=None)


def list_pending_migrations() -> list[tuple[str, str]]:
    """Return the migrations of this code that the database lacks, as (app, name), sorted."""
    return sorted(_list_migrations() - MigrationRecorder(connection).applied_migrations().keys())


@cache
def _list_migrations() -> frozenset[tuple[str, str]]:
    """Return this code's migrations; cached, as loading takes long and they do not change at run time."""
    return frozenset(MigrationLoader(None).graph.nodes)


def _say_once(topic: str, wrong: str, *, subject: str, well: str) -> None:
    with _saying:
        if _said[topic] == wrong:
            return
        _said[topic] = wrong
    log.warning(f"{subject}: {wrong}" if wrong else well)
