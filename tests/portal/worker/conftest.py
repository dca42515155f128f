"""Machines with workers, on a database of their own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.installation import Installation
from tests.support.served import GRACE_SECONDS, Served


@pytest.fixture
def start(migrated_database: Path, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start `serve` on a database of its own; afterwards nothing of it is left."""
    installation = Installation(
        tmp_path, migrated_database, HEARTBEAT_GRACE_SECONDS=str(GRACE_SECONDS), WORKERS="1", LONG_WORKERS="1"
    )
    served: list[Served] = []

    def start(*arguments: str, **environ: str) -> Served:
        installation.environ.update(environ)
        output = tmp_path / f"serve-{len(served)}.log"
        process = installation.start("serve", "--sandbox", *arguments, output=output)
        served.append(Served(installation, process, output))
        return served[-1]

    yield start
    for each in served:
        for pid in set(map(int, re.findall(r"started, process (\d+)", each.output.read_text()))):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
    installation.close()
