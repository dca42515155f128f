"""Carries runs out in processes that die, or lose their database, at a checkpoint; a script, driven over its pipes.

Usage: python killed_runs.py BASE_URL DATABASE_URL. It connects, reads and plans in that migrated database.
Each line on stdin is a command; each answer is one line of JSON with the originals kept so far:
    {"moment": "claimed" | "sent" | "answered" | "recorded" | "read" | null, "after": N,
     "fault": "kill" | "cut", "kind": "deliver" | "restore", "stages": [5, 50, null]}
stages: of a delivery that this command starts, one after the other without a pause; missing for one go.
A fork carries the run out. At the Nth such moment it dies by SIGKILL, or every connection to its database is cut: of
SQLite, which has none, nobody else writes for longer than is waited. Null lets it finish. What it left is then due, as
the sweep would find it later.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

BASE_URL, DATABASE_URL = sys.argv[1:]
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
os.environ["DATABASE_URL"] = DATABASE_URL
os.environ["OUTREACH_BASE_URL"] = BASE_URL
os.environ["LOG_LEVEL"] = "ERROR"

import django  # noqa: E402 - settings come first

django.setup()

from datetime import timedelta  # noqa: E402
from uuid import uuid4  # noqa: E402

import psycopg  # noqa: E402
from django.conf import settings  # noqa: E402
from django.db import connections as db_connections  # noqa: E402
from django.db.models import Count, Q  # noqa: E402
from django.utils import timezone  # noqa: E402

from integrations.connection.lifecycle import Authorisation, accept_authorisation  # noqa: E402
from integrations.gateway import open_gateway  # noqa: E402
from integrations.models import Connection, LedgerEntry, SyncKind  # noqa: E402
from integrations.outreach.oauth import TokenReply  # noqa: E402
from integrations.outreach.scopes import REQUESTED  # noqa: E402
from integrations.sync import runs  # noqa: E402
from portal.models import Domain, User  # noqa: E402
from signatures.authoring.templates import install_starters  # noqa: E402
from signatures.delivery.deliver import carry_out  # noqa: E402
from signatures.delivery.planning import plan_delivery  # noqa: E402
from signatures.delivery.restore_originals import carry_out_restore, start_restore  # noqa: E402
from signatures.delivery.runs import start_delivery  # noqa: E402
from signatures.delivery.stages import Rollout  # noqa: E402
from signatures.models import DeliveryRun, Snapshot  # noqa: E402
from signatures.senders.groups import refresh_groups  # noqa: E402
from signatures.senders.refresh import refresh_senders  # noqa: E402
from tests.support.deliveries import publish_drafts  # noqa: E402


def prepare(tokens: dict) -> Connection:
    user = User.objects.create_user("owner@acme.example", "correct horse battery")
    domain = Domain.objects.create(name="acme.example")
    pair = TokenReply(
        access_token=tokens["access_token"],
        refresh_token=tokens["refresh_token"],
        expires_in_seconds=tokens["expires_in"],
        scope=tokens["scope"],
        created_at=tokens["created_at"],
    )
    found = Authorisation(
        domain=domain, user=user, pair=pair, scopes_requested=REQUESTED, scopes_granted=REQUESTED,
        scopes_known=True, account_key="acme-organisation", account_label="Acme",
    )  # fmt: skip
    connection = accept_authorisation(uuid4(), found)
    runs.carry_out(runs.request_sync(connection, kind=SyncKind.FULL, actor="test").pk)
    refresh_groups(connection)
    refresh_senders(connection, since=None)
    install_starters(domain, actor="test")
    publish_drafts(domain)
    return connection


BUSY_SECONDS, LOCKED_SECONDS = 0.5, 1.5
CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def cut() -> None:
    """End every connection to the database; or hold SQLite's only write lock for longer than anybody waits for it."""
    if DATABASE_URL.startswith("postgres"):
        with psycopg.connect(DATABASE_URL, autocommit=True) as other:
            other.execute(CUT)
        return
    holder = sqlite3.connect(
        settings.DATABASES["default"]["NAME"], timeout=20, isolation_level=None, check_same_thread=False
    )
    holder.execute("BEGIN IMMEDIATE")
    threading.Timer(LOCKED_SECONDS, holder.close).start()


class Executioner:
    """Does one harm at the Nth moment of one kind."""

    def __init__(self, command: dict) -> None:
        self._moment, self._left = command["moment"], command["after"]
        self._harm = cut if command.get("fault") == "cut" else kill
        self._lock = threading.Lock()

    def reach(self, moment: str) -> None:
        with self._lock:
            if moment == self._moment:
                self._left -= 1
                if self._left == 0:
                    self._harm()


class WatchedGateway:
    def __init__(self, gateway, executioner: Executioner) -> None:
        self._gateway, self._executioner = gateway, executioner

    def read_mailboxes(self, people):
        self._executioner.reach("read")
        return self._gateway.read_mailboxes(people)

    def publish_signature(self, mailbox_id, html):
        self._executioner.reach("claimed")
        answer = self._gateway.publish_signature(mailbox_id, html)
        self._executioner.reach("answered")
        return answer

    def flush(self):
        self._executioner.reach("sent")
        self._gateway.flush()


def carry_out_and_die(run: DeliveryRun, command: dict) -> None:
    executioner = Executioner(command)
    if DATABASE_URL.startswith("sqlite") and command.get("fault") == "cut":
        db_connections["default"].settings_dict["OPTIONS"]["timeout"] = BUSY_SECONDS

    @contextmanager
    def watched(run):
        with open_gateway(run.connection, job="test") as gateway:
            yield WatchedGateway(gateway, executioner)

    work = carry_out if command["kind"] == "deliver" else carry_out_restore
    work(run.pk, gateway_factory=watched, progress=lambda run: executioner.reach("recorded"))


def main() -> None:
    connection = prepare(json.loads(sys.stdin.readline()))
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        run = get_run(connection, command["kind"], command.get("stages", []))
        db_connections.close_all()
        child = os.fork()
        if child == 0:
            carry_out_and_die(run, command)
            db_connections.close_all()
            os._exit(0)
        os.waitpid(child, 0)
        now = timezone.now()
        DeliveryRun.objects.filter(pk=run.pk).update(lease_until=now - timedelta(seconds=1))
        DeliveryRun.objects.filter(pk=run.pk, state="waiting").update(resume_at=now)
        run.refresh_from_db()
        print(
            json.dumps(
                {
                    "state": run.state,
                    "counts": [run.planned, run.settled, run.delivered, run.refused, run.failed],
                    "originals": dict(Snapshot.objects.values_list("mailbox_remote_id", "original_html")),
                    "stages": list_stages(run),
                    "unknown": LedgerEntry.objects.filter(outcome="unknown").count(),
                }
            ),
            flush=True,
        )


def get_run(connection: Connection, kind: str, stages: list[int | None]) -> DeliveryRun:
    present = DeliveryRun.objects.filter(kind=kind).exclude(state="complete").first()
    if present is not None:
        return present
    if kind == "restore":
        return start_restore(connection, actor="test")
    planned = plan_delivery(connection.domain, actor="test")
    return start_delivery(planned, actor="test", rollout=Rollout(sizes=tuple(stages)))


def list_stages(run: DeliveryRun) -> list[list[int]]:
    """Return of each stage its number, and how many of its mailboxes are written, open, and not read back."""
    rows = run.deliveries.exclude(state="refused", finished_at=None).order_by("stage").values_list("stage")
    counted = rows.annotate(
        written=Count("pk", filter=Q(state="delivered")),
        open=Count("pk", filter=Q(finished_at=None)),
        unread=Count("pk", filter=Q(state="delivered", read_back_at=None)),
    )
    return [list(row) for row in counted]


main()
