"""Upgrade: a database of the version before every module moved is migrated, and what it had queued runs.

Its dump, `tests/support/old_database.sql.gz`, was made by `tests/support/old_database.py`, which says how.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.worker.schedules import SCHEDULES
from tests.support.installation import ROOT, Installation, wait_until

DUMP = ROOT / "tests/support/old_database.sql.gz"
QUEUED = {
    "integrations.tasks": (
        "check_chain", "check_ledger", "continue_disconnect", "refresh_tokens", "remove_old_syncs", "send_notice",
        "sweep_connections", "sync_changes", "sync_directory", "sync_everything", "watch_connections",
    ),
    "signatures.tasks": (
        "deliver_signatures", "follow_sync", "plan_delivery", "remove_old_banner_events", "remove_old_decisions",
        "remove_old_deliveries", "restore_signatures", "sift_banner_events", "sweep_deliveries",
        "take_in_banner_events", "tally_audiences",
    ),
    "portal.tasks": ("record_beat", "remove_expired_sessions"),
}  # fmt: skip
TASKS = sorted(f"{module}.{name}" for module, names in QUEUED.items() for name in names)

READ_DOMAIN = """
import json
from signatures.models import Banner, Group, Sender, TemplateVersion
name = "bystander.example"
print(json.dumps([
    list(Sender.objects.filter(domain__name=name).values_list("email", "name", "group__name")),
    list(Group.objects.filter(domain__name=name).values_list("name", flat=True)),
    list(Banner.objects.filter(campaign__domain__name=name).values_list("campaign__name", "name", "link")),
    TemplateVersion.objects.get(template__name="Plain of " + name).source,
]))
"""
READ_PLAN = """
import json
from signatures.models import Delivery, DeliveryRun
runs = DeliveryRun.objects.filter(domain__name="acme.example")
print(json.dumps([
    list(runs.values_list("state", "planned")),
    list(Delivery.objects.filter(run__in=runs).values_list("mailbox_email", "state")),
]))
"""


@pytest.fixture(scope="module")
def upgraded_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The old database, migrated by today's code."""
    made = Installation(tmp_path_factory.mktemp("upgraded"), None)
    with contextlib.closing(sqlite3.connect(made.database)) as database:
        database.executescript(gzip.decompress(DUMP.read_bytes()).decode())
    done = made.manage("migrate", "--verbosity=0", timeout=900)
    assert done.returncode == 0, done.stderr
    made.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    return made.database


@pytest.fixture
def upgraded(tmp_path: Path, upgraded_file: Path) -> Iterator[Installation]:
    made = Installation(tmp_path, upgraded_file)
    yield made
    made.close()


def test_every_task_that_was_queued_before_the_upgrade_is_found_and_runs(upgraded, tmp_path):
    bystander = upgraded.run(READ_DOMAIN)
    (last,) = upgraded.rows("SELECT max(id), count(*) FROM django_q_ormq")
    assert last[1] == len(TASKS)
    upgraded.rows("UPDATE django_q_schedule SET repeats = 0")  # what runs is what was queued

    upgraded.start("qcluster", output=tmp_path / "worker.log")
    wait_until(
        lambda: not upgraded.rows("SELECT id FROM django_q_ormq WHERE id <= ?", last[0]),
        seconds=120, what="the queue to be worked off",
    )  # fmt: skip

    assert upgraded.rows("SELECT func, result FROM django_q_task WHERE NOT success") == []
    assert {name for (name,) in upgraded.rows("SELECT func FROM django_q_task WHERE success")} == set(TASKS)
    # Nothing was ever delivered there, so nothing is published either, and the plan is not there any more.
    assert json.loads(upgraded.run(READ_PLAN)) == [[], []]
    assert upgraded.run(READ_DOMAIN) == bystander
    assert json.loads(bystander) == [
        [["priya@bystander.example", "Priya of bystander.example", "Sales of bystander.example"]],
        ["Sales of bystander.example"],
        [["Spring of bystander.example", "Blue of bystander.example", "https://www.bystander.example/"]],
        "<p>{{ sender.name }}</p>",
    ]


def test_schedules_of_before_the_upgrade_name_tasks_that_are_there(upgraded):
    before = {name for (name,) in upgraded.rows("SELECT func FROM django_q_schedule")}

    done = upgraded.manage("setupschedules")

    assert done.returncode == 0, done.stderr
    after = [name for (name,) in upgraded.rows("SELECT func FROM django_q_schedule ORDER BY func")]
    assert after == sorted(regular.task for regular in SCHEDULES)
    assert before and before <= set(after)
    assert upgraded.run(
        "from django.utils.module_loading import import_string\n"
        "from django_q.models import Schedule\n"
        "print(all(callable(import_string(row.func)) for row in Schedule.objects.all()))"
    ) == "True"  # fmt: skip


def test_the_ledger_of_before_the_upgrade_is_intact(upgraded):
    lines = upgraded.manage("verifyledger").stdout.splitlines()

    assert [line.partition(",")[0] for line in lines] == [
        "acme.example: intact",
        "bystander.example: intact",
    ]
