"""What probes ask, and the pages for when something is wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import Http404
from django.test import RequestFactory
from django.utils import timezone

from portal import views
from portal.heartbeat import record_beat
from portal.models import User


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

    assert answers == [200, 503, 400]


def test_readyz_is_ready_with_a_database_migrations_and_a_living_worker(client, db):
    record_beat(at=timezone.now() - timedelta(seconds=20))

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {
        "ready": True,
        "database": True,
        "migrations": True,
        "worker": True,
        "worker_seen_seconds_ago": 20,
    }
    assert response["Cache-Control"] == "no-store"


def test_readyz_is_not_ready_before_a_worker_was_seen(client, db):
    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {
        "ready": False,
        "database": True,
        "migrations": True,
        "worker": False,
        "worker_seen_seconds_ago": None,
    }


def test_readyz_is_not_ready_when_the_worker_fell_silent(client, db, settings):
    record_beat(at=timezone.now() - timedelta(seconds=settings.HEARTBEAT_GRACE_SECONDS + 60))

    response = client.get("/readyz")

    assert (response.status_code, response.json()["worker"]) == (503, False)


def test_readyz_is_not_ready_while_a_migration_is_owed(client, db):
    record_beat()
    [latest] = MigrationLoader(connection).graph.leaf_nodes("signatures")
    MigrationRecorder(connection).record_unapplied(*latest)

    response = client.get("/readyz")

    assert (response.status_code, response.json()["migrations"]) == (503, False)


@pytest.mark.parametrize("failure", [OperationalError, InterfaceError])
def test_readyz_is_not_ready_without_its_database_and_shows_no_trace(client, db, failure):
    record_beat()

    def refuse(*statement):
        raise failure("connection to 10.0.0.7 refused")

    with connection.execute_wrapper(refuse):
        response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {
        "ready": False,
        "database": False,
        "migrations": False,
        "worker": False,
        "worker_seen_seconds_ago": None,
    }


@pytest.mark.parametrize(
    ("view", "arguments", "status", "words"),
    [
        (views.bad_request, (ValueError("odd"),), 400, "That request could not be read"),
        (views.permission_denied, (PermissionDenied("Not for <you>."),), 403, "Not for &lt;you&gt;."),
        (views.csrf_failure, ("token missing",), 403, "This page was open too long"),
        (views.page_not_found, (Http404(),), 404, "There is no such page"),
        (views.server_error, (), 500, "Something broke on our side"),
    ],
)
def test_a_page_that_failed_says_what_happened(view, arguments, status, words):
    response = view(RequestFactory().get("/x"), *arguments)

    assert response.status_code == status
    assert words in response.content.decode()


def test_b9_a_database_that_is_away_is_a_503_that_says_so_and_no_fault_of_ours(client, db):
    def be_away(*arguments):
        raise OperationalError("connection to db.internal refused")

    client.force_login(User.objects.create_user("dana@acme.example", "correct horse battery"))
    client.raise_request_exception = False

    with connection.execute_wrapper(be_away):
        answer = client.get("/")

    assert (answer.status_code, answer["Retry-After"]) == (503, "30")
    assert "does not answer" in answer.content.decode()
    assert "db.internal" not in answer.content.decode()
    assert client.get("/").status_code == 200
