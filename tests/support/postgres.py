"""PostgreSQL: a cluster of the tests' own."""

from __future__ import annotations

import subprocess
from pathlib import Path

SUPERUSER = "countersign"


class Cluster:
    """A PostgreSQL server that only this machine reaches. Databases are copied from a migrated one."""

    def __init__(self, port: int, programs: Path, folder: Path) -> None:
        self.port = port
        self._programs = programs
        self._folder = folder
        self._made = 0

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
