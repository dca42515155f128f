"""Two queues: while long tasks occupy all their workers, short ones run, and nothing is taken ahead of its time."""

from __future__ import annotations

import json
import socket

import pytest

from tests.support.installation import wait_until
from tests.support.served import LONG, PATIENCE_SECONDS

pytestmark = pytest.mark.soak

DOMAINS = ("acme.example", "second.example", "third.example")
TOKENS = {"access_token": "a", "refresh_token": "r", "expires_in": 7200, "scope": None}
SYNC = """
import json
from integrations.models import Connection, SyncKind
from integrations.sync.runs import request_sync
from portal.background import enqueue
for connection in Connection.objects.order_by("domain__name"):
    run = request_sync(connection, kind=SyncKind.FULL, actor="test")
    enqueue("integrations.tasks.sync_directory", run_id=run.pk)
"""
SHORT_TASKS = (
    "integrations.tasks.sweep_connections",
    "integrations.tasks.watch_connections",
    "signatures.tasks.send_change_mails",
    "signatures.tasks.sift_banner_events",
    "signatures.tasks.sweep_deliveries",
    "signatures.tasks.take_in_banner_events",
)
QUEUE = """
import json
from portal.background import enqueue
for task in json.loads(sys.argv[1]):
    enqueue(task)
"""
STATE = "SELECT domain.name, run.state FROM integrations_syncrun run " \
    "JOIN integrations_connection connection ON connection.id = run.connection_id " \
    "JOIN portal_domain domain ON domain.id = connection.domain_id ORDER BY domain.name"  # fmt: skip
WAITING = (
    "SELECT count(*) FROM django_q_ormq WHERE key = 'long' AND lock <= strftime('%Y-%m-%d %H:%M:%f', 'now')"
)


def test_short_tasks_run_while_long_workers_wait_for_outreach_and_another_machine_takes_what_is_left(start):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # Outreach takes connections, and never answers
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        first = start("--no-web", LONG_WORKERS="2", OUTREACH_BASE_URL=address, HEARTBEAT_GRACE_SECONDS="30")
        installation = first.installation
        for domain in DOMAINS:
            installation.connect(domain, TOKENS)
        first.wait_for_worker()
        first.wait_for_worker(LONG)
        installation.rows("UPDATE django_q_schedule SET repeats = 0")  # what runs is what is queued here
        installation.run(SYNC)
        busy = [("acme.example", "running"), ("second.example", "running"), ("third.example", "queued")]
        wait_until(lambda: installation.rows(STATE) == busy, seconds=PATIENCE_SECONDS)

        installation.run(QUEUE, json.dumps(SHORT_TASKS))
        wait_until(
            lambda: (
                {func for (func,) in installation.rows("SELECT func FROM django_q_task WHERE success")}
                >= set(SHORT_TASKS)
            ),
            seconds=PATIENCE_SECONDS,
        )

        # The long workers were at their syncs all the time, and the third sync is anybody's.
        assert installation.rows(STATE) == busy
        assert installation.rows(WAITING) == [(1,)]

        second = start("--no-web")
        wait_until(
            lambda: installation.rows(STATE)[2] == ("third.example", "running"),
            seconds=PATIENCE_SECONDS,
            what=second.output.read_text(),
        )
        assert installation.rows("SELECT func FROM django_q_task WHERE NOT success") == []
