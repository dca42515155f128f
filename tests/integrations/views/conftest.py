"""Connections in any state, readers with any role, and what a page lets one press."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from integrations.models import Connection, RunState, SyncKind, SyncRun
from integrations.outreach.scopes import REQUESTED
from portal.models import Domain, Role
from portal.worker.heartbeat import record_beat
from tests.support.browser_checks import QUIET


@pytest.fixture
def page(domain: Domain) -> str:
    """The address of the connection's page."""
    return reverse("integrations:outreach", args=[domain.name])


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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        # Playwright keeps an event loop on this thread; Django would refuse the ORM beside it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, live_server: LiveServer, as_owner: Client) -> Iterator[Callable[..., Page]]:
    """Open a browser in which the owner is signed in."""
    contexts = []

    def make(width: int = 1280, scheme: str = "light") -> Page:
        context = chromium.new_context(
            base_url=live_server.url, viewport={"width": width, "height": 844}, color_scheme=scheme
        )
        contexts.append(context)
        name = settings.SESSION_COOKIE_NAME
        context.add_cookies([{"name": name, "value": as_owner.cookies[name].value, "url": live_server.url}])
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
