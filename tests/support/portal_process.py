"""The portal, its worker and a sandbox Outreach as they really run: processes of their own, on free ports."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from .installation import ROOT, Installation, wait_until

DOMAIN = "acme.example"
OWNER = "dana@acme.example"
PASSWORD = "correct horse battery"
STOP_SECONDS = 30


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Outreach:
    """The sandbox's control door: what Outreach holds, and what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url

    def _call(self, method: str, door: str, body: dict[str, Any] | None = None) -> Any:
        reply = requests.request(method, f"{self.url}/_sandbox/{door}", json=body, timeout=30)
        assert reply.ok, reply.text
        return reply.json()

    def list_requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._call("GET", "requests")
        return found

    def get_mailboxes(self) -> dict[int, dict[str, Any]]:
        return {mailbox["id"]: mailbox for mailbox in self._call("GET", "mailboxes")}

    def get_signatures(self) -> dict[int, str]:
        """What each mailbox holds, by the mailbox's id; '' for none, which Outreach tells in two ways."""
        return {key: mailbox["email_signature"] or "" for key, mailbox in self.get_mailboxes().items()}

    def get_users(self) -> dict[int, dict[str, Any]]:
        return {user["id"]: user for user in self._call("GET", "users")}

    def list_prospects(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._call("GET", "prospects")
        return found

    def change(self, plural: str, record_id: int, **values: Any) -> None:
        self._call("PATCH", f"{plural}/{record_id}", values)

    def fail(self, **fault: Any) -> None:
        self._call("POST", "faults", fault)

    def change_settings(self, **values: Any) -> None:
        self._call("PATCH", "settings", values)

    def forget_requests(self) -> None:
        self._call("DELETE", "requests")

    def issue_tokens(self) -> dict[str, Any]:
        reply: dict[str, Any] = self._call("POST", "tokens", {"user_id": 1})
        return reply

    @property
    def live_refresh_tokens(self) -> int:
        return int(self._call("GET", "state")["live_refresh_tokens"])


@contextlib.contextmanager
def running_outreach(folder: Path, *, people: int, portal_url: str, teams: int = 4) -> Iterator[Outreach]:
    """A sandbox Outreach in a process of its own, which knows the portal's callback address."""
    ready = folder / "outreach-address"
    with (folder / "outreach.log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "integrations.outreach.sandbox",
                "--people", str(people), "--teams", str(teams), "--domain", DOMAIN, "--throttle-seconds", "0",
                "--redirect-uri", f"{portal_url}/accounts/outreach/login/callback/", "--ready-file", str(ready),
            ],
            cwd=ROOT, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            wait_until(ready.exists, what="the sandbox to listen")
            yield Outreach(ready.read_text().strip())
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


class Portal:
    """One installation with an owner, reachable at `url` while it is served."""

    def __init__(self, installation: Installation, url: str, outreach: Outreach) -> None:
        self.installation = installation
        self.url = url
        self.outreach = outreach

    def answers(self) -> bool:
        try:
            return requests.get(self.url + "/healthz", timeout=2).ok
        except requests.RequestException:
            return False

    def manage(self, *arguments: str) -> str:
        """Run a command of manage.py; what it printed. Fails where it fails."""
        done = self.installation.manage(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextlib.contextmanager
    def served(self, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """`manage.py serve` runs until the end of the block, and ends in good order."""
        port = self.url.rpartition(":")[2]
        process = self.installation.start(
            "serve", "--sandbox", "--port", port, "--web-workers", "1", *arguments
        )
        with (folder / "serve.log").open("w") as log, contextlib.ExitStack() as stack:
            stack.callback(_end, process, log)
            wait_until(lambda: self.answers() or process.poll() is not None, seconds=60)
            assert process.poll() is None
            yield process


def _end(process: subprocess.Popen[str], log: Any) -> None:
    process.terminate()
    said, _ = process.communicate(timeout=STOP_SECONDS + 20)
    log.write(said)


@contextlib.contextmanager
def running_portal(folder: Path, template: Path | None, *, people: int, **environ: str) -> Iterator[Portal]:
    """An installation with a founded domain, beside a sandbox; nothing is connected or served yet."""
    url = f"http://127.0.0.1:{find_free_port()}"
    with running_outreach(folder, people=people, portal_url=url) as outreach:
        installation = Installation(
            folder,
            template,
            PUBLIC_URL=url,
            OUTREACH_BASE_URL=outreach.url,
            OWNER_PASSWORD=PASSWORD,
            **environ,
        )
        portal = Portal(installation, url, outreach)
        try:
            portal.manage("createdomain", DOMAIN, "--owner", OWNER, "--operator")
            yield portal
        finally:
            installation.close()


def as_json(text: str) -> Any:
    """The last line a script printed, read."""
    return json.loads(text.strip().splitlines()[-1])
