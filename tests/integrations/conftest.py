"""A person's way through Outreach's consent and back, a sync, and a bystander who must stay unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from integrations.models import Connection, LedgerEntry, Mailbox, Person, SyncKind, Team
from integrations.outreach.sandbox import Sandbox
from integrations.outreach.sandbox.requestlog import LoggedRequest
from integrations.outreach.scopes import REQUESTED
from integrations.sync import runs
from portal.models import Domain, Role, User
from tests.installation import Installation

# Its `assert_erased` then tells what differs, as an assertion in a test does.
pytest.register_assert_rewrite("tests.integrations.leaving")

PUBLIC_URL = "http://testserver"
SMALL_PAGES = 10
UNTOUCHED = "The connection you had before is untouched."
NOTHING_STORED = "Nothing was stored, and nothing in Outreach was changed."


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def words_of(response: HttpResponse) -> str:
    """The text a person reads on a page, spaces folded."""
    parser = _Words()
    parser.feed(response.content.decode())
    return " ".join(" ".join(parser.found).split())


class RoundTrip:
    """One browser connecting one domain: out with `leave`, a decision with `decide`, home with `come_back`."""

    def __init__(self, client: Client, sandbox: Sandbox, domain: Domain) -> None:
        self.client = client
        self.sandbox = sandbox
        self.domain = domain

    def leave(self, query: str = "", **headers: Any) -> str:
        """Press "Connect Outreach"; the address of the consent page the person is sent to."""
        response = self.client.post(
            reverse("integrations:outreach_connect", args=[self.domain.name]) + query, **headers
        )
        assert response.status_code == 302, response.content
        return response["Location"]

    def decide(
        self,
        address: str,
        *,
        decision: str = "allow",
        grant: tuple[str, ...] = REQUESTED,
        user_id: int = 1,
    ) -> str:
        """Press Allow or Deny on Outreach's page; the address the browser is sent back to."""
        fields: dict[str, Any] = dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))
        fields |= {"grant": list(grant), "user_id": str(user_id), "decision": decision}
        reply = requests.post(
            f"{self.sandbox.base_url}/oauth/authorize", data=fields, allow_redirects=False, timeout=10
        )
        assert reply.status_code == 302, reply.text
        return reply.headers["Location"]

    def come_back(self, address: str, client: Client | None = None, **headers: Any) -> HttpResponse:
        parts = urlsplit(address)
        return (client or self.client).get(f"{parts.path}?{parts.query}", **headers)  # type: ignore[return-value]

    def walk(self, **decision: Any) -> HttpResponse:
        """The whole way."""
        return self.come_back(self.decide(self.leave(), **decision))


def change_query(address: str, **changes: str | None) -> str:
    """The same address with some of its parameters set, or left out where None."""
    parts = urlsplit(address)
    fields = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name, value in changes.items():
        if value is None:
            fields.pop(name, None)
        else:
            fields[name] = value
    return parts._replace(query=urlencode(fields)).geturl()


def get_values(connection: Connection) -> dict[str, Any]:
    """Every column of a connection as it is stored now, the sealed ones too."""
    return dict(Connection.objects.filter(pk=connection.pk).values().get())


def get_calls(connection: Connection | None = None) -> list[tuple[str, str, int, int]]:
    """(endpoint, outcome, status, times) of every call in the ledger, oldest first."""
    entries = LedgerEntry.objects.filter(action="call").order_by("id")
    if connection is not None:
        entries = entries.filter(connection_ref=str(connection.pk))
    return list(entries.values_list("endpoint", "outcome", "status", "times"))


def token_calls(sandbox: Sandbox) -> list[LoggedRequest]:
    return sandbox.requests.to("/oauth/token")


def get_acts(domain: Domain) -> list[str]:
    """The privileged acts of a domain, oldest first."""
    return list(
        LedgerEntry.objects.filter(domain=domain)
        .exclude(action="call")
        .order_by("id")
        .values_list("action", flat=True)
    )


def run_sync(connection: Connection, kind: SyncKind = SyncKind.FULL, **options: Any) -> Any:
    """Ask for a run and carry it out at once; the run as it is then."""
    run = runs.request_sync(connection, kind=kind, by_label="test", **options)
    return runs.carry_out(run.pk)


def get_mirror(connection: Connection) -> dict[str, Any]:
    """Every column of every mirrored row of a connection."""
    return {
        model.__name__: list(model.objects.filter(connection=connection).order_by("pk").values())
        for model in (Team, Person, Mailbox)
    }


@pytest.fixture
def bystander(connect: Callable[..., Connection], other_domain: Domain, make_member: Any) -> Connection:
    """Another domain's connection, with an owner of its own."""
    return connect(other_domain, make_member(other_domain, Role.OWNER))


@pytest.fixture
def unchanged_bystander(bystander: Connection) -> Iterator[None]:
    """Whatever happens to one domain, the other's connection stays as it is to the byte."""
    before = get_values(bystander)
    yield
    assert get_values(bystander) == before


@pytest.fixture
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """One process alone has nobody to wait for; processes of their own wait as they do in production."""
    monkeypatch.setattr("integrations.disconnect.steps.SEEN_AFTER_SECONDS", 0)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of ten, so that a company of 24 has three of them."""
    from integrations.outreach import connector

    monkeypatch.setattr(connector.OutreachConnector.__init__, "__kwdefaults__", {"page_size": SMALL_PAGES})


@pytest.fixture
def mirrored(sandbox: Sandbox, connection: Connection, bystander: Connection) -> Iterator[Connection]:
    """Both connections synced once; the bystander's mirror must stay as it is."""
    run_sync(connection)
    run_sync(bystander)
    before = get_mirror(bystander)
    sandbox.requests.clear()
    yield connection
    assert get_mirror(bystander) == before


@pytest.fixture
def trip(client: Client, sandbox: Sandbox, domain: Domain, owner: User) -> RoundTrip:
    """The owner's browser, logged in."""
    client.force_login(owner)
    sandbox.settings.remember_consent = False
    return RoundTrip(client, sandbox, domain)


@pytest.fixture
def installation(migrated_database: Path, tmp_path: Path, sandbox: Sandbox) -> Iterator[Installation]:
    """Processes of their own on a database of their own, pointed to the test's sandbox."""
    made = Installation(
        tmp_path, migrated_database, OUTREACH_BASE_URL=sandbox.base_url, PUBLIC_URL=PUBLIC_URL
    )
    yield made
    made.close()
