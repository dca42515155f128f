"""Secrets planted everywhere are nowhere to be read after the portal worked, failed, and wrote home about it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings as configured
from django.contrib import admin
from django.core import mail
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ

from integrations.connection.lifecycle import check_connection
from integrations.crypto.sealing import open_sealed, seal
from integrations.models import Connection
from integrations.tasks import refresh_tokens
from portal.models import IdentityProvider, User
from tests.support.database_text import dump_database
from tests.support.sync_runs import run_sync
from tests.support.token_renewal import age

PASSWORD = "canary-of-a-password-81c2"
SEED = "CANARYSEEDJBSWY3DPEHPK3PXP"
SSO_SECRET = "canary-of-an-sso-secret-20fe"
FAULTS = [
    ("status", "/api/v2/*"), ("forbidden", "/api/v2/*"), ("unauthorized", "/api/v2/*"), ("reset", "/oauth/token"),
    ("truncated_json", "/oauth/token"), ("retry_later", "/oauth/token"), ("status", "/oauth/token"),
]  # fmt: skip


class Sinks:
    """Everything that was written anywhere, and every secret there ever was."""

    def __init__(self) -> None:
        self.said: dict[str, list[str]] = {}
        self.secrets: dict[str, str] = {
            "password": PASSWORD,
            "seed": SEED,
            "SSO secret": SSO_SECRET,
            "SECRET_KEY": configured.SECRET_KEY,
            "TOKEN_KEYS": configured.TOKEN_KEYS[0],
            "client secret": configured.OUTREACH_CLIENT_SECRET,
        }

    def hear(self, sink: str, text: object) -> None:
        self.said.setdefault(sink, []).append(str(text))

    def remember_tokens(self, connection: Connection) -> None:
        row = Connection.objects.get(pk=connection.pk)
        for column in ("access", "refresh"):
            if sealed := getattr(row, f"{column}_sealed"):
                token = open_sealed(sealed, bound_to=f"{row.pk}:{column}")
                self.secrets[f"{column} token {token[-6:]}"] = token

    def list_leaks(self) -> list[tuple[str, str]]:
        return sorted(
            {
                (name, sink)
                for sink, texts in self.said.items()
                for text in texts
                for name, secret in self.secrets.items()
                if secret in text
            }
        )


@pytest.fixture
def company(connection: Connection, owner: User, settings: Any) -> Connection:
    """A connected domain whose owner has a known password and a second step, and which set single sign-on up."""
    owner.set_password(PASSWORD)
    owner.save()
    Authenticator.objects.create(user=owner, type="totp", data={"secret": seal(SEED, bound_to="mfa")})
    provider = IdentityProvider(domain=connection.domain, issuer="https://login.acme.example", client_id="c")
    provider.client_secret_sealed = seal(SSO_SECRET, bound_to=provider.bound_to)
    provider.save()
    settings.ADMINS = [("Ops", "ops@portal.example")]
    return connection


def work_and_fail(client: Client, company: Connection, sandbox: Any, sinks: Sinks) -> None:
    """A day in which everything that may go wrong between us and Outreach does, once by hand and once by schedule."""
    sinks.remember_tokens(company)
    for kind, path in FAULTS:
        age(company)
        sandbox.faults.add(kind, path=path, times=3)
        for act in (
            lambda: check_connection(company, actor="test"),
            refresh_tokens,
            lambda: run_sync(company),
        ):
            try:
                sinks.hear("answer", act())
            except Exception as error:
                sinks.hear("error", f"{error!r} {error.__cause__!r} {vars(error)}")
        sinks.remember_tokens(company)
        sandbox.faults.clear()
    client.post(reverse("integrations:sync_now", args=[company.domain.name]), {"kind": "full"})
    for entry in OrmQ.objects.all():
        sinks.hear("queue", f"{entry.payload} {entry.task}")


def fail_inside(client: Client, monkeypatch: pytest.MonkeyPatch, sinks: Sinks, company: Connection) -> None:
    """Forms with secrets in them meet a fault of ours: a page, a log and a mail to the operators come of it."""

    def fail(*args: Any, **kwargs: Any) -> None:
        kept = (SSO_SECRET, PASSWORD)  # held by a frame of the traceback
        raise RuntimeError(f"failed with {len(kept)} secrets in hand")

    client.raise_request_exception = False
    monkeypatch.setattr("portal.views.sign_in._save", fail)
    monkeypatch.setattr("portal.sso.forms.read_configuration", lambda issuer: {})
    typed = {
        "issuer": "https://login.acme.example",
        "client_id": "c",
        "client_secret": SSO_SECRET,
    }
    failed = client.post(reverse("portal:sign_in_oidc", args=[company.domain.name]), typed)
    assert failed.status_code == 500
    sinks.hear("page", failed.content)
    monkeypatch.setattr("allauth.account.forms.LoginForm.login", fail)
    stranger = Client(raise_request_exception=False)
    refused = stranger.post("/accounts/login/", {"login": "owner@acme.example", "password": PASSWORD})
    assert refused.status_code == 500
    sinks.hear("page", refused.content)
    mails = [letter for letter in mail.outbox if letter.to == ["ops@portal.example"]]
    assert len(mails) == 2
    assert "RuntimeError" in str(mails[0].body)
    for letter in mails:
        sinks.hear("error mail", f"{letter.subject} {letter.message()} {letter.alternatives}")


def read_pages(client: Client, company: Connection, sinks: Sinks) -> None:
    names = [
        "portal:overview",
        "portal:sign_in",
        "portal:sign_in_oidc",
        "portal:sign_in_saml",
        "portal:members",
        "integrations:outreach",
        "integrations:ledger",
    ]
    for name in names:
        sinks.hear("page", client.get(reverse(name, args=[company.domain.name])).content)
    for model in admin.site._registry:
        where = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        sinks.hear("admin", client.get(reverse(f"{where}_changelist")).content)
        row = model._default_manager.first()
        if row is not None:
            sinks.hear("admin", client.get(reverse(f"{where}_change", args=[row.pk])).content)


@pytest.mark.django_db(transaction=True)
def test_i8_secrets_are_nowhere_to_be_read_after_everything_went_wrong(
    client, company, owner, sandbox, caplog, capfd, monkeypatch
):
    caplog.set_level(logging.DEBUG)
    User.objects.filter(pk=owner.pk).update(is_staff=True, is_superuser=True)
    sinks = Sinks()
    client.force_login(User.objects.get(pk=owner.pk))

    work_and_fail(client, company, sandbox, sinks)
    read_pages(client, company, sinks)
    fail_inside(client, monkeypatch, sinks, company)
    sinks.hear("log", caplog.text)
    sinks.hear("output", "".join(capfd.readouterr()))
    sinks.hear("database, cache and sessions", dump_database())

    assert len([name for name in sinks.secrets if "token" in name]) >= 4
    assert {sink: bool(texts) for sink, texts in sinks.said.items()}.keys() >= {
        "page", "admin", "error", "error mail", "log", "queue", "database, cache and sessions",
    }  # fmt: skip
    assert sinks.list_leaks() == []
