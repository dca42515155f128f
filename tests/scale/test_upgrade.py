"""Upgrading while the portal is at work: old code on the new tables, and migrations in the middle of a delivery."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integrations.outreach.sandbox import Sandbox
from tests.support.deliveries import get_held, get_writes
from tests.support.installation import Installation, wait_until
from tests.support.portal_process import as_json
from tests.support.postgres import Cluster
from tests.support.previous_version import unpack_previous_version

from .test_postgres import CRAWL, SYNC_AND_DELIVER, found_and_connect

pytestmark = [pytest.mark.soak, pytest.mark.upgrade, pytest.mark.postgres]

START = """
from portal.background import enqueue
from portal.models import Domain
from signatures.delivery.planning import plan_delivery
from signatures.delivery.runs import start_delivery
from signatures.releases.publish import publish
domain = Domain.objects.get(name="acme.example")
publish(domain, actor="test")
run = plan_delivery(domain, actor="test")
start_delivery(run, actor="test")
enqueue("signatures.tasks.deliver_signatures", run_id=run.pk)
print(run.planned)
"""
READ = """
import io
from django.core.management import call_command
from integrations.models import SyncRun
from signatures.tasks import follow_sync
call_command("syncdirectory", domain="acme.example", stdout=io.StringIO())
follow_sync(run_id=SyncRun.objects.latest("pk").pk)
"""
STATE = """
import json
from signatures.models import DeliveryRun, Snapshot
print(json.dumps([
    DeliveryRun.objects.latest("pk").state,
    dict(Snapshot.objects.values_list("mailbox_remote_id", "original_html")),
]))
"""
# As a migration does: each table of a delivery is locked, gets a column, and one an index.
EXPAND = """
import time
from pathlib import Path
from django.db import connection, models
from integrations.models import LedgerEntry
from signatures.models import Delivery, DeliveryRun, MailboxState, Placement, Snapshot
folder = Path(sys.argv[1])
(folder / "ready").touch()
while not (folder / "go").exists():
    time.sleep(0.01)
for model in (Delivery, DeliveryRun, MailboxState, Placement, Snapshot, LedgerEntry):
    field = models.CharField(max_length=16, default="", db_default="")
    field.set_attributes_from_name("added_meanwhile")
    field.model = model
    with connection.schema_editor() as editor:
        editor.add_field(model, field)
with connection.schema_editor() as editor:
    editor.add_index(Delivery, models.Index(fields=["run", "finished_at"], name="made_meanwhile"))
"""


@contextlib.contextmanager
def working(installation: Installation, tmp_path: Path) -> Iterator[None]:
    """`serve --no-web` of this installation's code runs until the end of the block."""
    process = installation.start(
        "serve", "--no-web", "--sandbox", output=tmp_path / f"{installation.code.name}.log"
    )
    yield
    process.terminate()
    assert process.wait(60) == 0


def check_delivered(
    installation: Installation, sandbox: Sandbox, before: dict[str, str], planned: int
) -> None:
    def is_complete() -> bool:
        return bool(as_json(installation.run(STATE))[0] == "complete")

    wait_until(is_complete, seconds=120)
    held, writes = get_held(sandbox), Counter(get_writes(sandbox))
    changed = {id for id in held if held[id] != before[id]}
    assert (len(changed), set(writes), set(writes.values())) == (planned, changed, {1})
    assert as_json(installation.run(STATE))[1] == {id: before[id] for id in changed}


def test_the_version_before_serves_syncs_and_delivers_on_the_tables_of_this_one(
    install: Callable[..., Installation], sandbox: Sandbox, tmp_path: Path
) -> None:
    this = install("postgres")
    (tmp_path / "before").mkdir()
    old = Installation(
        tmp_path, None, code=unpack_previous_version(tmp_path / "before"), **without_folder(this)
    )
    found_and_connect(this, sandbox)

    first = as_json(old.run(SYNC_AND_DELIVER, timeout=120))
    pages = as_json(old.run(CRAWL, timeout=300))
    again = as_json(this.run(SYNC_AND_DELIVER, timeout=120))

    assert pages["failed"] == []
    assert first["counts"]["Snapshot"] == again["counts"]["Snapshot"] > 10
    assert first["counts"]["Delivery"] == again["counts"]["Delivery"]  # nothing was left to deliver
    assert max(Counter(get_writes(sandbox)).values()) == 1


def without_folder(installation: Installation) -> dict[str, str]:
    return {name: value for name, value in installation.environ.items() if name != "TMPDIR"}


def test_migrations_in_the_middle_of_a_delivery_lose_nothing(
    install: Callable[..., Installation], sandbox: Sandbox, tmp_path: Path
) -> None:
    installation = install("postgres")
    found_and_connect(installation, sandbox)
    installation.run(READ, timeout=120)
    before = get_held(sandbox)
    sandbox.faults.add("slow", method="PATCH", times=None, seconds=3)
    sandbox.requests.clear()
    expanding = installation.start_script(EXPAND, str(tmp_path))
    wait_until((tmp_path / "ready").exists, seconds=60, what="the migration to be ready")

    with working(installation, tmp_path):
        planned = int(installation.run(START).splitlines()[-1])
        wait_until(lambda: 0 < len(get_writes(sandbox)) < planned, seconds=90)
        with sandbox.directory.lock:  # writes that are under way wait for their answer
            (tmp_path / "go").touch()
            said = expanding.communicate(timeout=60)[0]
            assert expanding.returncode == 0, said
            assert len(get_writes(sandbox)) < planned  # in the middle

        check_delivered(installation, sandbox, before, planned)


def test_the_version_before_delivers_while_this_one_migrates_and_this_one_goes_on(
    cluster: Cluster, sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "before").mkdir()
    environ = {
        "DATABASE_URL": cluster.create(), "OUTREACH_BASE_URL": sandbox.base_url, "PUBLIC_URL": "http://testserver",
    }  # fmt: skip
    old = Installation(tmp_path, None, code=unpack_previous_version(tmp_path / "before"), **environ)
    this = Installation(tmp_path, None, **environ)
    try:
        assert old.manage("migrate", "--verbosity=0", timeout=900).returncode == 0
        found_and_connect(old, sandbox)
        old.run(READ, timeout=120)
        before = get_held(sandbox)
        sandbox.faults.add("slow", method="PATCH", times=None, seconds=1)
        sandbox.requests.clear()

        with working(old, tmp_path):
            planned = int(old.run(START).splitlines()[-1])
            wait_until(lambda: 0 < len(get_writes(sandbox)) < planned, seconds=90)
            assert this.manage("migrate", "--verbosity=0", timeout=900).returncode == 0
        with working(this, tmp_path):  # whatever the old worker had not ended when it was told to stop
            check_delivered(this, sandbox, before, planned)
    finally:
        old.close()
        this.close()
