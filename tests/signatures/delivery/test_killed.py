"""kill -9 anywhere: every written mailbox had its original stored before, and resuming ends right."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations.outreach.sandbox import Sandbox
from tests.support.deliveries import get_held, get_writes
from tests.support.killed_worker import Worker, choose_moment

pytestmark = pytest.mark.soak


@pytest.fixture
def company() -> Iterator[Sandbox]:
    with Sandbox(people=150, teams=4, seed=11, domain="acme.example", throttle_seconds=0) as sandbox:
        yield sandbox


@pytest.fixture
def worker(company: Sandbox, migrated_database: Path, tmp_path: Path) -> Iterator[Worker]:
    running = Worker(company, f"sqlite:///{shutil.copy(migrated_database, tmp_path)}")
    company.requests.clear()
    yield running
    running.close()


def test_killed_again_and_again_every_original_is_safe_and_every_mailbox_ends_right(company, worker):
    before = get_held(company)
    chance = random.Random(5)  # noqa: S311 - repeatable, not secret
    killed = 0

    for _ in range(40):
        answer = worker.ask({"kind": "deliver", **choose_moment(chance)})
        killed += answer["state"] != "complete"
        held = get_held(company)
        changed = {id for id in held if held[id] != before[id]}
        assert changed <= answer["originals"].keys()
        assert answer["originals"] == {id: before[id] for id in answer["originals"]}
        if answer["state"] == "complete":
            break
    else:
        answer = worker.finish("deliver")

    planned, settled, delivered, _, failed = answer["counts"]
    held = get_held(company)
    assert killed >= 8
    assert (answer["state"], settled, delivered, failed) == ("complete", planned, planned, 0)
    assert (
        {id for id in held if held[id] != before[id]}
        == set(get_writes(company))
        == answer["originals"].keys()
    )
    # What was in flight at a kill may be written again; what was only unrecorded is read and found in place.
    assert len(get_writes(company)) - planned <= 8 * killed
    assert answer["unknown"] > 0


def test_r2_restore_killed_anywhere_resumes_and_ends_with_every_original(company, worker):
    before = get_held(company)
    delivered = worker.finish("deliver")
    edited = sorted(delivered["originals"])[0]
    company.directory.set_signature(int(edited), "<p>Mine</p>")
    chance = random.Random(6)  # noqa: S311 - repeatable, not secret

    for _ in range(40):
        answer = worker.ask({"kind": "restore", **choose_moment(chance)})
        if answer["state"] == "complete":
            break
    else:
        answer = worker.finish("restore")

    planned, settled, restored, conflicts, failed = answer["counts"]
    assert (answer["state"], restored, conflicts, failed) == ("complete", planned - 1, 1, 0)
    assert get_held(company) == before | {edited: "<p>Mine</p>"}
    assert settled == planned
