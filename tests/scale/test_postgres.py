"""The main job on PostgreSQL: the same figures as on SQLite, and several workers that do each thing once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.fernet import Fernet

from integrations.outreach.sandbox import Sandbox
from portal.background import QUEUES
from tests.support.installation import Installation, wait_until
from tests.support.portal_process import as_json
from tests.support.token_renewal import REFRESHERS

pytestmark = [pytest.mark.soak, pytest.mark.postgres]

DOMAIN = "acme.example"
OWNER = "dana@acme.example"

MIRROR = """
import json
from integrations.models import Mailbox, Person, Team
print(json.dumps({
    model.__name__: list(model.objects.order_by("remote_id").values(*(
        field.attname for field in model._meta.concrete_fields
        if field.name not in ("id", "connection", "changed_at", "retired_at", "read_at", "written_at"))))
    for model in (Team, Person, Mailbox)
}))
"""
SYNC_AND_DELIVER = """
import io
from django.core.management import call_command
from integrations.models import LedgerEntry, SyncRun
from signatures.models import Assignment, Delivery, DeliveryRun, Group, Placement, Release, Sender, Snapshot
from signatures.tasks import follow_sync
said = io.StringIO()
call_command("syncdirectory", *sys.argv[1:], domain="acme.example", stdout=said)
follow_sync(run_id=SyncRun.objects.latest("pk").pk)
if not Release.objects.exists():
    call_command("publishrelease", domain="acme.example", stdout=io.StringIO())
for _ in range(2):
    call_command("deliversignatures", domain="acme.example", stdout=said)
counts = {model.__name__: model.objects.count() for model in (
    Assignment, Delivery, DeliveryRun, Group, Placement, Sender, Snapshot)}
counts["calls"] = sum(LedgerEntry.objects.filter(action="call").values_list("times", flat=True))
found = {"said": said.getvalue(), "counts": counts}
""" + MIRROR.replace("print(json.dumps({", "print(json.dumps(found | {")
# Follows every link, one address for each view and each filter; searches where a list can be searched.
CRAWL = """
import html, json, re
from urllib.parse import parse_qsl, urljoin, urlsplit
from django.contrib import admin
from django.test import Client
from django.urls import Resolver404, resolve, reverse
from portal.models import User
client = Client(headers={"host": "testserver"})
client.raise_request_exception = False
client.force_login(User.objects.get(email="dana@acme.example"), "django.contrib.auth.backends.ModelBackend")
waiting, dates = ["/", "/admin/"], []
for model, its_admin in admin.site._registry.items():
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    if its_admin.search_fields:
        waiting.append(address + "?q=a")
    if its_admin.date_hierarchy:
        dates.append(f"{address}?{its_admin.date_hierarchy}__year=2026&{its_admin.date_hierarchy}__month=11")
seen, failed = set(), []
waiting += dates
while waiting:
    address = waiting.pop()
    parts = urlsplit(address)
    try:
        view = resolve(parts.path).view_name
    except Resolver404:
        failed.append([address, "leads nowhere"])
        continue
    key = (view, tuple(sorted(name for name, _ in parse_qsl(parts.query))))
    if key in seen or view.startswith(("account_", "mfa_", "usersessions_", "admin:logout", "admin:jsi18n")):
        continue
    if len(key[1]) > 1 and address not in dates:
        continue  # filters one by one; their sets would have no end
    seen.add(key)
    response = client.get(address)
    if response.status_code >= 400:
        failed.append([address, response.status_code])
    if response.status_code == 200 and response.headers["Content-Type"].startswith("text/html"):
        links = re.findall(r'<a[^>]* href="([^"#]+)', response.content.decode())
        waiting += [urljoin(address, html.unescape(link)) for link in links]
        waiting = [link for link in waiting if link.startswith("/") and not link.startswith("//")]
print(json.dumps({"failed": failed, "seen": len(seen), "views": sorted({view for view, _ in seen})}))
"""
PLAN_AND_QUEUE = """
from portal.background import enqueue
from portal.models import Domain
from signatures.delivery.planning import plan_delivery
from signatures.delivery.runs import start_delivery
from signatures.releases.publish import publish
publish(Domain.objects.get(name="acme.example"), actor="test")
run = plan_delivery(Domain.objects.get(name="acme.example"), actor="test")
start_delivery(run, actor="test")
for _ in range(6):
    enqueue("signatures.tasks.deliver_signatures", run_id=run.pk)
print(run.planned)
"""
QUEUE_SYNCS = """
from integrations.sync import runs as sync
from integrations.models import Connection, SyncKind
from portal.background import enqueue
run = sync.request_sync(Connection.objects.get(), kind=SyncKind.FULL, actor="test")
for _ in range(6):
    enqueue("integrations.tasks.sync_directory", run_id=run.pk)
"""
LEAVE = """
from integrations.disconnect.steps import request_disconnect
from integrations.models import Connection
request_disconnect(Connection.objects.get(), restores=True, actor="test")
"""
STATE = """
import json
from django_q.models import OrmQ
from integrations.models import Connection, SyncRun
from signatures.models import DeliveryRun
print(json.dumps({
    "queue": OrmQ.objects.count(),
    "syncs": list(SyncRun.objects.values_list("state", flat=True)),
    "deliveries": list(DeliveryRun.objects.order_by("pk").values_list("kind", "state", "delivered")),
    "connection": Connection.objects.get().state,
}))
"""


def manage(installation: Installation, *arguments: str, **environ: str) -> str:
    done = installation.manage(*arguments, timeout=60, **environ)
    assert done.returncode == 0, done.stderr
    return done.stdout


def found_and_connect(installation: Installation, sandbox: Sandbox) -> None:
    manage(
        installation,
        "createdomain",
        DOMAIN,
        "--owner",
        OWNER,
        "--operator",
        OWNER_PASSWORD="correct horse battery",
    )
    installation.connect(DOMAIN, sandbox.oauth.issue_tokens(user_id=1))


def get_signatures(sandbox: Sandbox) -> dict[int, str]:
    boxes = sandbox.directory.table("mailboxes").values()
    return {mailbox.id: mailbox.email_signature or "" for mailbox in boxes}


def do_the_job(installation: Installation, sandbox: Sandbox) -> dict[str, Any]:
    """Sync, deliver, sync what changed, deliver that; everything that was said and is then held."""
    found_and_connect(installation, sandbox)
    first = as_json(installation.run(SYNC_AND_DELIVER))
    sandbox.directory.update("users", 1, title="Chief Revenue Officer")
    sandbox.directory.update("users", 5, locked=True)
    sandbox.directory.move(6, (101, 102))
    then = as_json(installation.run(SYNC_AND_DELIVER, "--changes"))
    return {"first": first, "then": then, "held": get_signatures(sandbox)}


def test_the_job_says_counts_and_mirrors_on_postgresql_what_it_does_on_sqlite(
    install: Callable[..., Installation], sandbox: Sandbox
) -> None:
    originals = get_signatures(sandbox)
    again = Sandbox(
        people=24, teams=4, seed=7, domain=DOMAIN, client_id="sandbox-client", client_secret="sandbox-secret",
        throttle_seconds=0,
    )  # fmt: skip

    on_postgres = do_the_job(install("postgres"), sandbox)
    with again:
        on_sqlite = do_the_job(install("sqlite", OUTREACH_BASE_URL=again.base_url), again)

    assert on_postgres == on_sqlite
    people = {row["remote_id"]: row for row in on_postgres["then"]["Person"]}
    assert (people["5"]["is_locked"], people["6"]["team_ids"]) == (True, ["101", "102"])
    assert on_postgres["held"] != originals
    assert on_postgres["then"]["counts"]["Snapshot"] == on_postgres["first"]["counts"]["Snapshot"] > 10


def test_every_page_and_every_filter_of_portal_and_admin_answers(
    install: Callable[..., Installation], sandbox: Sandbox
) -> None:
    installation = install("postgres")
    found_and_connect(installation, sandbox)
    installation.run(SYNC_AND_DELIVER)

    found = as_json(installation.run(CRAWL, timeout=120))

    assert found["failed"] == []
    assert {"signatures:sender", "integrations:ledger", "admin:integrations_ledgerentry_changelist"} < set(
        found["views"]
    )
    assert found["seen"] > 100


def test_the_migrations_say_all_that_the_models_say(install: Callable[..., Installation]) -> None:
    installation = install("postgres")

    assert manage(installation, "makemigrations", "--check", "--dry-run") == "No changes detected\n"
    assert installation.manage("migrate", "--check").returncode == 0


def test_two_clusters_at_once_do_each_thing_once(
    install: Callable[..., Installation], sandbox: Sandbox
) -> None:
    installation = install("postgres")
    found_and_connect(installation, sandbox)
    originals = get_signatures(sandbox)
    clusters = [installation.start("qcluster", Q_CLUSTER_NAME=queue) for queue in QUEUES for _ in range(2)]

    def wait_for(what: str, is_so: Callable[[dict], bool]) -> dict:
        found: dict = wait_until(
            lambda: state if is_so(state := as_json(installation.run(STATE))) else None, seconds=90, what=what
        )
        return found

    # Six tasks for one sync: one run, each page asked for once.
    installation.run(QUEUE_SYNCS)
    state = wait_for("the sync", lambda now: now["syncs"] == ["complete"] and now["queue"] == 0)
    listings = Counter(
        (one.path, one.query)
        for one in sandbox.requests
        if one.path.startswith("/api/v2/") and one.method == "GET"
    )
    assert [one for one, times in listings.items() if times > 1] == []

    # Six tasks for one delivery, slow enough to overlap: each mailbox is written once.
    sandbox.faults.add("slow", method="PATCH", times=None, seconds=0.05)
    planned = int(installation.run(PLAN_AND_QUEUE).splitlines()[-1])
    state = wait_for("the delivery", lambda now: now["queue"] == 0 and now["deliveries"][-1][1] == "complete")
    assert state["deliveries"] == [["deliver", "complete", planned]]
    assert max(count_writes(sandbox).values()) == 1
    assert len(count_writes(sandbox)) == planned > 10

    # Leaving: each goes back once, and then nobody asks anything.
    installation.run(LEAVE)
    state = wait_for("the disconnect", lambda now: now["connection"] == "disconnected" and now["queue"] == 0)
    assert state["deliveries"][-1] == ["restore", "complete", planned]
    assert set(count_writes(sandbox).values()) == {2}
    assert get_signatures(sandbox) == originals
    for cluster in clusters:
        cluster.terminate()
    assert [cluster.wait(30) for cluster in clusters] == [0, 0, 0, 0]
    # The last word is the revoked access tried once, for the receipt: refused.
    revoked, tried = sandbox.requests[-2:]
    assert revoked.path == "/oauth/revoke"
    assert (tried.method, tried.path, tried.status) == ("GET", "/api/v2/users", 401)


def count_writes(sandbox: Sandbox) -> Counter[str]:
    return Counter(one.path for one in sandbox.requests if one.method == "PATCH")


def test_twenty_askers_in_four_processes_renew_the_tokens_once_a_round(
    install: Callable[..., Installation], sandbox: Sandbox
) -> None:
    installation = install("postgres")
    installation.connect(DOMAIN, sandbox.oauth.issue_tokens())

    answers = json.loads(installation.run(REFRESHERS, "3", timeout=120))

    assert answers == [["ok"] * 20] * 3
    assert [one.status for one in sandbox.requests if one.path == "/oauth/token"] == [200] * 3


def test_keys_are_rotated_while_everything_stays_readable(
    install: Callable[..., Installation], sandbox: Sandbox
) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    installation = install("postgres", TOKEN_KEYS=old)
    found_and_connect(installation, sandbox)

    both = manage(installation, "rotatekeys", TOKEN_KEYS=f"{new},{old}")

    assert both == "2 secrets are under the newest key.\n"
    assert "users.all: ok" in manage(installation, "checkconnection", "--domain", DOMAIN, TOKEN_KEYS=new)
    assert installation.manage("checkconnection", "--domain", DOMAIN, TOKEN_KEYS=old).returncode != 0


def test_a_text_longer_than_its_column_is_set_aside_and_the_others_are_read(
    install: Callable[..., Installation], sandbox: Sandbox
) -> None:
    sandbox.directory.update("users", 5, title="x" * 256)
    sandbox.directory.update("users", 6, title="y" * 255)
    sandbox.directory.update("users", 7, title="Head of\x00 Sales")
    sandbox.directory.update("teams", 101, name="z" * 256)
    installation = install("postgres")
    found_and_connect(installation, sandbox)

    said = manage(installation, "syncdirectory", "--domain", DOMAIN)

    assert said.startswith("Read 24 people, 4 teams and ")
    assert ", 0 rejected." in said
    mirror = as_json(installation.run(MIRROR))
    titles = {row["remote_id"]: row["title"] for row in mirror["Person"]}
    assert (titles["5"], titles["6"], titles["7"]) == ("", "y" * 255, "Head of Sales")


def test_a_domain_is_founded_by_somebody_with_the_longest_of_addresses(
    install: Callable[..., Installation], sandbox: Sandbox
) -> None:
    owner = f"{'d' * 60}@{'a' * 60}.{'b' * 60}.example"

    said = manage(
        install("postgres"), "createdomain", DOMAIN, "--owner", owner, OWNER_PASSWORD="correct horse battery"
    )

    assert said == f"{DOMAIN} is ready. The account of {owner} made.\n"
