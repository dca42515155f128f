"""The big machinery, started for the tests alone: a PostgreSQL cluster and a Redis server in folders of their own."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from integrations.outreach.sandbox import Sandbox
from tests.support.installation import Installation, migrate_template, wait_until
from tests.support.portal_process import find_free_port
from tests.support.postgres import Cluster, running_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as running:
        yield running


@pytest.fixture(scope="session")
def migrated_postgres(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a migrated database, to copy."""
    url = cluster.create()
    folder = tmp_path_factory.mktemp("migrating")
    done = Installation(folder, None, DATABASE_URL=url).manage("migrate", "--verbosity=0", timeout=900)
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
