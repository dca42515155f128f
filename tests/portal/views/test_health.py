"""The probe that asks nothing, and the pages for when something is wrong."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, connection
from django.http import Http404
from django.test import RequestFactory

from portal.models import User
from portal.views import errors


def test_healthz_asks_nothing_of_the_database(client, django_assert_num_queries, db):
    with django_assert_num_queries(0):
        response = client.get("/healthz")

    assert (response.status_code, response.content) == (200, b"ok")


def test_probes_are_answered_whatever_the_host_header_says(client, db, settings):
    settings.ALLOWED_HOSTS = ["signatures.example.com"]
    settings.SECURE_SSL_REDIRECT = True

    answers = [
        client.get(path, headers={"host": "10.0.0.7:8000"}).status_code
        for path in ("/healthz", "/readyz/web", "/")
    ]

    assert answers == [200, 200, 400]


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
