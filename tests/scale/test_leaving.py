"""Leaving while its processes are killed, its database cut and its disk full: every original goes back all the same."""

from __future__ import annotations

import json
import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integrations.outreach.sandbox import Sandbox
from tests.support.installation import Installation, wait_until

from .test_postgres import LEAVE, SYNC_AND_DELIVER, found_and_connect, get_signatures

pytestmark = [pytest.mark.soak, pytest.mark.postgres]

# What the worker's tasks and sweeps do with a leaving connection, again and again, with nobody else at work.
WORK = """
import time
from datetime import timedelta
from django.db import close_old_connections
from django.db.backends.signals import connection_created
from django.utils import timezone
from integrations.models import Connection, Receipt
from integrations.tasks import continue_disconnect
from signatures.models import DeliveryRun
from signatures.tasks import restore_signatures, sweep_deliveries
if sys.argv[1] == "full":
    def fill(connection, **kwargs):
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA page_count")
            cursor.execute(f"PRAGMA max_page_count={cursor.fetchone()[0]}")
    connection_created.connect(fill)
while True:
    close_old_connections()
    try:
        early = timezone.now() - timedelta(seconds=1)
        DeliveryRun.objects.filter(state="waiting").update(resume_at=early)
        DeliveryRun.objects.filter(state="running").update(lease_until=early)
        Connection.objects.update(disconnect_lease_until=None)
        row = Connection.objects.get()
        if row.state == "disconnected":
            break
        restore_signatures(connection_id=str(row.pk))
        continue_disconnect(connection_id=str(row.pk))
    except Exception as error:
        print(type(error).__name__, str(error).splitlines()[0], file=sys.stderr, flush=True)
    time.sleep(0.1)
"""
END = """
import json
from integrations.models import Connection, LedgerEntry, Receipt
from signatures.models import DeliveryRun, Snapshot
print(json.dumps({
    "state": Connection.objects.get().state,
    "owed": Snapshot.objects.filter(restored_at=None).count(),
    "receipt": Receipt.objects.get().content["originals"],
    "runs": list(DeliveryRun.objects.filter(kind="restore").values_list("state", flat=True)),
    "faults": LedgerEntry.objects.filter(action="stopped by a fault").count(),
}))
"""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(
        people=60, teams=4, seed=7, domain="acme.example", client_id="sandbox-client",
        client_secret="sandbox-secret", throttle_seconds=0,
    ) as running:  # fmt: skip
        yield running


@pytest.fixture
def leave(install: Callable[..., Installation], sandbox: Sandbox) -> Callable[[str], Installation]:
    """A company with a delivery behind it asks to leave; what its mailboxes held is kept to compare."""

    def make(database: str) -> Installation:
        installation = install(database)
        found_and_connect(installation, sandbox)
        before = get_signatures(sandbox)
        installation.run(SYNC_AND_DELIVER)
        assert get_signatures(sandbox) != before
        installation.before = before  # type: ignore[attr-defined]  # only this module looks
        sandbox.faults.add("slow", method="PATCH", times=None, seconds=0.05)
        sandbox.requests.clear()
        installation.run(LEAVE)
        return installation

    return make


def count_writes(sandbox: Sandbox) -> int:
    return sum(one.method == "PATCH" for one in sandbox.requests)


def finish(installation: Installation) -> subprocess.Popen[str]:
    process = installation.start_script(WORK, "free")
    assert process.wait(120) == 0, process.stdout and process.stdout.read()
    return process


def assert_left_well(installation: Installation, sandbox: Sandbox) -> None:
    found: dict[str, Any] = json.loads(installation.run(END).splitlines()[-1])
    assert get_signatures(sandbox) == installation.before  # type: ignore[attr-defined]
    assert found == {
        "state": "disconnected",
        "owed": 0,
        "receipt": found["receipt"]
        | {"restored": found["receipt"]["mailboxes"], "left_as_they_are": [], "were_to_be_restored": True},
        "runs": ["complete"],
        "faults": 0,
    }
    assert found["receipt"]["mailboxes"] > 40


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_killed_at_every_step_of_leaving(
    leave: Callable[[str], Installation], sandbox: Sandbox, database: str
) -> None:
    installation = leave(database)
    chance = random.Random(3)  # noqa: S311 - repeatable, not secret

    for _ in range(6):
        process = installation.start_script(WORK, "free")
        aim, begun = count_writes(sandbox) + chance.randint(1, 9), len(sandbox.requests)
        wait_until(
            lambda aim=aim, process=process: count_writes(sandbox) >= aim or process.poll() is not None,
            seconds=60,
        )
        process.kill()
        process.wait()
        assert len(sandbox.requests) > begun
    revoking = installation.start_script(WORK, "free")
    wait_until(lambda: sandbox.requests.to("/oauth/revoke"), seconds=90)
    revoking.kill()
    revoking.wait()

    finish(installation)

    assert_left_well(installation, sandbox)


def test_thrown_out_of_the_database_at_every_step_of_leaving(
    leave: Callable[[str], Installation], sandbox: Sandbox, cluster: Any
) -> None:
    installation = leave("postgres")
    database = installation.environ["DATABASE_URL"].rpartition("/")[2]
    process = installation.start_script(WORK, "free")
    is_over = threading.Event()

    def throw_out() -> None:
        for number in range(40):
            if is_over.wait(0.3):
                return
            cluster.cut(database)
            if number % 10 == 9:
                is_over.wait(1.5)  # away for longer than one try
            cluster.join(database)

    thrower = threading.Thread(target=throw_out)
    thrower.start()
    try:
        assert process.wait(150) == 0, process.stdout and process.stdout.read()
    finally:
        is_over.set()
        thrower.join()
        cluster.join(database)

    assert_left_well(installation, sandbox)


def test_a_disk_that_is_full_at_every_step_of_leaving(
    leave: Callable[[str], Installation], sandbox: Sandbox
) -> None:
    installation = leave("sqlite")

    for _ in range(3):
        process = installation.start_script(WORK, "full")
        assert process.stdout
        assert any(
            "disk is full" in line for line in process.stdout
        )  # it ends where the disk is full for once
        process.kill()
        process.wait()

    finish(installation)

    assert_left_well(installation, sandbox)
