"""The sandbox as a process of its own, and what it may import."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

import integrations.outreach.sandbox as package

CHECKOUT = Path(__file__).resolve().parents[4]
WITHOUT_DJANGO = [sys.executable, "-m", "integrations.outreach.sandbox"]
COMMAND = [sys.executable, "manage.py", "outreachsandbox"]
OPTIONS = ["--people", "30", "--teams", "3", "--seed", "5", "--domain", "north.test", "--client-id", "our-id"]
OPTIONS += [
    "--client-secret",
    "our-secret",
    "--redirect-uri",
    "https://a.example/",
    "--throttle-seconds",
    "0",
]
OPTIONS += ["--redirect-uri", "https://b.example/"]


class Running:
    def __init__(self, command: list[str], ready_file: Path) -> None:
        environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
        self.ready_file = ready_file
        self.process = subprocess.Popen(
            [*command, *OPTIONS, "--ready-file", str(ready_file)],
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def base_url(self) -> str:
        deadline = time.monotonic() + 30
        while not self.ready_file.exists():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, "the sandbox did not start"
            time.sleep(0.02)
        return self.ready_file.read_text().strip()

    def end(self, number: int) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, error = self.process.communicate(timeout=10)
        return self.process.returncode, out, error


@pytest.fixture(params=[WITHOUT_DJANGO, COMMAND], ids=["module", "command"])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    running = Running(request.param, tmp_path / "ready")
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.communicate(timeout=10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_told_to_stop(running: Running, number: int) -> None:
    base_url = running.base_url()
    state = requests.get(f"{base_url}/_sandbox/state", timeout=10).json()

    returned, out, error = running.end(number)

    assert (state["base_url"], state["counts"]["users"], state["counts"]["teams"]) == (base_url, 30, 3)
    assert (returned, error) == (0, "")
    assert out == f"Sandbox Outreach at {base_url} (Ctrl-C ends it), its people at {base_url}/people/\n"
    with pytest.raises(requests.ConnectionError):
        requests.get(base_url, timeout=2)


def test_its_options_reach_the_sandbox(running: Running) -> None:
    base_url = running.base_url()
    user = requests.get(f"{base_url}/_sandbox/users/1", timeout=10).json()
    token = {"client_id": "our-id", "client_secret": "our-secret", "grant_type": "refresh_token"}
    replies = []
    refresh_token = requests.post(f"{base_url}/_sandbox/tokens", json={}, timeout=10).json()["refresh_token"]
    for address in ("https://a.example/", "https://b.example/"):
        fields = token | {"redirect_uri": address, "refresh_token": refresh_token}
        replies.append(requests.post(f"{base_url}/oauth/token", data=fields, timeout=10))
        refresh_token = replies[-1].json()["refresh_token"]

    assert user["email"].endswith("@north.test")
    assert [reply.status_code for reply in replies] == [200, 200]


def test_taken_port_is_said_in_a_sentence(running: Running) -> None:
    port = running.base_url().rpartition(":")[2]

    second = subprocess.run(
        [*WITHOUT_DJANGO, "--port", port],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert second.returncode == 1
    assert second.stderr.startswith("The sandbox cannot listen: ")
    assert "Traceback" not in second.stderr


def test_it_imports_the_standard_library_and_itself_alone() -> None:
    folder = Path(next(iter(package.__path__)))

    outside = {
        name
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in imported(node)
        if name.partition(".")[0] not in sys.stdlib_module_names
    }

    assert outside == set()


def imported(node: ast.AST) -> list[str]:
    """Modules a statement imports; a relative import stays in the package and is not told."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level != 1:
        return [node.module or "."]
    return []


def test_it_runs_where_django_was_never_imported() -> None:
    check = (
        "import sys, integrations.outreach.sandbox; print('django' in sys.modules, 'requests' in sys.modules)"
    )

    run = subprocess.run(
        [sys.executable, "-c", check], cwd=CHECKOUT, capture_output=True, text=True, timeout=30, check=True
    )

    assert run.stdout == "False False\n"
