"""One measurement in a process of its own; prints its figures as one line of JSON."""

from __future__ import annotations

import itertools
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from uuid import uuid4

import django
import requests

django.setup()

from django.conf import settings  # noqa: E402 - Django is set up first
from django.core.management import call_command  # noqa: E402

from integrations.connection.lifecycle import Authorisation, accept_authorisation  # noqa: E402
from integrations.ledger import chain  # noqa: E402
from integrations.models import Connection, LedgerEntry, SyncKind  # noqa: E402
from integrations.outreach.allowed_calls import LIST_MAILBOXES, LIST_TEAMS, LIST_USERS  # noqa: E402
from integrations.outreach.oauth import TokenReply  # noqa: E402
from integrations.outreach.scopes import REQUESTED  # noqa: E402
from integrations.sync import runs  # noqa: E402
from portal.accounts.domains import found_domain  # noqa: E402
from portal.models import Domain  # noqa: E402

from . import company, delivery, large_tables, pages, rendering, scale, spreadsheet, workers  # noqa: E402

PAGE_SIZE = 500  # as the connector asks


def control(method: str, door: str, /, **body: object) -> dict:
    reply = requests.request(method, f"{settings.OUTREACH_BASE_URL}/_sandbox/{door}", json=body, timeout=60)
    reply.raise_for_status()
    return reply.json()


def issue_tokens() -> dict:
    control("PATCH", "settings", hourly_limit=1_000_000)
    return control("POST", "tokens", scopes=list(REQUESTED), user_id=1)


def bare() -> dict:
    """Download and decode the same pages as a full sync, and nothing else."""
    session = requests.Session()
    session.headers.update(
        {
            "Authorization": f"Bearer {issue_tokens()['access_token']}",
            "Accept": "application/vnd.api+json",
            "Content-Type": "application/vnd.api+json",
        }
    )
    calls = 0
    started = time.perf_counter()
    for endpoint in (LIST_TEAMS, LIST_USERS, LIST_MAILBOXES):
        fields = [name for name in endpoint.fields_read if name not in ("userGuid", "createdAt")]
        url = f"{settings.OUTREACH_BASE_URL}{endpoint.path}"
        query: dict | None = {
            "page[size]": PAGE_SIZE,
            "count": "false",
            f"fields[{endpoint.resource_type}]": ",".join(fields),
        }
        while url:
            reply = session.get(url, params=query, timeout=60)
            reply.raise_for_status()
            url, query = reply.json().get("links", {}).get("next"), None
            calls += 1
    return {"seconds": time.perf_counter() - started, "calls": calls}


def full_sync() -> dict:
    call_command("migrate", verbosity=0)
    founded = found_domain(
        "acme.example", owner_email="owner@acme.example", get_password=lambda: "a long one for tests"
    )
    reply = issue_tokens()
    connection = accept_authorisation(
        uuid4(),
        Authorisation(
            domain=founded.domain,
            user=founded.owner,
            pair=TokenReply(
                access_token=reply["access_token"],
                refresh_token=reply["refresh_token"],
                expires_in_seconds=reply["expires_in"],
                scope=reply["scope"],
                created_at=reply["created_at"],
            ),
            scopes_requested=REQUESTED,
            scopes_granted=REQUESTED,
            scopes_known=True,
            account_key="acme",
            account_label="Acme",
        ),
    )
    return run_sync(connection, SyncKind.FULL)


def unchained_sync() -> dict:
    """The same sync with ledger entries that are only written: neither chained, nor counted by day."""
    places = itertools.count(1)

    def write(entries: Sequence[LedgerEntry], *, domain: Domain | None) -> None:
        for entry in entries:
            entry.sequence = next(places)
        LedgerEntry.objects.bulk_create(entries, batch_size=chain.BATCH)

    chain.append = write
    return full_sync()


def changes() -> dict:
    return run_sync(Connection.objects.get(), SyncKind.CHANGES)


def run_sync(connection: Connection, kind: SyncKind) -> dict:
    run = runs.request_sync(connection, kind=kind, actor="benchmark")
    started, worked = time.perf_counter(), time.process_time()
    run = runs.carry_out(run.pk)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - worked
    if run.state != "complete":
        raise SystemExit(f"{run.state}: {run.cause}")
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "calls": run.calls,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def deliver() -> dict:
    from signatures.delivery.deliver import carry_out

    plan = delivery.publish_and_plan(Connection.objects.select_related("domain").get())
    control("DELETE", "requests")
    started = time.perf_counter()
    run = carry_out(plan.pk)
    seconds = time.perf_counter() - started
    if run.state != "complete":
        raise SystemExit(f"{run.state}: {run.cause}")
    return {"seconds": seconds, "delivered": run.delivered, "requests": control("GET", "state")["requests"]}


def plan(many: int) -> dict:
    full_sync()
    return delivery.plan(many, Connection.objects.select_related("domain").get())


def seed(sizes: str) -> dict:
    full_sync()
    size = large_tables.Size(*map(int, sizes.split(",")))
    return large_tables.seed(size, Connection.objects.select_related("domain").get())


def follow() -> dict:
    """A second sync that found nothing, and what follows it."""
    done = {}
    for _ in range(2):
        done = changes() | scale.follow(Connection.objects.get().sync_runs.latest("pk"))
    return done


def queue(number: int) -> dict:
    return workers.queue_runs(number, Connection.objects.select_related("domain").get(), control)


def ask_pages(many: int) -> dict:
    full_sync()
    return pages.ask_pages(many, Connection.objects.select_related("domain").get())


def found_company() -> Connection:
    """A connected domain without people; nobody answers at its Outreach."""
    call_command("migrate", verbosity=0)
    return company.connect(
        found_domain(
            "acme.example", owner_email="owner@acme.example", get_password=lambda: "a long one for tests"
        )
    )


def people(many: int) -> dict:
    delivery.make_people(found_company(), many)
    return {}


MEASUREMENTS: dict[str, Callable[[], dict]] = {
    "bare": bare,
    "sync": full_sync,
    "unchained": unchained_sync,
    "changes": changes,
    "deliver": deliver,
    "follow": follow,
    "ask": lambda: scale.ask_everything(Connection.objects.select_related("domain").get()),
    "deliver_slowly": lambda: delivery.deliver_slowly(control),
    "patch_bare": lambda: delivery.patch_bare(
        control, settings.OUTREACH_BASE_URL, issue_tokens()["access_token"]
    ),
}

if __name__ == "__main__":
    what, _, number = sys.argv[1].partition(":")
    sized: dict[str, Callable[[str], dict]] = {
        "plan": lambda number: plan(int(number)),
        "pages": lambda number: ask_pages(int(number)),
        "people": lambda number: people(int(number)),
        "rendering": lambda number: rendering.render(int(number), found_company()),
        "lists": lambda number: rendering.list_pages(int(number)),
        "spreadsheet": lambda number: spreadsheet.import_values(int(number)),
        "seed": seed,
        "queue": lambda number: queue(int(number)),
    }
    print(json.dumps(sized[what](number) if what in sized else MEASUREMENTS[what]()))
