"""The big machinery, started for the tests alone: a PostgreSQL cluster and a Redis server in folders of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from integrations.outreach.sandbox import Sandbox
from tests.support.installation import Installation, migrate_template, wait_until
from tests.support.portal_process import find_free_port
from tests.support.postgres import SUPERUSER, Cluster, find_programs


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """PostgreSQL refuses to run as root, so it then runs as the account its package made."""
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
    running = Cluster(find_free_port(), programs, folder)
    server = [
        str(programs / "postgres"), "-D", str(made), "-p", str(running.port),
        "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
        "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
    ]  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(server, cwd=folder, stdout=log, stderr=log, **owner)
        try:
            wait_until(running.is_ready, seconds=30, what="PostgreSQL to start")
            yield running
        finally:
            process.send_signal(signal.SIGINT)  # "fast": it ends sessions and stops
            process.wait(30)
            shutil.rmtree(folder)


@pytest.fixture(scope="session")
def migrated_postgres(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a migrated database, to copy."""
    url = cluster.create()
    folder = tmp_path_factory.mktemp("migrating")
    done = Installation(folder, None, DATABASE_URL=url).manage("migrate", "--verbosity=0", timeout=300)
    assert done.returncode == 0, done.stderr
    return url.rpartition("/")[2]


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrate_template(tmp_path_factory.mktemp("migrated"))


@pytest.fixture
def install(
    request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path: Path
) -> Iterator[Callable[..., Installation]]:
    """Make an installation on PostgreSQL, or on SQLite for comparison, pointed to the test's sandbox."""
    with contextlib.ExitStack() as stack:

        def make(database: str = "postgres", **environ: str) -> Installation:
            folder = tmp_path / f"{database}-installation"
            folder.mkdir()
            template = None
            if database == "postgres":
                name = request.getfixturevalue("migrated_postgres")
                environ["DATABASE_URL"] = request.getfixturevalue("cluster").create(name)
            else:
                template = request.getfixturevalue("migrated_sqlite")
            environ = {"OUTREACH_BASE_URL": sandbox.base_url, "PUBLIC_URL": "http://testserver"} | environ
            made = Installation(folder, template, **environ)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis server that keeps nothing on disk."""
    folder, port = tmp_path_factory.mktemp("redis"), find_free_port()
    command = [
        "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
        "--dir", str(folder),
    ]  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            client = redis.Redis(port=port)

            def answers() -> bool:
                with contextlib.suppress(redis.ConnectionError):
                    return bool(client.ping())
                return False

            wait_until(answers, what="Redis to start")
            yield f"redis://127.0.0.1:{port}/0"
            client.close()
        finally:
            process.terminate()
            process.wait(30)
