"""A company that is connected, synced, grouped and has its shipped templates: ready for its first delivery."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.db import connection as database
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.utils import timezone

from integrations import lookup
from integrations.models import Connection, Person
from integrations.outreach.sandbox import Sandbox
from portal.models import Domain
from signatures.analytics import spool as analytics_spool
from signatures.analytics.spool import Spool
from signatures.authoring.templates import install_starters
from signatures.delivery.deliver import carry_out
from signatures.delivery.planning import plan_delivery
from signatures.delivery.runs import start_delivery
from signatures.models import (
    Banner,
    BannerPlace,
    Campaign,
    DeliveryRun,
    Sender,
)
from signatures.serving import cache
from tests.support.banner_slot import make_image, open_place
from tests.support.banners import PUBLIC_URL
from tests.support.campaigns import add_banner, make_campaign
from tests.support.company import Company, found_company
from tests.support.deliveries import publish_drafts, read_directory


@pytest.fixture
def look_ups_end(db: None) -> Iterator[None]:
    """A look-up that nobody waits for any more ends before the tables are emptied under it."""
    yield
    if lookup._get_threads.cache_info().currsize:
        lookup._get_threads().shutdown(wait=True)
        lookup._get_threads.cache_clear()


@pytest.fixture
def ready(sandbox: Sandbox, connection: Connection) -> Connection:
    read_directory(connection)
    install_starters(connection.domain, actor="test")
    publish_drafts(connection.domain)
    sandbox.requests.clear()
    return connection


@pytest.fixture
def deliver(domain: Domain) -> Callable[..., DeliveryRun]:
    """Plan, start and carry out one delivery to the domain."""

    def run_delivery(**options) -> DeliveryRun:
        publish_drafts(domain)
        run = plan_delivery(domain, actor="test", **options)
        start_delivery(run, actor="test")
        return carry_out(run.pk)

    return run_delivery


@pytest.fixture
def resync(ready: Connection) -> Callable[[], None]:
    """Read the directory again."""
    return lambda: read_directory(ready)


@pytest.fixture
def company(domain: Domain) -> Company:
    return found_company(domain)


@pytest.fixture
def bystanders(other_domain: Domain) -> Company:
    return found_company(other_domain)


@pytest.fixture
def fresh_serving(
    look_ups_end: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A test has a serving cache and a spool of its own, at the public URL of `tests.support.banners`."""
    settings.PUBLIC_URL = PUBLIC_URL
    settings.SPOOL_FOLDER = str(tmp_path / "spool")
    spool = Spool()
    monkeypatch.setattr(cache, "CACHE", cache.ServingCache())
    monkeypatch.setattr(analytics_spool, "SPOOL", spool)
    yield
    spool.close()


@pytest.fixture
def theirs(other_domain: Domain) -> Campaign:
    """The bystander's campaign, running, with a banner."""
    campaign = make_campaign(other_domain, name="Theirs")
    add_banner(campaign)
    return campaign


@pytest.fixture
def hold(sandbox: Sandbox) -> Iterator[Callable[[str], Callable[[], None]]]:
    """Requests for the path are answered once what is returned was called, and at the end of the test."""
    released = threading.Event()

    def hold_path(path: str) -> Callable[[], None]:
        sandbox.watchers.append(lambda request: request.path == path and released.wait())
        return released.set

    yield hold_path
    released.set()


@pytest.fixture
def place(domain: Domain) -> BannerPlace:
    return open_place(domain)


@pytest.fixture
def sender(domain: Domain, connection: Connection) -> Sender:
    person = Person.objects.create(
        connection=connection, remote_id="9001", email="maria@acme.example", changed_at=timezone.now()
    )
    return Sender.objects.create(
        domain=domain,
        person=person,
        email="maria@acme.example",
        name="Maria Alvarez",
        changed_at=timezone.now(),
    )


@pytest.fixture
def campaign(domain: Domain) -> Callable[..., Campaign]:
    """Make a running campaign with one banner, for an audience given as (attribute, operator, values)."""

    def make(name: str, *conditions: tuple[str, str, list[str]], **options: Any) -> Campaign:
        audience = [
            {"attribute": attribute, "operator": operator, "values": values}
            for attribute, operator, values in conditions
        ]
        options = {"domain": domain, "starts_at": timezone.now() - timedelta(days=1), **options}
        made = Campaign.objects.create(name=name, audience=audience, **options)
        Banner.objects.create(
            campaign=made,
            name=f"{name} banner",
            image=make_image(made.domain),
            alt=f"See {name}",
            link=f"https://acme.example/{made.pk}",
        )
        BannerPlace.objects.touch(made.domain)
        return made

    return make


def _wait_for_turn(execute, sql, params, many, context) -> Any:
    """A statement that meets a lock is tried again, for as long as a database on disk would wait."""
    ends_at = time.monotonic() + 20
    while True:
        try:
            return execute(sql, params, many, context)
        except OperationalError as error:
            if "is locked" not in str(error) or time.monotonic() > ends_at:
                raise
        time.sleep(0.005)


@pytest.fixture
def reads_beside_writers(transactional_db: None) -> Iterator[None]:
    """The test and a thread of the product may read and write at once, as with a database on disk.

    SQLite refuses a statement at once where another connection to the same database in memory has the table or
    the only write lock ("database table is locked"): neither `timeout` nor reading uncommitted rows helps two writers.
    """

    def attach(connection: BaseDatabaseWrapper, **_: object) -> None:
        if _wait_for_turn not in connection.execute_wrappers:
            connection.execute_wrappers.append(_wait_for_turn)

    attach(database)
    connection_created.connect(attach)
    yield
    connection_created.disconnect(attach)
    database.execute_wrappers.remove(_wait_for_turn)
