"""What PostgreSQL plans for the statements of pages and tasks where tables are large: none is read or sorted whole.

The tables are filled once: a domain of 400 senders and nineteen larger ones, in all
100,000, a million entries of the ledger, of deliveries and
of banner events.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from integrations.outreach.sandbox import Sandbox
from tests.support.installation import Installation
from tests.support.portal_process import as_json
from tests.support.postgres import Cluster

pytestmark = [pytest.mark.soak, pytest.mark.postgres]

Large = tuple[Installation, Sandbox]
CHANGED = "siobhan.oconnell@acme.example"
KEPT = {"integrations_ledgerentry", "signatures_bannerevent", "signatures_delivery", "signatures_sender"}

FILL = """
from integrations.models import Connection
from tests.benchmarks import measure
from tests.support import many_domains
measure.seed("400,1,1")
many_domains.fill(Connection.objects.select_related("domain").get(), senders=400)
"""
BEGIN = """
import json
from django.db import connection, transaction
from portal.models import Domain
from tests.benchmarks.scale import find_pages, log_in
from tests.support.query_plans import PlanWatch
domain = Domain.objects.get(name="acme.example")
watch = PlanWatch()
def ask(pages):
    reader, statuses = log_in(domain), {}
    for page, path in pages.items():
        with watch.watching(page):
            statuses[page] = reader.get(path).status_code
    return {page: status for page, status in statuses.items() if status != 200}
def count(what, act):
    before = watch.statements
    with watch.watching(what):
        act()
    return watch.statements - before
def end(**more):
    print(json.dumps({"findings": watch.findings, "statements": watch.statements, **more}))
"""
ASK_PAGES = "end(large=sorted(watch.large), failed=ask(find_pages(domain)))"
ASK_ADMIN = """
from django.contrib import admin
from django.urls import reverse
pages = {}
for model, its_admin in admin.site._registry.items():
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    pages[address] = address
    if its_admin.search_fields:
        pages[address + "?q"] = address + "?q=person.1000077@acme.example"
end(failed=ask(pages))
"""

RUN_TASKS = """
from django.utils.module_loading import import_string
from portal.worker.schedules import SCHEDULES
end(tasks={one.name: count(one.name, import_string(one.task)) for one in SCHEDULES})
"""
SYNC_AND_DELIVER = """
import io
from django.core.management import call_command
from integrations.models import SyncRun
from signatures.models import Delivery
from signatures.tasks import follow_sync
def sync():
    call_command("syncdirectory", "--changes", domain=domain.name, stdout=io.StringIO())
def follow():
    follow_sync(run_id=SyncRun.objects.latest("pk").pk)
def deliver():
    call_command("deliversignatures", "--overwrite-edits", domain=domain.name, stdout=io.StringIO())
last = Delivery.objects.latest("pk").pk
counts = {act.__name__: count(act.__name__, act) for act in (sync, follow, deliver)}
sync()
again = count("follow nothing", follow)
written = Delivery.objects.filter(pk__gt=last).values_list("mailbox_email", "state")
end(counts=counts, again=again, written=list(written))
"""
DECIDE = """
from signatures.decisions.api_keys import make_key
from signatures.models import Sender
from django.test import Client
sender = Sender.objects.filter(domain=domain).latest("pk")
key = make_key(domain, "Gateway", actor="test").text
question = {"sender": sender.email, "recipient": "kim@partner.example"}
asked = {
    "decision": lambda: Client().post(
        "/api/v1/decisions", question, "application/json", headers={"authorization": f"Bearer {key}"}),
    "banner": lambda: Client().get(f"/b/{sender.banner_key}.png"),
    "click": lambda: Client().get(f"/c/{sender.banner_key}"),
}
statuses = {}
for what, act in asked.items():
    with watch.watching(what):
        statuses[what] = act().status_code
end(statuses=statuses)
"""
WITHOUT_INDEX = """
with transaction.atomic():
    connection.cursor().execute("DROP INDEX ledger_newest_acts")
    ask({"audit": "/audit/", "ledger": f"/domains/{domain.name}/ledger/"})
    transaction.set_rollback(True)
with watch.watching("audit again"):
    log_in(domain).get("/audit/")
end()
"""


@pytest.fixture(scope="module")
def large(
    cluster: Cluster, migrated_postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Large]:
    with Sandbox(
        people=24, teams=4, seed=7, domain="acme.example", client_id="sandbox-client",
        client_secret="sandbox-secret", throttle_seconds=0,
    ) as sandbox:  # fmt: skip
        installation = Installation(
            tmp_path_factory.mktemp("large"),
            None,
            DATABASE_URL=cluster.create(migrated_postgres),
            OUTREACH_BASE_URL=sandbox.base_url,
            PUBLIC_URL="http://testserver",
        )
        installation.run(FILL, timeout=400)
        installation.manage("setupschedules")
        yield installation, sandbox
        installation.close()


def test_no_page_and_no_task_reads_or_sorts_a_large_table_whole(large: Large) -> None:
    installation, sandbox = large

    def run(script: str) -> dict[str, Any]:
        found: dict[str, Any] = as_json(installation.run(BEGIN + script, timeout=240))
        return found

    pages, lists, choices = run(ASK_PAGES), run(ASK_ADMIN), run(DECIDE)
    sandbox.directory.update("users", 3, title="Chief Revenue Officer")
    delivery = run(SYNC_AND_DELIVER)
    tasks = run(RUN_TASKS)

    assert set(pages["large"]) > KEPT
    assert (pages["failed"], lists["failed"]) == ({}, {})
    assert choices["statuses"] == {"decision": 200, "banner": 200, "click": 404}
    assert [mailbox for mailbox, state in delivery["written"] if state == "delivered"] == [CHANGED]
    assert delivery["again"] < delivery["counts"]["follow"]
    assert [
        finding for found in (pages, lists, choices, delivery, tasks) for finding in found["findings"]
    ] == []
    # The watch does find: without its index the list of acts is read from the ledger's end to its beginning.
    found = run(WITHOUT_INDEX)
    [finding] = found["findings"]
    assert finding.startswith("audit: ")
    assert " of all integrations_ledgerentry in " in finding
