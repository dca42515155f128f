"""What probes ask, and the pages for when something is wrong."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
import time_machine
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.models.functions import Now
from django.http import Http404
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from portal.models import Role, User, WorkerHeartbeat
from portal.operations import readiness
from portal.views import errors
from portal.worker.heartbeat import record_beat


def test_healthz_asks_nothing_of_the_database(client, django_assert_num_queries, db):
    with django_assert_num_queries(0):
        response = client.get("/healthz")

    assert (response.status_code, response.content) == (200, b"ok")


def test_probes_are_answered_whatever_the_host_header_says(client, db, settings):
    settings.ALLOWED_HOSTS = ["signatures.example.com"]
    settings.SECURE_SSL_REDIRECT = True

    answers = [
        client.get(path, headers={"host": "10.0.0.7:8000"}).status_code
        for path in ("/healthz", "/readyz", "/")
    ]

    assert answers == [200, 200, 400]


def make_answer(missing="", database=True, migrations=True, **worker):
    alive = {"alive": True, "seen_seconds_ago": 0, "clocks_differ": False}
    return {
        "ready": not missing,
        "missing": missing,
        "database": database,
        "migrations": migrations,
        "worker": alive | worker,
    }


UNSEEN = {"alive": False, "seen_seconds_ago": None}
PENDING = "migrations are pending; run `python manage.py migrate`"
AWAY = "the database does not answer"


@pytest.fixture(autouse=True)
def _nothing_was_said(monkeypatch):
    """A process that has just started."""
    monkeypatch.setattr(readiness, "_said", {"web": "", "worker": ""})


@pytest.fixture
def away():
    """The database is away within this context, and counts nothing."""

    @contextlib.contextmanager
    def be_away(failure=OperationalError):
        def refuse(*statement):
            raise failure("connection to 10.0.0.7 refused")

        with connection.execute_wrapper(refuse):
            yield

    return be_away


@pytest.mark.parametrize(
    ("age", "worker"),
    [
        (20, {"seen_seconds_ago": 20}),
        (-3, {"seen_seconds_ago": -3}),
        (150, {"alive": False, "seen_seconds_ago": 150}),
        (-590, {"alive": False, "seen_seconds_ago": -590, "clocks_differ": True}),
        (None, UNSEEN),
    ],
)
def test_readyz_says_how_the_worker_is_and_is_ready_without_it(client, db, age, worker):
    if age is not None:
        record_beat(at=timezone.now() - timedelta(seconds=age))

    response = client.get("/readyz")

    assert (response.status_code, response.json()) == (200, make_answer(**worker))
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(minutes=-10), timedelta(days=400)])
@pytest.mark.parametrize("whose", ["worker", "web"])
def test_a_clock_that_differs_from_the_databases_changes_no_sign_of_life(client, db, ahead, whose):
    moved = timezone.now() + ahead
    with time_machine.travel(moved) if whose == "worker" else contextlib.nullcontext():
        record_beat()
    with time_machine.travel(moved) if whose == "web" else contextlib.nullcontext():
        alive = client.get("/readyz")
    WorkerHeartbeat.objects.update(beat_at=Now() - timedelta(minutes=5))  # it stopped five minutes ago
    with time_machine.travel(moved) if whose == "web" else contextlib.nullcontext():
        stopped = client.get("/readyz")

    assert alive.json() == make_answer()
    assert stopped.json() == make_answer(alive=False, seen_seconds_ago=300)


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
    assert [
        (r.levelname, r.getMessage()) for r in caplog.records if r.name == "portal.operations.readiness"
    ] == [
        (
            "WARNING",
            "Background worker: the worker's last heartbeat lies in the future: "
            "the clocks of worker and database differ",
        ),
        ("WARNING", "Worker's clock is right again"),
    ]


def test_readyz_is_not_ready_while_a_migration_is_owed(client, db):
    record_beat()
    [latest] = MigrationLoader(connection).graph.leaf_nodes("signatures")
    MigrationRecorder(connection).record_unapplied(*latest)

    owed = client.get("/readyz")
    MigrationRecorder(connection).record_applied(*latest)
    applied = client.get("/readyz")

    assert (owed.status_code, owed.json()) == (503, make_answer(PENDING, migrations=False, **UNSEEN))
    assert (applied.status_code, applied.json()) == (200, make_answer())


def test_readyz_loads_the_migrations_once_however_often_it_is_asked(
    client, db, django_assert_max_num_queries
):
    client.get("/readyz")
    loaded = readiness._list_migrations.cache_info().misses

    with django_assert_max_num_queries(3):
        client.get("/readyz")

    assert readiness._list_migrations.cache_info().misses == loaded == 1


@pytest.mark.parametrize("failure", [OperationalError, InterfaceError])
def test_readyz_is_not_ready_without_its_database_and_shows_no_trace(client, db, away, failure):
    record_beat()

    with away(failure):
        response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == make_answer(AWAY, database=False, migrations=False, **UNSEEN)


def test_an_unready_portal_is_logged_once_and_nobody_gets_mail_for_a_probe(
    client, db, away, settings, caplog, mailoutbox
):
    settings.ADMINS = [("Operator", "operator@example.com")]
    settings.DEBUG = False

    with away():
        statuses = [client.get("/readyz").status_code for _ in range(3)]
    statuses += [client.get("/readyz").status_code for _ in range(2)]

    assert statuses == [503, 503, 503, 200, 200]
    assert [(r.levelname, r.name, r.getMessage()) for r in caplog.records] == [
        ("WARNING", "portal.operations.readiness", f"Not ready to serve: {AWAY}"),
        ("WARNING", "portal.operations.readiness", "Ready to serve again"),
    ]
    assert mailoutbox == []


@pytest.mark.parametrize(
    ("view", "arguments", "status", "words"),
    [
        (errors.bad_request, (ValueError("odd"),), 400, "That request could not be read"),
        (errors.permission_denied, (PermissionDenied("Not for <you>."),), 403, "Not for &lt;you&gt;."),
        (errors.csrf_failure, ("token missing",), 403, "This page has expired"),
        (errors.page_not_found, (Http404(),), 404, "Page not found"),
        (errors.server_error, (), 500, "An error occurred on the server"),
    ],
)
def test_a_page_that_failed_says_what_happened(view, arguments, status, words):
    response = view(RequestFactory().get("/x"), *arguments)

    assert response.status_code == status
    assert words in response.content.decode()


def test_a_database_that_is_away_is_a_503_that_says_so_and_no_fault_of_ours(client, db):
    def be_away(*arguments):
        raise OperationalError("connection to db.internal refused")

    client.force_login(User.objects.create_user("dana@acme.example", "correct horse battery"))
    client.raise_request_exception = False

    with connection.execute_wrapper(be_away):
        answer = client.get("/")

    assert (answer.status_code, answer["Retry-After"]) == (503, "30")
    assert "is temporarily unavailable" in answer.content.decode()
    assert "db.internal" not in answer.content.decode()
    assert client.get("/").status_code == 200
