"""Servers that take a connection and then say nothing: nobody waits for them for long."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from integrations.notices.channel_settings import send_test
from portal.models import User
from tests.support.installation import Installation


@pytest.fixture
def port() -> Iterator[int]:
    """A port at which the kernel takes connections that nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield silent.getsockname()[1]


def test_a_mail_server_that_says_nothing_is_left(db, settings, port):
    assert 0 < settings.EMAIL_TIMEOUT <= 60  # what an installation has; shorter here
    settings.EMAIL_TIMEOUT = 0.2
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port

    (tried,) = send_test(None, to=User.objects.create_user("ops@acme.example"))

    assert (tried.is_taken, tried.answer) == (False, "the mail server did not take it")


@pytest.mark.soak
def test_the_status_of_a_database_that_says_nothing_cannot_be_told(tmp_path, port):
    installation = Installation(tmp_path, None, DATABASE_URL=f"postgres://portal@127.0.0.1:{port}/portal")

    done = installation.manage("status")

    assert (done.returncode, done.stdout) == (2, "")
    assert "the database does not answer" in done.stderr
