"""What is logged and mailed of a failed request names its view, and no address, which may be a secret link."""

from __future__ import annotations

import io
import logging.config

import pytest
from django.conf import settings as all_settings
from django.core import mail
from django.db import OperationalError
from django.test import Client

from portal.views import invitations

SECRET = "a-link-that-only-its-guest-has"


@pytest.fixture
def log(settings):
    settings.SECURE_SSL_REDIRECT = False
    settings.ADMINS = [("ops@acme.example", "ops@acme.example")]
    console = io.StringIO()
    present = all_settings.LOGGING["handlers"]
    handlers = {**present, "console": {**present["console"], "stream": console}}
    logging.config.dictConfig(all_settings.LOGGING | {"handlers": handlers})
    yield console
    logging.config.dictConfig(all_settings.LOGGING)


@pytest.mark.parametrize(("error", "status"), [(OperationalError("away"), 503), (KeyError("x"), 500)])
def test_a_failed_request_is_told_by_its_view(db, log, monkeypatch, error, status):
    def find(token: str) -> None:
        raise error

    monkeypatch.setattr(invitations, "find_invitation", find)

    response = Client(raise_request_exception=False).get(f"/invitations/{SECRET}/?name=ana")

    (sent,) = mail.outbox
    assert response.status_code == status
    assert "portal:invitation_link" in sent.subject and "GET portal:invitation_link" in sent.body
    assert ": portal:invitation_link" in log.getvalue()
    for told in (sent.subject, sent.body, log.getvalue()):
        assert SECRET not in told and "ana" not in told


def test_a_refused_form_is_told_by_its_view(db, log):
    response = Client(enforce_csrf_checks=True).post(f"/accounts/password/reset/key/1-{SECRET}/")

    assert response.status_code == 403
    assert "Forbidden (CSRF cookie not set.): account_reset_password_from_key" in log.getvalue()
    assert SECRET not in log.getvalue()


@pytest.mark.parametrize(("error", "mails"), [(OperationalError("away"), 1), (KeyError("x"), 2)])
def test_an_outage_is_mailed_once_and_an_error_once_for_each_view(db, log, monkeypatch, error, mails):
    def find(*args: object) -> None:
        raise error

    monkeypatch.setattr(invitations, "find_invitation", find)
    monkeypatch.setattr(invitations, "find_by_digest", find)
    browser = Client(raise_request_exception=False)

    answers = [browser.get(path).status_code for path in 3 * [f"/invitations/{SECRET}/", "/invitations/"]]

    assert min(answers) >= 500
    assert len(mail.outbox) == mails
    assert log.getvalue().count("ERROR") == 6  # each is in the log
