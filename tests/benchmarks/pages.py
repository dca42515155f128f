"""Pages of a large company on PostgreSQL against the same pages of a small one.

`main` starts the database server and each measurement in a process of its own; `ask_pages` is what those run.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.support.postgres import running_cluster

SMALL = 1_000  # senders of the company to compare with
RUNS = 10  # deliveries to everybody
TURNS = 9
PAGES = {
    "Overview": "",
    "Senders": "senders/",
    "Senders, found by name": "senders/?q=99",
    "Senders, pending": "senders/?status=pending",
    "One sender": "senders/{sender}/",
    "Groups": "groups/",
    "Templates": "templates/",
    "Drafts": "releases/",
    "Releases": "releases/history/",
    "Deliveries": "deliveries/",
    "One delivery": "deliveries/{run}/",
    "Edited in Outreach": "edited/",
    "Results": "results/",
}


def main(people: int) -> None:
    """Print the table. people: senders, each with RUNS deliveries."""
    from .__main__ import measure, running_sandbox

    with (
        tempfile.TemporaryDirectory(prefix="countersign-benchmarks-") as name,
        running_cluster() as cluster,
        running_sandbox(24, Path(name)) as url,
    ):
        small = measure(f"pages:{SMALL}", url, cluster.create())
        large = measure(f"pages:{people}", url, cluster.create())
    table = Table(
        "Page", f"{people:,} senders, {large['rows']:,} deliveries", f"{SMALL:,} senders", "Queries", "Aim"
    )
    for page in PAGES:
        seconds, queries = large["pages"][page]
        other, fewer = small["pages"][page]
        table.add_row(
            page, f"{seconds * 1000:.0f} ms", f"{other * 1000:.0f} ms", f"{queries} ({fewer})", "< 150 ms"
        )
    Console(width=160).print(table)


def ask_pages(people: int, connection: Any) -> dict[str, Any]:
    """Return each page's seconds (the median of TURNS) and queries, for a company of `people` senders.

    The pages are asked for within the process: what is measured is the portal and its database, not a server.
    """
    from django.test import Client

    from portal.models import Membership
    from signatures.authoring.templates import install_starters
    from signatures.delivery.status import follow_release
    from signatures.models import Delivery, Sender
    from signatures.releases.publish import publish

    from .delivery import make_people, place_everything

    domain = connection.domain
    make_people(connection, people)
    install_starters(domain, actor="benchmark")
    publish(domain, actor="benchmark")
    follow_release(connection)
    place_everything(connection)
    run = deliver_to_everybody(domain, people)
    reader = Client()
    reader.force_login(Membership.objects.get(domain=domain).user)
    sender = Sender.objects.filter(domain=domain).latest("pk")
    pages = {
        page: ask(reader, f"/domains/{domain.name}/{path.format(sender=sender.pk, run=run.pk)}")
        for page, path in PAGES.items()
    }
    return {"pages": pages, "rows": Delivery.objects.count()}


def ask(reader: Any, path: str) -> tuple[float, int]:
    """Return a page's seconds and queries, once it was asked for before."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    seconds = []
    for _ in range(TURNS + 1):
        started = time.perf_counter()
        reply = reader.get(path)
        seconds.append(time.perf_counter() - started)
        if reply.status_code != 200:
            raise SystemExit(f"{path}: {reply.status_code}")
    with CaptureQueriesContext(connection) as queries:
        reader.get(path)
    return statistics.median(seconds[1:]), len(queries)


def deliver_to_everybody(domain: Any, people: int) -> Any:
    """Return the last of RUNS deliveries that reached everybody, as their rows would stand in the database."""
    from django.db import connection as database
    from django.utils import timezone

    from signatures.models import Delivery, DeliveryRun, MailboxState
    from signatures.releases.live import get_live

    now, runs = timezone.now(), []
    for _ in range(RUNS):
        runs.append(
            DeliveryRun.objects.create(
                domain=domain,
                connection=domain.connections.get(),
                state="complete",
                started_by_label="benchmark",
                release=get_live(domain),
                planned=people,
                settled=people,
                delivered=people,
                queued_at=now,
                started_at=now,
                finished_at=now,
            )
        )
    states = MailboxState.objects.exclude(sender=None).select_related("mailbox", "sender__person")
    Delivery.objects.bulk_create(
        (
            Delivery(
                run=runs[0],
                sender=state.sender,
                mailbox_remote_id=state.mailbox.remote_id,
                mailbox_email=state.mailbox.email,
                person_remote_id=state.sender.person.remote_id,
                state="delivered",
                rendered_sha256=state.rendered_sha256,
                finished_at=now,
            )
            for state in states.iterator(chunk_size=2_000)
        ),
        batch_size=2_000,
    )
    columns = [
        f'"{field.column}"'
        for field in Delivery._meta.concrete_fields
        if field.column not in ("id", "run_id")
    ]
    names, table = ", ".join(columns), Delivery._meta.db_table
    with database.cursor() as cursor:
        for run in runs[1:]:
            cursor.execute(
                f'INSERT INTO "{table}" (run_id, {names}) SELECT %s, {names} FROM "{table}" WHERE run_id = %s',  # noqa: S608 - our own column names
                [run.pk, runs[0].pk],
            )
        cursor.execute("ANALYZE")
    return runs[-1]
