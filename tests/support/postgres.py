"""PostgreSQL: a cluster of the tests' own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .installation import wait_until
from .portal_process import find_free_port

SUPERUSER = "countersign"
UNSAFE = (
    "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
)  # fmt: skip  # quicker, and nobody pulls the plug


class Cluster:
    """A PostgreSQL server that only this machine reaches. Databases are copied from a migrated one."""

    def __init__(self, port: int, programs: Path, folder: Path, owner: dict[str, Any]) -> None:
        self.port = port
        self._programs = programs
        self._folder = folder
        self._owner = owner
        self._made = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        server = [
            str(self._programs / "postgres"), "-D", str(self._folder / "cluster"), "-p", str(self.port),
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", *options,
        ]  # fmt: skip
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(server, cwd=self._folder, stdout=log, stderr=log, **self._owner)
        wait_until(self.is_ready, seconds=30, what="PostgreSQL to start")

    def stop(self) -> None:
        """End every session, and stop."""
        assert self._process
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)

    def get_url(self, database: str) -> str:
        return f"postgres://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def create(self, template: str = "template0") -> str:
        """A new database; its address."""
        self._made += 1
        name = f"made_{self._made}"
        self._run("createdb", "--template", template, name)
        return self.get_url(name)

    def cut(self, database: str) -> None:
        """Nobody reaches this database any more; who did is thrown out."""
        self._say(f"ALTER DATABASE {database} WITH ALLOW_CONNECTIONS false")
        self._say(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")  # noqa: S608

    def join(self, database: str) -> None:
        """The database can be reached again."""
        self._say(f"ALTER DATABASE {database} WITH ALLOW_CONNECTIONS true")

    def _say(self, statement: str) -> None:
        self._run("psql", "--dbname", "postgres", "--quiet", "--command", statement)

    def is_ready(self) -> bool:
        return self._run("pg_isready", check=False) == 0

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        command = [
            str(self._programs / program), "--host", "127.0.0.1", "--port", str(self.port),
            "--username", SUPERUSER, *arguments,
        ]  # fmt: skip
        return subprocess.run(command, cwd=self._folder, capture_output=True, check=check).returncode


def find_programs() -> Path:
    """Where Debian keeps the server's programs of its newest version; they are not on the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    assert found, "PostgreSQL's server programs are not installed (Debian's package `postgresql`)."
    return found[-1].parent


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Run a server until the block ends. It refuses to run as root, so it then runs as its package's account."""
    programs = find_programs()
    owner: dict[str, Any] = {}
    folder = Path(tempfile.mkdtemp(prefix="countersign-postgres-"))
    if os.geteuid() == 0:
        owner = {"user": "postgres", "group": "postgres", "extra_groups": []}
        shutil.chown(folder, "postgres", "postgres")
    made = folder / "cluster"
    initdb = [
        str(programs / "initdb"), "--pgdata", str(made), "--auth", "trust", "--username", SUPERUSER,
        "--encoding", "UTF8", "--locale", "C", "--no-sync",
    ]  # fmt: skip
    subprocess.run(initdb, cwd=folder, check=True, capture_output=True, **owner)
    running = Cluster(find_free_port(), programs, folder, owner)
    try:
        running.start(*UNSAFE)
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder)
