"""Workers: four deliveries of one domain, carried out by one, two and four worker machines.

`measure_turns` starts the workers, which are those of the product; `queue_runs` is what it runs before.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests

from tests.support.postgres import Cluster

from .delivery import LATENCY_SECONDS

RUNS = 4
NUMBERS = (1, 2, 4)
MOST_SECONDS = 600
HOW_FAR = """
SELECT bool_and(state = 'complete'), extract(epoch FROM max(finished_at) - min(started_at)), sum(delivered)
FROM signatures_deliveryrun
"""


def measure_turns(url: str, cluster: Cluster) -> dict[int, dict[str, Any]]:
    """Return for each number of workers the seconds, mailboxes and writes, and the memory of a worker's processes."""
    from .__main__ import ROOT, get_environ, measure

    database = cluster.create()
    measure("sync", url, database)
    found = {}
    for number in NUMBERS:
        copy = cluster.create(database.rpartition("/")[2])
        measure(f"queue:{number}", url, copy)
        environ = get_environ(url, copy) | {"Q_CLUSTER_NAME": "long", "LONG_WORKERS": "1"}
        found[number] = _carry_out(number, ROOT, environ)
    return found


def _carry_out(number: int, root: Path, environ: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "manage.py", "qcluster"]
    workers = [
        subprocess.Popen(
            command, cwd=root, env=environ, start_new_session=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(number)
    ]  # fmt: skip
    try:
        done = _wait(environ["DATABASE_URL"], workers)
        asked = requests.get(f"{environ['OUTREACH_BASE_URL']}/_sandbox/requests", timeout=60).json()
        return done | {"writes": sum(one["method"] == "PATCH" for one in asked)}
    finally:
        for worker in workers:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()


def _wait(database: str, workers: list[subprocess.Popen[bytes]]) -> dict[str, Any]:
    import psycopg

    memory, end = 0.0, time.monotonic() + MOST_SECONDS
    with psycopg.connect(database, autocommit=True) as connection:
        while time.monotonic() < end:
            row = connection.execute(HOW_FAR).fetchone()
            memory = max([memory, *(_measure_memory(worker.pid) for worker in workers)])
            if row and row[0]:
                return {
                    "seconds": float(row[1]),
                    "delivered": int(row[2]),
                    "memory_mb": memory,
                }
            time.sleep(0.5)
    raise SystemExit(f"Not delivered within {MOST_SECONDS} s.")


def _measure_memory(session: int) -> float:
    """Return the memory in MB of a worker machine's processes; what they share is divided among them."""
    kilobytes = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) == session:
                lines = (folder / "smaps_rollup").read_text().splitlines()
                kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (OSError, ProcessLookupError):
            continue  # it ended
    return kilobytes / 1024


def queue_runs(number: int, connection: Any, control: Any) -> dict[str, Any]:
    """Publish what no mailbox holds yet, and queue a delivery to each quarter of the senders; writes take 50 ms."""
    from portal.background import enqueue
    from signatures.authoring.templates import install_starters, save_template
    from signatures.delivery.after_sync import follow_mirror
    from signatures.delivery.planning import plan_delivery
    from signatures.delivery.runs import start_delivery
    from signatures.models import Sender, Template
    from signatures.releases.publish import publish

    domain = connection.domain
    follow_mirror(connection.sync_runs.latest("pk"))
    install_starters(domain, actor="benchmark")
    for template in Template.objects.filter(domain=domain):
        source = f"{template.current.source}<p>Delivered by {number}</p>"
        save_template(domain, name=template.name, template=template, source=source, actor="benchmark")
    publish(domain, actor="benchmark")
    senders = list(
        Sender.objects.filter(domain=domain, is_active=True).order_by("pk").values_list("pk", flat=True)
    )
    control("DELETE", "faults")
    control("DELETE", "requests")
    control("POST", "faults", kind="slow", method="PATCH", times=None, seconds=LATENCY_SECONDS)
    for start in range(RUNS):
        run = plan_delivery(domain, actor="benchmark", sender_ids=senders[start::RUNS])
        start_delivery(run, actor="benchmark")
        enqueue("signatures.tasks.deliver_signatures", run_id=run.pk)
    return {"senders": len(senders)}
