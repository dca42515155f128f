"""A company that is connected, synced, grouped and has its shipped templates: ready for its first delivery."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from integrations.models import Connection, SyncKind
from integrations.outreach.sandbox import Sandbox
from integrations.sync import runs
from portal.models import Domain
from signatures.authoring.templates import install_starters
from signatures.delivery.runs import carry_out, plan_delivery, start_delivery
from signatures.models import Delivery, DeliveryRun, DeliveryState
from signatures.recipients import facts
from signatures.senders.groups import refresh_groups
from signatures.senders.refresh import refresh_senders


def read_directory(connection: Connection) -> None:
    """The mirror, the groups and the senders say what Outreach says now."""
    run = runs.request_sync(connection, kind=SyncKind.FULL, by_label="test")
    runs.carry_out(run.pk)
    refresh_groups(connection)
    refresh_senders(connection, since=None)


@pytest.fixture
def look_ups_end(db: None) -> Iterator[None]:
    """A look-up that nobody waits for any more ends before the tables are emptied under it."""
    yield
    if facts._get_threads.cache_info().currsize:
        facts._get_threads().shutdown(wait=True)
        facts._get_threads.cache_clear()


@pytest.fixture
def ready(sandbox: Sandbox, connection: Connection) -> Connection:
    read_directory(connection)
    install_starters(connection.domain, by_label="test")
    sandbox.requests.clear()
    return connection


@pytest.fixture
def deliver(domain: Domain) -> Callable[..., DeliveryRun]:
    """Plan, start and carry out one delivery to the domain."""

    def run_delivery(**options) -> DeliveryRun:
        run = plan_delivery(domain, by_label="test", **options)
        start_delivery(run, by_label="test")
        return carry_out(run.pk)

    return run_delivery


@pytest.fixture
def resync(ready: Connection) -> Callable[[], None]:
    """Read the directory again."""
    return lambda: read_directory(ready)


def get_writes(sandbox: Sandbox) -> list[str]:
    """Return the ids of the mailboxes that were written, in the order the requests arrived."""
    return [entry.path.rsplit("/", 1)[1] for entry in sandbox.requests if entry.method == "PATCH"]


def get_held(sandbox: Sandbox) -> dict[str, str]:
    """Return mailbox id -> the signature Outreach holds, '' for none."""
    return {str(id): mailbox.email_signature or "" for id, mailbox in sandbox.directory.mailboxes.items()}


def get_delivered(run: DeliveryRun) -> set[str]:
    """Return the ids of the mailboxes the run delivered to."""
    rows = Delivery.objects.filter(run=run, state=DeliveryState.DELIVERED)
    return set(rows.values_list("mailbox_remote_id", flat=True))
