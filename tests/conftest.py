"""Fixtures every test may use: a sandbox Outreach on a real socket, and a domain connected to it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import hypothesis
import pytest
from django.db import connections
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.test import TransactionTestCase
from django.urls import reverse
from playwright.sync_api import expect
from pytest_django.plugin import DjangoDbBlocker

from integrations.connection.lifecycle import Authorisation, accept_authorisation
from integrations.ledger import chain
from integrations.models import Connection, LedgerEntry
from integrations.outreach.oauth import TokenReply
from integrations.outreach.sandbox import Sandbox
from integrations.outreach.scopes import REQUESTED
from portal.models import Domain, Membership, Role, User
from tests.support.installation import migrate_template
from tests.support.tampering import without_guards

NEEDS = {
    "browser": (("chromium",), "Chromium is not installed (Debian's package `chromium`)."),
    "postgres": (("pg_ctlcluster",), "PostgreSQL is not installed (Debian's package `postgresql`)."),
    "pgbouncer": (("pgbouncer",), "PgBouncer is not installed (Debian's package `pgbouncer`)."),
    "nginx": (("nginx", "openssl"), "nginx or openssl is not installed (Debian's packages of these names)."),
    "postfix": (("postfix",), "Postfix is not installed (Debian's package `postfix`)."),
    "redis": (("redis-server",), "Redis is not installed (Debian's package `redis-server`)."),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests whose programs are absent are skipped with their reason; where CI is set they run, and fail."""
    if os.environ.get("CI"):
        return
    for marker, (programs, reason) in NEEDS.items():
        if all(shutil.which(program) for program in programs):
            continue
        for item in items:
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


PUBLIC_URL = "http://testserver"

# A busy machine makes neither an example wrong nor its maker too slow.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("suite")
# Nor is a page wrong that takes its time.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session", autouse=True)
def _emptied_databases() -> Iterator[None]:
    """Tests that commit end by emptying every table, the ledger's too, which its triggers would refuse."""
    empty = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]  # no public hook around it

    def empty_unguarded(case: TransactionTestCase) -> None:
        with without_guards():
            empty(case)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TransactionTestCase, "_fixture_teardown", empty_unguarded)
        yield


@pytest.fixture(scope="session", autouse=True)
def _kept_connections() -> Iterator[None]:
    """Nothing closes the connection whose transaction a test runs in, as nothing closes a database in memory."""
    close = DatabaseWrapper.close

    def close_outside_transactions(self: DatabaseWrapper) -> None:
        if not self.in_atomic_block:
            close(self)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(DatabaseWrapper, "close", close_outside_transactions)
        yield


@pytest.fixture
def write_entry(db) -> Callable[..., LedgerEntry]:
    """Write one entry of any kind into a domain's ledger, through the one writer."""

    def write(domain: Domain, **fields: object) -> LedgerEntry:
        entry = LedgerEntry(domain=domain, domain_name=domain.name, **fields)
        chain.append([entry], domain=domain)
        return entry

    return write


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file, to copy for an installation of its own."""
    return migrate_template(tmp_path_factory.mktemp("migrated"))


@pytest.fixture(scope="session")
def django_db_setup(
    tmp_path_factory: pytest.TempPathFactory, migrated_database: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    """Each process of a run has a file of its own, a copy of one that was migrated once for all of them.

    Who meets a lock of a file waits, as in an installation; a database in memory fails at once.
    """
    connection = connections["default"]
    own = tmp_path_factory.mktemp("database") / "tests.sqlite3"
    connection.settings_dict["NAME"] = str(shutil.copy(migrated_database, own))
    with django_db_blocker.unblock():
        connection.close()


@pytest.fixture
def sandbox(settings) -> Iterator[Sandbox]:
    """A small company in a sandbox, which the portal's settings point to."""
    settings.PUBLIC_URL = PUBLIC_URL
    with Sandbox(
        people=24,
        teams=4,
        seed=7,
        domain="acme.example",
        client_id=settings.OUTREACH_CLIENT_ID,
        client_secret=settings.OUTREACH_CLIENT_SECRET,
        redirect_uris=(PUBLIC_URL + reverse("outreach_callback"),),
        throttle_seconds=0,
    ) as running:
        settings.OUTREACH_BASE_URL = running.base_url
        yield running


@pytest.fixture
def domain(db) -> Domain:
    return Domain.objects.create(name="acme.example")


@pytest.fixture
def other_domain(db) -> Domain:
    """The bystander: whatever happens to `domain`, nothing happens to this one."""
    return Domain.objects.create(name="bystander.example")


@pytest.fixture
def make_member(db) -> Callable[..., User]:
    """Make a person with a role in a domain."""

    def make(domain: Domain, role: Role, email: str = "") -> User:
        user = User.objects.create_user(
            email or f"{role}@{domain.name}", "correct horse battery", first_name="Dana"
        )
        user.emailaddress_set.create(email=user.email, verified=True, primary=True)
        Membership.objects.create(domain=domain, user=user, role=role)
        return user

    return make


@pytest.fixture
def owner(domain: Domain, make_member) -> User:
    return make_member(domain, Role.OWNER)


@pytest.fixture
def connect(sandbox: Sandbox, settings) -> Callable[..., Connection]:
    """Connect a domain with tokens that the sandbox issued, as the callback would."""

    def make(domain: Domain, user: User, *, scopes: tuple[str, ...] = REQUESTED) -> Connection:
        reply = sandbox.oauth.issue_tokens(scopes=list(scopes), user_id=1)
        pair = TokenReply(
            access_token=reply["access_token"],
            refresh_token=reply["refresh_token"],
            expires_in_seconds=reply["expires_in"],
            scope=reply["scope"],
            created_at=reply["created_at"],
        )
        return accept_authorisation(
            uuid4(),
            Authorisation(
                domain=domain,
                user=user,
                pair=pair,
                scopes_requested=REQUESTED,
                scopes_granted=scopes,
                scopes_known=True,
                account_key="acme-organisation",
                account_label="Acme",
            ),
        )

    return make


@pytest.fixture
def connection(connect, domain: Domain, owner: User) -> Connection:
    return connect(domain, owner)
