"""The readiness probes: web and worker, in words, at once or within seconds, without a mail or an exception page."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError, connection
from django.db.backends.signals import connection_created
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from portal.background import LONG
from portal.models import Role, WorkerHeartbeat, WorkerMachine
from portal.operations import readiness
from portal.worker.heartbeat import record_beat
from portal.worker.machines import note_machine

pytestmark = pytest.mark.django_db(transaction=True)  # checks have connections of their own

PATHS = ("/readyz/web", "/readyz/worker", "/readyz")
WELL: dict[str, Any] = {"ready": True, "faults": []}
LOG = "portal.operations.readiness"


@pytest.fixture(autouse=True)
def _nothing_was_said(monkeypatch):
    """A process that has just started."""
    monkeypatch.setattr(readiness, "_said", {})


@pytest.fixture
def beating() -> None:
    record_beat()
    record_beat(LONG)


Asked = Callable[..., contextlib.AbstractContextManager[None]]


@pytest.fixture
def asked() -> Asked:
    """Do `act` in place of each statement that a check sends, within this context."""

    @contextlib.contextmanager
    def asked(act: Callable[[], None]) -> Iterator[None]:
        def instead(execute, *statement):
            act()
            return execute(*statement)

        def wrap(*, connection, **kwargs):
            connection.execute_wrappers.append(instead)

        connection_created.connect(wrap)
        try:
            yield
        finally:
            connection_created.disconnect(wrap)

    return asked


def be_away(failure: type[Exception] = OperationalError) -> None:
    raise failure("connection to 10.0.0.7 refused")


def read(client, path: str) -> tuple[int, dict[str, Any]]:
    answer = client.get(path)
    assert answer["Cache-Control"] == "no-store"
    return answer.status_code, answer.json()


def test_a_portal_that_is_well_says_so_to_strangers_for_each_part(client, beating):
    answers = [read(client, path) for path in PATHS]
    seen = [answers[1][1]["seen_seconds_ago"], answers[2][1]["worker"]["seen_seconds_ago"]]
    first, second = (
        WELL | {"alive": True, "seen_seconds_ago": seconds, "clocks_differ": False} for seconds in seen
    )

    assert max(seen) < 30
    assert answers == [
        (200, WELL),
        (200, first),
        (200, WELL | {"web": WELL, "worker": second, "missing": "", "database": True, "migrations": True}),
    ]


@pytest.mark.parametrize(
    ("age", "seen", "fault"),
    [
        (20, 20, ""),
        (-3, -3, ""),
        (150, 150, readiness.WORKER_AWAY),
        (-590, -590, readiness.CLOCKS_DIFFER),
        (None, None, readiness.WORKER_AWAY),
    ],
)
def test_a_worker_that_is_away_is_a_fault_of_the_worker_and_not_of_the_web(client, age, seen, fault):
    record_beat(LONG)
    if age is not None:
        record_beat(at=timezone.now() - timedelta(seconds=age))

    web, worker, both = (read(client, path) for path in PATHS)

    assert web == (200, WELL)
    assert worker == (
        503 if fault else 200,
        {
            "ready": not fault,
            "faults": [fault] if fault else [],
            "alive": not fault,
            "seen_seconds_ago": seen,
            "clocks_differ": fault == readiness.CLOCKS_DIFFER,
        },
    )
    assert (both[0], both[1]["faults"], both[1]["missing"]) == (worker[0], worker[1]["faults"], "")


def test_short_tasks_that_run_do_not_hide_that_nobody_takes_long_ones(client):
    record_beat()
    record_beat(LONG, at=timezone.now() - timedelta(minutes=5))

    status, answer = read(client, "/readyz/worker")

    assert (status, answer["alive"], answer["faults"]) == (503, True, [readiness.LONG_WORKER_AWAY])


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(minutes=-10), timedelta(days=400)])
@pytest.mark.parametrize("whose", ["worker", "web"])
def test_a_clock_that_differs_from_the_databases_changes_no_sign_of_life(client, ahead, whose):
    moved = timezone.now() + ahead
    with time_machine.travel(moved) if whose == "worker" else contextlib.nullcontext():
        record_beat()
        record_beat(LONG)
    with time_machine.travel(moved) if whose == "web" else contextlib.nullcontext():
        alive = client.get("/readyz/worker").json()
    WorkerHeartbeat.objects.update(beat_at=Now() - timedelta(minutes=5))  # it stopped five minutes ago
    with time_machine.travel(moved) if whose == "web" else contextlib.nullcontext():
        stopped = client.get("/readyz/worker").json()

    assert (alive["alive"], alive["seen_seconds_ago"] < 30) == (True, True)
    assert (stopped["alive"], 300 <= stopped["seen_seconds_ago"] < 330) == (False, True)


def test_clocks_that_differ_are_said_on_pages_and_once_in_the_log(client, make_member, domain, caplog):
    client.force_login(make_member(domain, Role.OWNER))
    record_beat(at=timezone.now() + timedelta(minutes=10))

    page = client.get(reverse("portal:overview", args=[domain.name])).content.decode()
    for _ in range(3):
        client.get("/readyz")
    record_beat()
    client.get("/readyz")

    assert "the clocks of worker and database differ" in page
    assert "alive, seen" not in page
    assert [r.getMessage() for r in caplog.records if r.name == LOG] == [
        f"Background worker: {readiness.CLOCKS_DIFFER}",
        "Worker's clock is right again",
    ]


def test_a_migration_that_is_owed_is_said_until_it_is_applied(client, beating):
    [latest] = MigrationLoader(connection).graph.leaf_nodes("signatures")
    MigrationRecorder(connection).record_unapplied(*latest)

    owed = [read(client, path) for path in PATHS]
    MigrationRecorder(connection).record_applied(*latest)
    applied = [client.get(path).status_code for path in PATHS]

    pending = readiness.MIGRATIONS_PENDING
    assert [(status, answer["faults"]) for status, answer in owed] == [
        (503, [pending]),
        (503, [pending]),
        (503, [pending]),
    ]
    assert (owed[2][1]["missing"], owed[2][1]["database"], owed[2][1]["migrations"]) == (pending, True, False)
    assert applied == [200, 200, 200]


def test_the_migrations_are_loaded_once_however_often_a_probe_asks(client, asked):
    client.get("/readyz")
    loaded = readiness._list_migrations.cache_info().misses
    statements: list[None] = []

    with asked(lambda: statements.append(None)):
        client.get("/readyz")

    assert readiness._list_migrations.cache_info().misses == loaded == 1
    assert len(statements) <= 6


@pytest.mark.parametrize("failure", [OperationalError, InterfaceError])
def test_a_database_that_is_away_is_said_without_its_address(client, beating, asked, failure):
    with asked(lambda: be_away(failure)):
        answers = [client.get(path) for path in PATHS]

    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert readiness.DATABASE_AWAY in answers[0].json()["faults"]
    assert answers[1].json()["faults"] == [readiness.WORKER_UNKNOWN]
    assert not [answer for answer in answers if b"10.0.0.7" in answer.content]


def test_an_unready_portal_is_logged_once_and_nobody_gets_mail_for_a_probe(
    client, beating, asked, settings, caplog, mailoutbox
):
    settings.ADMINS = [("Operator", "operator@example.com")]
    settings.DEBUG = False

    with asked(be_away):
        statuses = [client.get("/readyz/web").status_code for _ in range(3)]
    statuses += [client.get("/readyz/web").status_code for _ in range(2)]

    assert statuses == [503, 503, 503, 200, 200]
    assert [(r.levelname, r.getMessage()) for r in caplog.records if r.name == LOG] == [
        ("WARNING", f"Not ready to serve: {readiness.DATABASE_AWAY}; {readiness.CACHE_AWAY}"),
        ("WARNING", "Ready to serve again"),
    ]
    assert mailoutbox == []


def test_a_database_that_hangs_is_said_within_seconds_and_at_once_to_the_next_who_asks(
    client, beating, asked
):
    goes_on = threading.Event()
    with asked(lambda: goes_on.wait(60)):
        began = time.monotonic()
        first = read(client, "/readyz/web")
        between = time.monotonic()
        second = read(client, "/readyz/worker")
        ended = time.monotonic()
        goes_on.set()

    assert first == (503, {"ready": False, "faults": [readiness.DATABASE_AWAY, readiness.CACHE_AWAY]})
    assert (second[0], second[1]["faults"]) == (503, [readiness.WORKER_UNKNOWN])
    assert between - began < 10  # three seconds, on a machine that has time
    assert ended - between < between - began
    wait_for_answer(client)


def test_a_redis_that_hangs_is_said_and_nothing_else_is(client, beating, settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections, and never answers
        address = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        settings.CACHES = {
            "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": address}
        }
        answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["faults"]) == (503, [readiness.CACHE_AWAY])
    assert b"127.0.0.1" not in answer.content


def wait_for_answer(client) -> None:
    """What hung is over, and the portal ready again."""
    end = time.monotonic() + 30
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < end


def test_a_spool_folder_nobody_can_write_to_is_said_without_its_path(client, beating, settings, tmp_path):
    taken = tmp_path / "spool"
    taken.write_text("a file where the folder should be")
    settings.SPOOL_FOLDER = str(taken)

    answer = client.get("/readyz/web")

    assert (answer.status_code, answer.json()["faults"]) == (503, [readiness.SPOOL_CLOSED])
    assert str(tmp_path).encode() not in answer.content


def test_a_disk_that_is_nearly_full_is_said(client, beating, monkeypatch):
    monkeypatch.setattr(readiness, "LEAST_FREE_BYTES", 2**62)

    assert read(client, "/readyz/web") == (503, {"ready": False, "faults": [readiness.DISK_FULL]})


def probe(part: str, *options: str) -> tuple[str, int | None]:
    out = io.StringIO()
    try:
        call_command("status", "--probe", part, *options, stdout=out)
    except CommandError as error:
        return str(error), error.returncode
    return out.getvalue().strip(), 0


def test_the_command_says_the_same_by_its_exit_code_for_machines_that_serve_no_http(beating):
    away = probe("machine")
    note_machine(is_busy=False, memory_mb=100)
    present = [probe(part) for part in ("web", "worker", "machine", "both")]
    WorkerMachine.objects.update(name="another-machine")
    elsewhere = probe("machine")

    assert away == elsewhere == (f"Not ready: {readiness.MACHINE_AWAY}.", 1)
    assert present == [("ready", 0)] * 4
    assert json.loads(probe("web", "--json")[0]) == WELL


def test_the_command_says_that_the_database_is_away(asked):
    with asked(be_away):
        answers = [probe(part) for part in ("web", "worker", "machine")]

    unknown = f"Not ready: {readiness.WORKER_UNKNOWN}."
    assert answers == [
        (f"Not ready: {readiness.DATABASE_AWAY}; {readiness.CACHE_AWAY}.", 1),
        (unknown, 1),
        (unknown, 1),
    ]
