"""Environment: the demo's own folder, database and processes; nothing outside the folder is changed."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cryptography.fernet import Fernet

from portal.env import FROM_FILES
from portal.worker.child import Child

MARKER = "made-by-countersign-demo"
FOLDER_VARIABLE = "COUNTERSIGN_DEMO_FOLDER"
DOMAIN = "acme.example"
OWNER_EMAIL = "demo@acme.example"
OWNER_PASSWORD = "countersign-demo"  # noqa: S105 - for a portal that only this machine can reach
START_SECONDS = 90.0


class DemoRefused(Exception):
    """The demo cannot start here; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How large the company is, and where the portal listens."""

    people: int
    port: int

    @property
    def teams(self) -> int:
        return max(12, self.people // 100)

    @property
    def portal_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def clear_folder(folder: Path) -> str:
    """Empty the demo's folder; return a sentence for what was removed, or ''.

    Raises DemoRefused where it holds other files, or a demo runs in it.
    """
    removed = ""
    if folder.exists():
        if not (folder / MARKER).is_file():
            raise DemoRefused(
                f"{folder} was not created by the demo, so it is not removed. Move it, then run the command again."
            )
        with holding(folder):
            database = folder / "demo.sqlite3"
            size = database.stat().st_size / 1_000_000 if database.exists() else 0
            shutil.rmtree(folder)
            removed = f"Removed the previous demo: {folder} with its database of {size:.1f} MB."
    folder.mkdir()
    (folder / MARKER).write_text("The next demo removes this folder.\n")
    return removed


@contextmanager
def holding(folder: Path) -> Iterator[IO[str]]:
    """Lock the folder against other demos. Raises DemoRefused where one uses it."""
    with (folder / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DemoRefused(
                "A demo is already running in this folder. Stop it with Ctrl-C first."
            ) from error
        yield handle


def make_environment(folder: Path, plan: Plan, *, sandbox_url: str) -> dict[str, str]:
    """Return an environment with the demo's own settings, whatever is set outside or in `.env`."""
    environ = {name: value for name, value in os.environ.items() if not name.endswith("_FILE")}
    return environ | dict.fromkeys(FROM_FILES, "") | {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "TOKEN_KEYS": Fernet.generate_key().decode(),
        "DATABASE_URL": f"sqlite:///{folder / 'demo.sqlite3'}",
        "PUBLIC_URL": plan.portal_url,
        "ALLOWED_HOSTS": "127.0.0.1",
        "OUTREACH_BASE_URL": sandbox_url,
        "OUTREACH_CLIENT_ID": "sandbox-client",
        "OUTREACH_CLIENT_SECRET": "sandbox-secret",
        "DEBUG": "False",  # a wrong address shows the portal's own page, not Django's
        "REQUIRE_MFA": "False",
        "EMAIL_URL": "consolemail://",
        "LOG_LEVEL": "WARNING",
        "OWNER_PASSWORD": OWNER_PASSWORD,
        FOLDER_VARIABLE: str(folder),
    }  # fmt: skip


def check_port(port: int) -> None:
    """Check that the port is free. Raises DemoRefused."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoRefused(f"Port {port} is taken. Choose another: demo --port {port + 1}") from error


@contextmanager
def running_sandbox(folder: Path, plan: Plan) -> Iterator[str]:
    """Run a sandbox of Outreach in a process of its own; yields its address."""
    ready = folder / "sandbox-address"
    command = [
        sys.executable, "-m", "integrations.outreach.sandbox", "--also-registered", "users.read",
        "--people", str(plan.people), "--teams", str(plan.teams), "--domain", DOMAIN,
        "--redirect-uri", f"{plan.portal_url}/accounts/outreach/login/callback/",
        "--ready-file", str(ready),
    ]  # fmt: skip
    with _running("sandbox", command, dict(os.environ), folder, ready=ready.exists):
        yield ready.read_text().strip()


@contextmanager
def running_portal(folder: Path, plan: Plan, is_ready: Callable[[], bool]) -> Iterator[None]:
    """Run the portal and its worker under the supervisor, like `manage.py serve`."""
    command = [
        sys.executable,
        sys.argv[0],
        "serve",
        "--sandbox",
        "--port",
        str(plan.port),
        "--web-workers",
        "1",
    ]
    with _running("portal", command, dict(os.environ), folder, ready=is_ready):
        yield


@contextmanager
def _running(
    name: str, command: list[str], environ: Mapping[str, str], folder: Path, *, ready: Callable[[], bool]
) -> Iterator[None]:
    with ExitStack() as stack:
        log = stack.enter_context((folder / f"{name}.log").open("wb"))
        child = Child(name, command, environ, output=log)
        stack.callback(child.stop, within_seconds=25)
        child.start()
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if not child.is_running or time.monotonic() > deadline:
                raise DemoRefused(f"The {name} did not start. {folder / f'{name}.log'} says why.")
            time.sleep(0.05)
        yield


def end_on_signals() -> None:
    """Let SIGTERM end this process like Ctrl-C, and Ctrl-C work where the shell ignores it."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.default_int_handler)


def run_inside(arguments: list[str], environ: Mapping[str, str]) -> int:
    """Run this very command with the demo's settings until it ends, and return its exit status."""
    process = subprocess.Popen([sys.executable, *arguments], env=dict(environ))  # noqa: S603 - our own command line
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # Ctrl-C reaches it as well; it ends in its own order


def run_command(*arguments: str) -> str:
    """Run one of our own commands in the demo's environment and return what it said. Raises DemoRefused."""
    done = subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, sys.argv[0], *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DemoRefused(f"{arguments[0]} failed: {done.stderr.strip()[-800:]}")
    return done.stdout
