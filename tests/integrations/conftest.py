"""A person's way through Outreach's consent and back, a sync, and a bystander who must stay unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from integrations.models import Connection
from integrations.outreach.sandbox import Sandbox
from portal.models import Domain, Role, User
from tests.support.connections import PUBLIC_URL, get_values
from tests.support.consent import RoundTrip
from tests.support.installation import Installation
from tests.support.sync_runs import SMALL_PAGES, get_mirror, run_sync

# Its `assert_erased` then tells what differs, as an assertion in a test does.
pytest.register_assert_rewrite("tests.support.disconnects")


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
