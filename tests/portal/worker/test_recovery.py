"""Recovery: what a killed or frozen worker held is taken over by another one, and no mailbox is written wrongly."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator

import pytest

from integrations.outreach.sandbox import Sandbox
from portal.worker.worker_files import is_running
from tests.support.deliveries import get_held, get_writes
from tests.support.installation import Installation, wait_until
from tests.support.portal_process import as_json
from tests.support.served import LONG, PATIENCE_SECONDS, Served

pytestmark = pytest.mark.soak

DOMAIN = "acme.example"
DEFAULTS = {"HEARTBEAT_GRACE_SECONDS": "90", "LONG_WORKERS": "2"}
SYNC = """
from integrations.models import Connection, SyncKind
from integrations.sync.runs import request_sync
from portal.background import enqueue
run = request_sync(Connection.objects.get(), kind=SyncKind.FULL, actor="test")
enqueue("integrations.tasks.sync_directory", run_id=run.pk)
"""
DELIVER = """
from portal.background import enqueue
from portal.models import Domain
from signatures.authoring.templates import install_starters
from signatures.delivery.planning import plan_delivery
from signatures.delivery.runs import start_delivery
from signatures.releases.publish import publish
domain = Domain.objects.get(name="acme.example")
install_starters(domain, actor="test")
publish(domain, actor="test")
run = plan_delivery(domain, actor="test")
start_delivery(run, actor="test")
enqueue("signatures.tasks.deliver_signatures", run_id=run.pk)
print(run.planned)
"""
ORIGINALS = """
import json
from signatures.models import Snapshot
print(json.dumps(dict(Snapshot.objects.values_list("mailbox_remote_id", "original_html"))))
"""


@pytest.fixture
def company() -> Iterator[Sandbox]:
    with Sandbox(people=60, teams=4, seed=11, domain=DOMAIN, throttle_seconds=0) as sandbox:
        yield sandbox


@pytest.fixture
def served(start, company: Sandbox) -> Served:
    """A machine with workers whose domain is connected and read."""
    served = start("--no-web", OUTREACH_BASE_URL=company.base_url, **DEFAULTS)
    served.installation.connect(DOMAIN, company.oauth.issue_tokens(user_id=1))
    served.wait_for_worker(LONG)
    served.installation.rows(
        "UPDATE django_q_schedule SET repeats = 0"
    )  # the supervisor alone looks for what is due
    read(served)
    wait_until(lambda: get_syncs(served.installation) == ["complete"], seconds=PATIENCE_SECONDS)
    followed = "SELECT count(*) FROM django_q_task WHERE func = 'signatures.tasks.follow_sync' AND success"
    wait_until(lambda: served.installation.rows(followed) == [(1,)], seconds=PATIENCE_SECONDS)
    return served


def read(served: Served) -> None:
    served.installation.run(SYNC)


def get_syncs(installation: Installation) -> list[str]:
    return [state for (state,) in installation.rows("SELECT state FROM integrations_syncrun ORDER BY id")]


def get_deliveries(installation: Installation) -> list[str]:
    return [state for (state,) in installation.rows("SELECT state FROM signatures_deliveryrun ORDER BY id")]


def begin_delivery(served: Served, company: Sandbox) -> tuple[int, int]:
    """Begin a slow delivery; how many mailboxes it has, and the process that is at it, which has written some."""
    company.requests.clear()
    company.faults.add("slow", method="PATCH", times=None, seconds=3)
    planned = int(served.installation.run(DELIVER).splitlines()[-1])
    wait_until(lambda: len(get_writes(company)) > 10, seconds=PATIENCE_SECONDS)
    [busy] = served.get_workers(LONG, word="busy")
    return planned, busy


def check_delivered(served: Served, company: Sandbox, before: dict[str, str], planned: int) -> None:
    """Every mailbox holds its signature and its original is kept; what was in flight alone was written again."""
    wait_until(lambda: get_deliveries(served.installation) == ["complete"], seconds=PATIENCE_SECONDS)
    held, writes = get_held(company), Counter(get_writes(company))
    changed = {id for id in held if held[id] != before[id]}
    assert len(changed) == planned
    assert set(writes) == changed
    assert sum(writes.values()) - planned <= 8
    assert as_json(served.installation.run(ORIGINALS)) == {id: before[id] for id in changed}


def test_a_killed_workers_sync_is_begun_again_by_another(served, company):
    company.faults.add("slow", method="GET", path="/api/v2/users", times=1, seconds=18)
    read(served)
    wait_until(lambda: get_syncs(served.installation) == ["complete", "running"], seconds=PATIENCE_SECONDS)
    [busy] = served.get_workers(LONG, word="busy")

    os.kill(busy, signal.SIGKILL)

    wait_until(
        lambda: get_syncs(served.installation) == ["complete", "interrupted", "complete"],
        seconds=PATIENCE_SECONDS,
    )
    people = served.installation.rows("SELECT count(*) FROM integrations_person WHERE retired_at IS NULL")
    assert people == [(60,)]


def test_a_killed_workers_delivery_is_continued_by_another(served, company):
    before = get_held(company)
    planned, busy = begin_delivery(served, company)

    os.kill(busy, signal.SIGKILL)

    check_delivered(served, company, before, planned)


def test_a_frozen_worker_that_wakes_after_it_was_replaced_writes_nothing_more(served, company):
    before = get_held(company)
    planned, busy = begin_delivery(served, company)

    os.kill(busy, signal.SIGSTOP)
    check_delivered(served, company, before, planned)
    writes = len(get_writes(company))
    os.kill(busy, signal.SIGCONT)

    wait_until(
        lambda: not is_running(busy) or busy in served.get_workers(LONG, word="idle"),
        seconds=PATIENCE_SECONDS,
    )
    assert len(get_writes(company)) == writes
    check_delivered(served, company, before, planned)


def test_a_delivery_longer_than_its_lease_is_left_to_the_worker_that_is_at_it(served, company):
    before = get_held(company)
    company.requests.clear()
    company.faults.add(
        "slow", method="PATCH", times=8, seconds=18
    )  # a lease is 15 seconds, a call may take 20
    planned = int(served.installation.run(DELIVER).splitlines()[-1])

    check_delivered(served, company, before, planned)
    assert len(get_writes(company)) == planned
