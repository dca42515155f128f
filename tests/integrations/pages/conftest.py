"""Connections in any state, readers with any role, and what a page lets one press."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from django.test import Client
from django.utils import timezone

from integrations.models import Connection, RunState, SyncKind, SyncRun
from integrations.outreach.scopes import REQUESTED
from portal.models import Domain, Role
from portal.worker.heartbeat import record_beat


@pytest.fixture
def connected(domain: Domain) -> Callable[..., Connection]:
    """Make a connection whose rows say what a test wants; it holds no tokens."""

    def make(in_domain: Domain = domain, **fields) -> Connection:
        defaults = {
            "account_label": "Acme Ltd",
            "authorised_by_label": "dana@acme.example",
            "scopes_requested": list(REQUESTED),
            "scopes_granted": list(REQUESTED),
            "refreshed_at": timezone.now(),
        }
        return Connection.objects.create(domain=in_domain, **(defaults | fields))

    return make


@pytest.fixture
def add_run() -> Callable[..., SyncRun]:
    def make(connection: Connection, **fields) -> SyncRun:
        defaults = {
            "kind": SyncKind.FULL,
            "state": RunState.COMPLETE,
            "started_by_label": "schedule",
            "finished_at": timezone.now(),
        }
        return SyncRun.objects.create(connection=connection, **(defaults | fields))

    return make


@pytest.fixture
def signed_in(client: Client, domain: Domain, make_member) -> Callable[[Role], Client]:
    """Sign somebody with this role in; the worker is awake, so that no page warns of it."""
    record_beat()

    def make(role: Role) -> Client:
        client.force_login(make_member(domain, role))
        return client

    return make


@pytest.fixture
def as_owner(signed_in) -> Client:
    return signed_in(Role.OWNER)


class _Buttons(HTMLParser):
    """Collects what each form of a page's main part would do."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_button = False
        self._in_main = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_main = self._in_main or tag == "main"
        self._in_button = tag == "button" and self._in_main

    def handle_endtag(self, tag: str) -> None:
        self._in_main = self._in_main and tag != "main"
        self._in_button = False

    def handle_data(self, data: str) -> None:
        if self._in_button:
            self.found.append(data.strip())


def list_buttons(page: str) -> list[str]:
    """Return the words on the page's buttons, in reading order."""
    parser = _Buttons()
    parser.feed(page)
    return parser.found
