"""A rollout in stages that is killed, or whose database is cut off, within and between its stages, and ends right."""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integrations.outreach.sandbox import Sandbox
from tests.support.deliveries import get_held, get_writes
from tests.support.killed_worker import BETWEEN_STAGES, MOMENTS, Worker, choose_moment

pytestmark = [pytest.mark.soak, pytest.mark.postgres]

STAGES = [10, 30, None]
FAULTS = {"kill": ("kill",), "cut": ("cut",), "both": ("kill", "cut")}


@pytest.fixture
def company() -> Iterator[Sandbox]:
    with Sandbox(people=150, teams=4, seed=11, domain="acme.example", throttle_seconds=0) as sandbox:
        yield sandbox


@pytest.fixture(params=["sqlite", "postgres"])
def worker(request: pytest.FixtureRequest, company: Sandbox, tmp_path: Path) -> Iterator[Worker]:
    if request.param == "sqlite":
        url = f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_database'), tmp_path)}"
    else:
        url = request.getfixturevalue("cluster").create(request.getfixturevalue("migrated_postgres"))
    running = Worker(company, url)
    company.requests.clear()
    yield running
    running.close()


def check_order(answer: dict[str, Any]) -> None:
    """No stage begins before the one before it was written and read back."""
    for (_, _, open_rows, unread), (_, written, _, _) in itertools.pairwise(answer["stages"]):
        assert not written or (open_rows, unread) == (0, 0)


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_every_mailbox_ends_right_and_no_stage_overtakes_the_one_before(company, worker, faults):
    before = get_held(company)
    chance = random.Random(7)  # noqa: S311 - repeatable, not secret
    harmed = 0

    for _ in range(30):
        answer = worker.ask(
            {
                "kind": "deliver",
                "stages": STAGES,
                "fault": chance.choice(faults),
                **choose_moment(chance, (*MOMENTS, *BETWEEN_STAGES)),
            }
        )
        harmed += answer["state"] != "complete"
        held = get_held(company)
        assert {id for id in held if held[id] != before[id]} <= answer["originals"].keys()
        check_order(answer)
        if answer["state"] == "complete":
            break
    else:
        answer = worker.finish("deliver")

    planned, settled, delivered, _, failed = answer["counts"]
    held = get_held(company)
    assert harmed >= 6
    assert (answer["state"], settled, delivered, failed) == ("complete", planned, planned, 0)
    assert [stage[1] for stage in answer["stages"]] == [10, 30, planned - 40]
    assert all(stage[3] == 0 for stage in answer["stages"])
    assert answer["originals"] == {id: before[id] for id in answer["originals"]}
    assert {id for id in held if held[id] != before[id]} == answer["originals"].keys()
    assert set(get_writes(company)) == answer["originals"].keys()
    # What was in flight when a process died or lost its database may be written again.
    assert len(get_writes(company)) - planned <= 8 * harmed
