"""Killed worker: the script `killed_runs.py` on the other side of two pipes, and the moments at which it is harmed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from integrations.outreach.sandbox import Sandbox

SCRIPT = Path(__file__).parent / "killed_runs.py"
# A moment and how often it may come before the harm: writes are many, recordings are one in fifty.
MOMENTS = (("claimed", 12), ("answered", 12), ("sent", 1), ("recorded", 2))
BETWEEN_STAGES = (("read", 3), ("read", 3))


def choose_moment(chance: random.Random, moments: tuple[tuple[str, int], ...] = MOMENTS) -> dict[str, Any]:
    moment, most = chance.choice(moments)
    return {"moment": moment, "after": chance.randint(1, most)}


class Worker:
    """The script, connected to a sandbox and working in a migrated database."""

    def __init__(self, sandbox: Sandbox, database_url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), sandbox.base_url, database_url],
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

    def finish(self, kind: str) -> Any:
        """Let the run go on to its end with no harm."""
        return self.ask({"kind": kind, "moment": None, "after": 0})

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        assert self._process.wait(timeout=20) == 0
