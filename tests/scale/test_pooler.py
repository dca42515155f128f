"""PostgreSQL behind PgBouncer in transaction mode: every statement may meet another connection of the server's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integrations.outreach.sandbox import Sandbox
from tests.installation import Installation, wait_until
from tests.portal_process import as_json, find_free_port

from .conftest import SUPERUSER, Cluster
from .test_postgres import do_the_job

pytestmark = [pytest.mark.postgres, pytest.mark.pgbouncer]

# Eight threads read as the portal reads large tables, over four connections of the server's.
READ_IN_THREADS = """
import collections, json, threading
from django.db import connection
from django.test import Client
from portal.models import Domain, User
from signatures.originals import list_originals
from signatures.results import Period, list_counts
from datetime import date
domain, found = Domain.objects.get(name="acme.example"), collections.Counter()
def read():
    client = Client(headers={"host": "testserver"})
    client.raise_request_exception = False
    client.force_login(User.objects.get(email="dana@acme.example"), "django.contrib.auth.backends.ModelBackend")
    for _ in range(10):
        try:
            found[f"{sum(1 for _ in list_originals(domain))} originals"] += 1
            list(list_counts(domain, Period(date(2020, 1, 1), date(2040, 1, 1))))
            found[client.get("/domains/acme.example/senders/").status_code] += 1
        except Exception as error:
            found[f"{type(error).__name__}: {error}"] += 1
    connection.close()
threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(found))
"""


@pytest.fixture
def pool(cluster: Cluster) -> Iterator[Callable[[str], str]]:
    """Turn a database's address into one behind PgBouncer, which refuses to run as root."""
    port, folder = find_free_port(), Path(tempfile.mkdtemp(prefix="countersign-pgbouncer-"))
    owner = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    (folder / "users.txt").write_text(f'"{SUPERUSER}" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={cluster.port}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n"
        f"auth_file = {folder}/users.txt\npool_mode = transaction\ndefault_pool_size = 4\n"
    )
    if owner:
        shutil.chown(folder, "postgres", "postgres")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [shutil.which("pgbouncer") or "pgbouncer", str(folder / "pgbouncer.ini")],
            stdout=log, stderr=log, cwd=folder, **owner,
        )  # fmt: skip
        try:
            yield lambda url: url.replace(f":{cluster.port}/", f":{port}/")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
            shutil.rmtree(folder)


@pytest.fixture
def pooled(
    cluster: Cluster, migrated_postgres: str, pool: Callable[[str], str], sandbox: Sandbox, tmp_path: Path
) -> Iterator[Installation]:
    installation = Installation(
        tmp_path,
        None,
        DATABASE_URL=pool(cluster.create(migrated_postgres)),
        OUTREACH_BASE_URL=sandbox.base_url,
        PUBLIC_URL="http://testserver",
    )
    wait_until(
        lambda: installation.manage("migrate", "--check").returncode == 0,
        seconds=60,
        what="PgBouncer to answer",
    )
    yield installation
    installation.close()


def test_the_main_job_and_large_readings_work_behind_a_pooler(pooled: Installation, sandbox: Sandbox) -> None:
    done = do_the_job(pooled, sandbox)

    originals = done["then"]["counts"]["Snapshot"]
    assert originals > 10
    assert as_json(pooled.run(READ_IN_THREADS)) == {f"{originals} originals": 80, "200": 80}
    assert {person["title"] for person in done["then"]["Person"]} >= {"Chief Revenue Officer"}
