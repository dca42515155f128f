"""Fifty kills: a delivery to 5,000 mailboxes by two machines whose workers are killed, and whose database restarts.

pytest -m kills -s    # prints its figures; some ten minutes
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations.outreach.sandbox import Sandbox
from tests.support.deliveries import get_held, get_writes
from tests.support.installation import Installation, wait_until
from tests.support.portal_process import as_json
from tests.support.postgres import Cluster, running_cluster
from tests.support.served import LONG, Served

from .test_postgres import found_and_connect
from .test_upgrade import READ, START, STATE

pytestmark = [pytest.mark.soak, pytest.mark.kills, pytest.mark.postgres]

MAILBOXES, KILLS = 5_000, 50
IN_FLIGHT = 8  # threads of a delivery
SETTINGS = {"LEASE_SECONDS": "3", "SWEEP_SECONDS": "1", "LONG_WORKERS": "1", "WORKERS": "1"}
RENDER = """
import json
from portal.models import Domain
from signatures.models import DeliveryRun
from signatures.releases.compose import Composer
from signatures.releases.live import get_live_content
domain = Domain.objects.get(name="acme.example")
composer = Composer(domain, get_live_content(domain))
print(json.dumps({
    row.mailbox_remote_id: composer.compose(row.sender).rendered.html
    for row in DeliveryRun.objects.latest("pk").deliveries.filter(state="delivered").select_related("sender")
}))
"""


@pytest.fixture
def company() -> Iterator[Sandbox]:
    with Sandbox(people=MAILBOXES, teams=40, seed=3, domain="acme.example", throttle_seconds=0) as sandbox:
        sandbox.settings.hourly_limit = 10**6
        yield sandbox


@pytest.fixture
def durable_cluster() -> Iterator[Cluster]:
    with running_cluster() as cluster:
        cluster.stop()
        cluster.start()  # with fsync and synchronous commits
        yield cluster


def find_busy(machines: list[Served]) -> list[int]:
    return [pid for machine in machines for pid in machine.get_workers(LONG, word="busy")]


def test_every_mailbox_is_right_after_fifty_kills_and_a_restart_of_the_database(
    durable_cluster: Cluster, company: Sandbox, tmp_path: Path
) -> None:
    url = durable_cluster.create()
    installation = Installation(
        tmp_path, None, DATABASE_URL=url, OUTREACH_BASE_URL=company.base_url, PUBLIC_URL="http://testserver",
        OUTREACH_HOURLY_CALLS="1000000", **SETTINGS,
    )  # fmt: skip
    machines: list[Served] = []
    try:
        assert installation.manage("migrate", "--verbosity=0", timeout=900).returncode == 0
        found_and_connect(installation, company)
        installation.run(READ, timeout=600)
        before = get_held(company)
        for number in range(2):
            output = tmp_path / f"serve-{number}.log"
            process = installation.start("serve", "--no-web", "--sandbox", output=output)
            machines.append(Served(installation, process, output))
        for machine in machines:
            machine.wait_for_worker(LONG)
        company.requests.clear()
        company.faults.add("slow", method="PATCH", times=None, seconds=0.05)
        planned = int(installation.run(START, timeout=600).splitlines()[-1])

        waits = kill_workers(machines, company, planned, durable_cluster)

        wait_until(lambda: as_json(installation.run(STATE))[0] == "complete", seconds=300)
        originals = as_json(installation.run(STATE))[1]
        held, writes = get_held(company), Counter(get_writes(company))
        repeated = sum(writes.values()) - planned
        print(
            f"\n{planned} mailboxes, {len(waits)} kills, {repeated} writes repeated; "
            f"taken over after {sorted(waits)[len(waits) // 2]:.1f} s, {max(waits):.1f} s at most"
        )
        changed = {id for id in held if held[id] != before[id]}
        assert (len(waits), len(changed), set(writes)) == (KILLS, planned, changed)
        assert {id: held[id] for id in changed} == as_json(installation.run(RENDER, timeout=600))
        assert originals == {id: before[id] for id in changed}
        assert repeated <= IN_FLIGHT * (KILLS + 1)
    finally:
        for machine in machines:
            for pid in set(map(int, re.findall(r"started, process (\d+)", machine.output.read_text()))):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
        installation.close()


def kill_workers(machines: list[Served], company: Sandbox, planned: int, cluster: Cluster) -> list[float]:
    """Kill the worker at the delivery again and again; how long each time until the next write."""
    chance = random.Random(5)  # noqa: S311 - repeatable, not secret
    waits = []
    for number in range(1, KILLS + 1):
        enough = number * (planned - 500) // KILLS + chance.randrange(40)
        wait_until(lambda enough=enough: len(get_writes(company)) >= enough, seconds=120)
        for pid in wait_until(lambda: find_busy(machines), seconds=60):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.5)  # what was in flight arrives
        killed_at, written = time.monotonic(), len(get_writes(company))
        if number == KILLS // 2:
            cluster.stop()
            cluster.start()
        wait_until(lambda written=written: len(get_writes(company)) > written, seconds=120)
        waits.append(time.monotonic() - killed_at)
    return waits
