"""A company of 100,000 senders on PostgreSQL: list pages, admin pages, what syncs cost, deliveries, memory.

`main` starts the database server and each measurement in a process of its own; the functions below it are what those
run.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.support.postgres import running_cluster

from . import workers
from .large_tables import Size
from .pages import ask

DELIVERED = 4_000  # people of the company whose deliveries several workers carry out
PAGES = {
    "Overview": "/domains/{domain}/",
    "Senders": "/domains/{domain}/senders/",
    "Senders, found by name": "/domains/{domain}/senders/?q=77",
    "Senders, pending": "/domains/{domain}/senders/?status=pending",
    "One sender": "/domains/{domain}/senders/{sender}/",
    "Groups": "/domains/{domain}/groups/",
    "One group": "/domains/{domain}/groups/{group}/",
    "Templates": "/domains/{domain}/templates/",
    "One template": "/domains/{domain}/templates/{template}/",
    "Unpublished changes": "/domains/{domain}/releases/",
    "Releases": "/domains/{domain}/releases/history/",
    "Deliveries": "/domains/{domain}/deliveries/",
    "One delivery": "/domains/{domain}/deliveries/{run}/",
    "Edited in Outreach": "/domains/{domain}/edited/",
    "Campaigns": "/domains/{domain}/campaigns/",
    "One campaign": "/domains/{domain}/campaigns/{campaign}/",
    "Results": "/domains/{domain}/results/",
    "Results of a campaign": "/domains/{domain}/results/{campaign}/",
    "Syncs": "/domains/{domain}/syncs/",
    "Scope ledger": "/domains/{domain}/ledger/",
    "Scope ledger, one mailbox": "/domains/{domain}/ledger/?mailbox=person.1000001@acme.example",
    "Audit of all domains": "/audit/",
    "Status": "/manage/status/",
    "Admin: senders": "/admin/signatures/sender/",
    "Admin: deliveries": "/admin/signatures/delivery/",
    "Admin: mailboxes": "/admin/integrations/mailbox/",
    "Admin: people": "/admin/integrations/person/",
    "Admin: ledger": "/admin/integrations/ledgerentry/",
    "Admin: banner events": "/admin/signatures/bannerevent/",
}


def main(size: Size) -> None:
    """Print the tables."""
    from .__main__ import measure, running_sandbox

    with (
        tempfile.TemporaryDirectory(prefix="countersign-benchmarks-") as name,
        running_cluster() as cluster,
        running_sandbox(24, Path(name)) as url,
    ):
        asked = {}
        for each in (size.divide(100), size):
            database = cluster.create()
            seeded = measure(f"seed:{each.senders},{each.entries},{each.events}", url, database)
            asked[each.senders] = measure("ask", url, database) | seeded
        quiet = {"bare": measure("bare", url, database), "sync": measure("follow", url, database)}
        with running_sandbox(size.senders, Path(name)) as url:
            full = {"bare": measure("bare", url, database), "sync": measure("sync", url, cluster.create())}
        with running_sandbox(DELIVERED, Path(name)) as url:
            turns = workers.measure_turns(url, cluster)
    few, many = asked.values()
    print_pages(few, many)
    print_rest(many, full, quiet, turns)


def print_pages(few: dict[str, Any], many: dict[str, Any]) -> None:
    table = Table("Page", f"{many['senders']:,} senders", f"{few['senders']:,} senders", "Queries", "Aim")
    for page in many["pages"]:
        (seconds, queries), (other, fewer) = many["pages"][page], few["pages"][page]
        aim = "< 200 ms, ≤ 20"
        table.add_row(page, f"{seconds * 1000:.0f} ms", f"{other * 1000:.0f} ms", f"{queries} ({fewer})", aim)
    Console(width=160).print(table)


def print_rest(
    many: dict[str, Any], full: dict[str, Any], quiet: dict[str, Any], turns: dict[int, dict[str, Any]]
) -> None:
    table = Table("What", "Measured", "Baseline in the same run", "Figure", "Aim")
    rows = ", ".join(f"{number:,} {name}" for name, number in many["rows"].items())
    table.add_row("Seeding", f"{many['seconds'] / 60:.0f} minutes", rows, "", "stated")
    sync, bare = full["sync"], full["bare"]
    table.add_row(
        f"Full sync, {many['senders']:,} people",
        f"{sync['seconds']:.1f} s, {sync['calls']} calls",
        f"{bare['seconds']:.1f} s: download and decode only",
        f"{sync['seconds'] / bare['seconds']:.1f} ×",
        "≤ 3 ×",
    )
    sync, bare = quiet["sync"], quiet["bare"]
    table.add_row(
        "Sync that finds nothing",
        f"{sync['seconds']:.2f} s, {sync['calls']} calls",
        f"{bare['seconds']:.2f} s, {bare['calls']} calls: download and decode only",
        f"{sync['seconds'] / bare['seconds']:.1f} ×",
        "< 1 s",
    )
    table.add_row(
        "What follows a sync that found nothing",
        f"{sync['follow_seconds']:.2f} s, {sync['queries']} queries",
        "–",
        "",
        "< 1 s",
    )
    one = turns[1]
    for number, turn in turns.items():
        table.add_row(
            f"{workers.RUNS} deliveries, {number} workers of 8 threads, 50 ms a write",
            f"{turn['delivered']:,} mailboxes in {turn['seconds']:.0f} s, {turn['writes']:,} writes",
            f"{one['seconds']:.0f} s: one worker",
            f"{one['seconds'] / turn['seconds']:.2f} ×",
            "each written once",
        )
    web, worker = many["peak_mb"], max(turn["memory_mb"] for turn in turns.values())
    table.add_row("Memory of a web process that answered every page", f"{web:.0f} MB", "–", "", "stated")
    table.add_row(
        "Memory of a worker of long tasks, all its processes", f"{worker:.0f} MB", "–", "", "stated"
    )
    Console(width=160).print(table)


def ask_everything(connection: Any) -> dict[str, Any]:
    """Return each page's seconds and queries, and the process's peak memory in MB."""
    from portal.worker.gc_tuning import leave_out_what_is_loaded

    reader = log_in(connection.domain)
    reader.get("/healthz")
    leave_out_what_is_loaded()  # as a web process does when it has started
    pages = {page: ask(reader, path) for page, path in find_pages(connection.domain).items()}
    return {"pages": pages, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def log_in(domain: Any) -> Any:
    """Return a client for the domain's owner, who is an operator as well."""
    from django.test import Client

    from portal.models import Membership

    user = Membership.objects.get(domain=domain).user
    user.is_staff = user.is_superuser = True
    user.save()
    reader = Client()
    reader.force_login(user)
    return reader


def find_pages(domain: Any) -> dict[str, str]:
    """Return the path of each page, with the domain's newest objects."""
    from signatures.models import Campaign, Group, Sender, Template

    places = {
        "domain": domain.name,
        "sender": Sender.objects.filter(domain=domain).latest("pk").pk,
        "group": Group.objects.filter(domain=domain).latest("pk").pk,
        "template": Template.objects.filter(domain=domain).latest("pk").pk,
        "run": domain.delivery_runs.latest("pk").pk,
        "campaign": Campaign.objects.filter(domain=domain).latest("pk").pk,
    }
    return {page: path.format(**places) for page, path in PAGES.items()}


def follow(run: Any) -> dict[str, float]:
    """Return the seconds and queries of what follows a sync."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from signatures.tasks import follow_sync

    started = time.perf_counter()
    follow_sync(run_id=run.pk)
    seconds = time.perf_counter() - started
    with CaptureQueriesContext(connection) as queries:
        follow_sync(run_id=run.pk)
    return {"follow_seconds": seconds, "queries": len(queries)}
