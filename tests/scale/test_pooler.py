"""PostgreSQL behind PgBouncer in transaction mode: every statement may meet another connection of the server's."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integrations.outreach.sandbox import Sandbox
from tests.support.installation import Installation, wait_until
from tests.support.portal_process import as_json, find_free_port
from tests.support.postgres import SUPERUSER, Cluster

from .test_postgres import DOMAIN, SYNC_AND_DELIVER, do_the_job, found_and_connect

pytestmark = [pytest.mark.soak, pytest.mark.postgres, pytest.mark.pgbouncer]

# Eight threads read as the portal reads large tables, over four connections of the server's.
READ_IN_THREADS = """
import collections, json, threading
from django.db import connection
from django.test import Client
from portal.models import Domain, User
from signatures.delivery.originals import list_originals
from signatures.analytics.results import Period, list_counts
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


# Each thread has a connection of its own and does everything that reads more than one page of rows.
AT_ONCE = """
import collections, datetime, io, json, threading, traceback
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from integrations.sync.mirror import Mirror
from integrations.models import Connection, Person
from portal.models import Domain, User
from signatures.models import Sender, Snapshot
from signatures.delivery.originals import write_originals
domain = Domain.objects.get(name="acme.example")
owner = User.objects.get(email="dana@acme.example")
link = Connection.objects.get(domain=domain)
key = Sender.objects.filter(domain=domain).first().banner_key
pages = [reverse(name, args=[domain.name]) for name in (
    "portal:overview", "signatures:results", "signatures:results_export", "signatures:senders")]
seen = collections.Counter()
ready = threading.Barrier(8)

def work():
    try:
        client = Client(headers={"host": "testserver"})
        client.force_login(owner)
        ready.wait(60)
        for _ in range(5):
            for page in pages:
                answer = client.get(page)
                b"".join(answer) if answer.streaming else answer.content
                seen[f"{page} {answer.status_code}"] += 1
            seen[f"readyz {client.get('/readyz/web').json()['ready']}"] += 1
            seen[f"banner {client.get(f'/b/{key}@2x.png').status_code}"] += 1
            seen[f"originals {write_originals(domain, io.StringIO(), 'jsonl')}"] += 1
            seen[f"missing {len(Mirror(link, at=timezone.now()).rows.find_missing(Person, ()))}"] += 1
            seen[f"rows {sum(1 for _ in Snapshot.objects.order_by('pk').iterator(chunk_size=2))}"] += 1
    except Exception:
        seen[traceback.format_exc()] += 1
    finally:
        connection.close()

threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps([seen, Snapshot.objects.count(), Person.objects.filter(retired_at=None).count()]))
"""

KEEP_ORIGINALS = """
from portal.models import Domain
from signatures.models import Snapshot
domain = Domain.objects.create(name="acme.example")
Snapshot.objects.bulk_create((Snapshot(domain=domain, mailbox_remote_id=str(n), mailbox_email=f"{n % 7}@acme.example",
    original_html="x" * 65_000) for n in range(2_000)), batch_size=50)
"""
WRITE_ORIGINALS = """
import json, resource
from pathlib import Path
from portal.models import Domain
from signatures.models import Snapshot
from signatures.delivery.originals import write_originals
domain = Domain.objects.get()
Snapshot.objects.defer("original_html").first()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with Path(sys.argv[1]).open("w") as stream:
    written = write_originals(domain, stream, "jsonl")
print(json.dumps([written, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
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


def test_pages_exports_banners_and_chunked_readings_work_in_eight_threads_over_a_pool_of_four(
    pooled: Installation, sandbox: Sandbox
) -> None:
    found_and_connect(pooled, sandbox)

    done = as_json(pooled.run(SYNC_AND_DELIVER, timeout=120))
    seen, originals, people = as_json(pooled.run(AT_ONCE, timeout=120))

    assert done["counts"]["Snapshot"] == originals > 10
    assert people == len(done["Person"]) > 20
    pages = [
        f"/domains/{DOMAIN}/",
        *(f"/domains/{DOMAIN}/{name}/" for name in ("results", "results/export", "senders")),
    ]
    assert seen == {
        **{f"{page} 200": 40 for page in pages},
        "readyz True": 40,
        "banner 200": 40,
        f"originals {originals}": 40,
        f"missing {people}": 40,
        f"rows {originals}": 40,
    }


def test_the_originals_are_written_in_order_without_holding_them_all(
    pooled: Installation, tmp_path: Path
) -> None:
    pooled.run(KEEP_ORIGINALS, timeout=120)
    file = tmp_path / "originals.jsonl"

    written, grown_kilobytes = as_json(pooled.run(WRITE_ORIGINALS, str(file), timeout=120))

    with file.open(encoding="utf-8") as lines:
        ids = [json.loads(line)["mailbox_id"] for line in lines]
    assert written == 2_000
    assert ids == [str(number) for number in sorted(range(2_000), key=lambda number: (number % 7, number))]
    assert grown_kilobytes < 60_000  # together they are 130 MB
