"""kill -9 anywhere: every written mailbox had its original stored before, and resuming ends right."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integrations.outreach.sandbox import Sandbox
from tests.support.deliveries import get_held, get_writes

pytestmark = pytest.mark.soak

SCRIPT = Path(__file__).parents[2] / "support/killed_runs.py"
# A moment and how often it may come before the kill: writes are many, recordings are one in fifty.
MOMENTS = (("claimed", 12), ("answered", 12), ("sent", 1), ("recorded", 2))


def choose_kill(chance: random.Random) -> dict[str, Any]:
    moment, most = chance.choice(MOMENTS)
    return {"kill": moment, "after": chance.randint(1, most)}


class Worker:
    """The script on the other side of two pipes."""

    def __init__(self, sandbox: Sandbox, database: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), sandbox.base_url, str(database)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ask(sandbox.oauth.issue_tokens(user_id=1))

    def ask(self, command: dict[str, Any]) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        assert self._process.wait(timeout=20) == 0


@pytest.fixture
def company() -> Iterator[Sandbox]:
    with Sandbox(people=150, teams=4, seed=11, domain="acme.example", throttle_seconds=0) as sandbox:
        yield sandbox


@pytest.fixture
def worker(company: Sandbox, migrated_database: Path, tmp_path: Path) -> Iterator[Worker]:
    running = Worker(company, Path(shutil.copy(migrated_database, tmp_path)))
    company.requests.clear()
    yield running
    running.close()


def test_killed_again_and_again_every_original_is_safe_and_every_mailbox_ends_right(company, worker):
    before = get_held(company)
    chance = random.Random(5)  # noqa: S311 - repeatable, not secret
    killed = 0

    for _ in range(40):
        answer = worker.ask({"kind": "deliver", **choose_kill(chance)})
        killed += answer["state"] != "complete"
        held = get_held(company)
        changed = {id for id in held if held[id] != before[id]}
        assert changed <= answer["originals"].keys()
        assert answer["originals"] == {id: before[id] for id in answer["originals"]}
        if answer["state"] == "complete":
            break
    else:
        answer = worker.ask({"kind": "deliver", "kill": None, "after": 0})

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
    delivered = worker.ask({"kind": "deliver", "kill": None, "after": 0})
    edited = sorted(delivered["originals"])[0]
    company.directory.set_signature(int(edited), "<p>Mine</p>")
    chance = random.Random(6)  # noqa: S311 - repeatable, not secret

    for _ in range(40):
        answer = worker.ask({"kind": "restore", **choose_kill(chance)})
        if answer["state"] == "complete":
            break
    else:
        answer = worker.ask({"kind": "restore", "kill": None, "after": 0})

    planned, settled, restored, conflicts, failed = answer["counts"]
    assert (answer["state"], restored, conflicts, failed) == ("complete", planned - 1, 1, 0)
    assert get_held(company) == before | {edited: "<p>Mine</p>"}
    assert settled == planned


def test_killed_between_stages_no_later_stage_begins_before_the_one_before_was_read_back(company, worker):
    before = get_held(company)
    chance = random.Random(7)  # noqa: S311 - repeatable, not secret
    stages, killed = [10, 30, None], 0

    for _ in range(40):
        moment, most = chance.choice((*MOMENTS, ("read", 3), ("read", 3)))
        kill = {"kill": moment, "after": chance.randint(1, most)}
        answer = worker.ask({"kind": "deliver", "stages": stages, **kill})
        killed += answer["state"] != "complete"
        for (_, _, open_rows, unread), (_, written, _, _) in itertools.pairwise(answer["stages"]):
            assert not written or (open_rows, unread) == (0, 0)
        if answer["state"] == "complete":
            break
    else:
        answer = worker.ask({"kind": "deliver", "kill": None, "after": 0})

    planned, settled, delivered, _, failed = answer["counts"]
    held = get_held(company)
    assert killed >= 8
    assert (answer["state"], settled, delivered, failed) == ("complete", planned, planned, 0)
    assert [stage[1] for stage in answer["stages"]] == [10, 30, planned - 40]
    assert all(stage[3] == 0 for stage in answer["stages"])
    assert {id for id in held if held[id] != before[id]} == answer["originals"].keys()
