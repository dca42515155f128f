"""An installation of its own, in a folder: a database file, an environment, and processes that are really others.

What a test of several processes, of a kill or of a restart needs; the test's own database is not touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

PREPARE = """
import os, sys
sys.path.insert(0, os.getcwd())
import django
django.setup()
"""

CONNECT = (
    PREPARE
    + """
import json
from uuid import uuid4
from integrations.connection.lifecycle import Authorisation, accept_authorisation
from integrations.outreach.oauth import TokenReply
from integrations.outreach.scopes import REQUESTED
from portal.models import Domain, Membership, User
asked = json.load(sys.stdin)
domain, _ = Domain.objects.get_or_create(name=asked["domain"])
user = User.objects.filter(email="owner@" + domain.name).first()
if user is None:
    user = User.objects.create_user("owner@" + domain.name, "correct horse battery")
    user.emailaddress_set.create(email=user.email, verified=True, primary=True)
    Membership.objects.create(domain=domain, user=user, role="owner")
reply = asked["reply"]
if reply:
    pair = TokenReply(reply["access_token"], reply["refresh_token"], reply["expires_in"], reply["scope"], None)
    print(accept_authorisation(uuid4(), Authorisation(
        domain, user, pair, REQUESTED, REQUESTED, True, "acme-organisation", "Acme")).pk)
"""
)


# What the migrated database depends on; it is made anew when one of these changes.
_APPS = ("portal", "integrations", "signatures")
_SCHEMA = ("migrations", "models", "models.py", "apps.py", "settings.py")
_PACKAGES = ("django", "django-allauth", "django-q2")
DAY = 24 * 60 * 60


class Installation:
    """One database file and the processes on it; `close` ends every process that was started here."""

    def __init__(self, folder: Path, template: Path | None, *, code: Path = ROOT, **environ: str) -> None:
        self.code = code
        self.database = folder / "installation.sqlite3"
        self.log = folder / "serve.log"
        if template is not None:
            shutil.copy(template, self.database)
        self.environ = {
            **{key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ},
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": f"sqlite:///{self.database}",
            "TMPDIR": str(folder),
            "PYTHONUNBUFFERED": "1",
            **environ,
        }
        self._processes: list[subprocess.Popen[str]] = []

    def manage(
        self, *arguments: str, timeout: float = 60, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of manage.py to its end."""
        return self._run([sys.executable, "manage.py", *arguments], timeout=timeout, environ=environ)

    def run(
        self, script: str, *arguments: str, given: str | None = None, timeout: float = 60, **environ: str
    ) -> str:
        """Run a script in a process of its own, Django set up; what it printed. Fails where it fails."""
        command = [sys.executable, "-c", PREPARE + script, *arguments]
        done = self._run(command, given=given, timeout=timeout, environ=environ)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _run(
        self, command: list[str], *, timeout: float, environ: dict[str, str], given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.code,
            env=self.environ | environ,
            input=given if given is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str, output: Path | None = None, **environ: str) -> subprocess.Popen[str]:
        """Start a command of manage.py in a process group of its own; what it says goes to `output`, or a pipe."""
        return self._start([sys.executable, "manage.py", *arguments], environ, output)

    def start_script(self, script: str, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        return self._start([sys.executable, "-c", PREPARE + script, *arguments], environ)

    def _start(
        self, command: list[str], environ: dict[str, str], output: Path | None = None
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            cwd=self.code,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            stdout=output.open("w") if output else subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def connect(self, domain: str, reply: dict[str, Any] | None) -> str:
        """The domain has an owner, and a connection with these tokens; the connection's id."""
        done = self._run(
            [sys.executable, "-c", CONNECT],
            timeout=60,
            environ={},
            given=json.dumps({"domain": domain, "reply": reply}),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the database file directly."""
        with contextlib.closing(sqlite3.connect(self.database, timeout=20)) as database, database:
            return database.execute(query, values).fetchall()

    def close(self) -> None:
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdout:
                process.stdout.close()


def wait_until(is_so: Callable[[], Any], *, seconds: float = 20, what: str = "") -> Any:
    """The first true answer; fails where none comes in time."""
    end = time.monotonic() + seconds
    while True:
        answer = is_so()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds} s: {what or is_so}"
        time.sleep(0.05)


def migrate_template(folder: Path) -> Path:
    """Return a migrated database file in `folder`, a copy of one that is kept between runs of the tests."""
    kept = Path(tempfile.gettempdir()) / f"countersign-tests-{os.getuid()}"
    kept.mkdir(mode=0o700, exist_ok=True)
    made = kept / f"{_digest_schema()}.sqlite3"
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            for older in kept.glob("*.sqlite3"):  # another checkout may be at its tests today
                if time.time() - older.stat().st_mtime > DAY:
                    older.unlink()
            with tempfile.TemporaryDirectory(dir=kept) as making_in:
                making = Installation(Path(making_in), None)
                done = making.manage("migrate", "--verbosity=0", timeout=900)
                assert done.returncode == 0, done.stderr
                making.rows("PRAGMA wal_checkpoint(TRUNCATE)")
                making.database.rename(made)
        return Path(shutil.copy(made, folder / "migrated.sqlite3"))


def _digest_schema() -> str:
    digest = sha256(sys.version.encode())
    for package in _PACKAGES:
        digest.update(f"{package} {version(package)}".encode())
    files = (path for app in _APPS for path in (ROOT / app).rglob("*.py"))
    for path in sorted(path for path in files if set(path.parts) & set(_SCHEMA)):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:20]
