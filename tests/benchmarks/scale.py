"""A company of 100,000 senders on PostgreSQL: list pages, admin pages, what syncs cost, deliveries, memory.

`main` starts the database server and each measurement in a process of its own; the functions below it are what those
run. Large tables are filled by the database itself, out of one row that the product wrote.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.support.postgres import running_cluster

from .pages import ask, deliver_to_everybody

DOMAINS = 20
DAYS = 30


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of each; a small company has a hundredth of everything."""

    senders: int
    entries: int
    events: int

    @property
    def groups(self) -> int:
        return self.senders // 50

    def divide(self, by: int) -> Size:
        return Size(self.senders // by, self.entries // by, self.events // by)


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
        quiet = measure("follow", url, database)
    few, many = asked.values()
    print_pages(few, many)
    print_rest(many, quiet)


def print_pages(few: dict[str, Any], many: dict[str, Any]) -> None:
    table = Table("Page", f"{many['senders']:,} senders", f"{few['senders']:,} senders", "Queries", "Aim")
    for page in many["pages"]:
        (seconds, queries), (other, fewer) = many["pages"][page], few["pages"][page]
        aim = "< 200 ms, ≤ 20"
        table.add_row(page, f"{seconds * 1000:.0f} ms", f"{other * 1000:.0f} ms", f"{queries} ({fewer})", aim)
    Console(width=160).print(table)


def print_rest(many: dict[str, Any], quiet: dict[str, Any]) -> None:
    table = Table("What", "Measured", "Aim")
    rows = ", ".join(f"{number:,} {name}" for name, number in many["rows"].items())
    table.add_row("Seeding", f"{many['seconds'] / 60:.0f} minutes: {rows}", "stated")
    table.add_row(
        "Senders after a sync that found nothing, processor time", f"{quiet['seconds']:.2f} s", "< 1 s"
    )
    table.add_row("Memory of a web process that answered every page", f"{many['peak_mb']:.0f} MB", "stated")
    Console(width=160).print(table)


def seed(size: Size, connection: Any) -> dict[str, Any]:
    """Fill the database; return seconds and how many rows of what there are."""
    from integrations.models import LedgerEntry
    from signatures.models import BannerEvent, DailyTotal, Delivery, Group

    started = time.perf_counter()
    make_directory(connection, size)
    make_people(connection, size)
    make_history(connection, size)
    analyze()
    counted = {"groups": Group, "deliveries": Delivery, "entries of the ledger": LedgerEntry}
    counted |= {"daily totals": DailyTotal, "banner events": BannerEvent}
    rows = {name: model._default_manager.count() for name, model in counted.items()}
    return {"seconds": time.perf_counter() - started, "senders": size.senders, "rows": rows}


def make_directory(connection: Any, size: Size) -> None:
    """Further domains, and teams with their groups; a live release, and its delivery to the sandbox's people."""
    from integrations.models import Team
    from portal.models import Domain
    from signatures.authoring.templates import install_starters
    from signatures.delivery.status import follow_release
    from signatures.releases.publish import publish
    from signatures.senders.groups import refresh_groups
    from signatures.senders.refresh import refresh_senders

    from .delivery import place_everything

    multiply(Domain, numbers(DOMAINS - 1), name="'other' || n || '.example'")
    multiply(Team, numbers(size.groups), remote_id="'9' || n", name="'Team ' || n")
    refresh_groups(connection)
    refresh_senders(connection, since=None)
    install_starters(connection.domain, actor="benchmark")
    publish(connection.domain, actor="benchmark")
    follow_release(connection)
    place_everything(connection)


def make_people(connection: Any, size: Size) -> None:
    """People in teams, each with a sender and a mailbox that holds what the release renders."""
    from integrations.models import Mailbox, Person
    from signatures.models import MailboxState, Placement, Sender
    from signatures.senders.team_counts import count_again

    remote_id, address = "(1000000 + n)::text", "'person.' || (1000000 + n) || '@acme.example'"
    multiply(
        Person,
        numbers(size.senders),
        remote_id=remote_id,
        email=address,
        name="'Kim Number ' || n",
        last_name="'Number ' || n",
        team_ids=f"('[\"9' || (1 + n % {size.groups}) || '\"]')::jsonb",
    )
    multiply(Mailbox, numbers(size.senders), remote_id=remote_id, email=address, person_remote_id=remote_id)
    multiply(
        Sender,
        "integrations_person AS p JOIN signatures_group AS g ON g.follows_team_id = p.team_ids->>0 "
        "WHERE length(p.remote_id) = 7",
        person_id="p.id",
        email="p.email",
        name="p.name",
        search="lower(p.name || chr(10) || p.email)",
        banner_key="left(md5(p.remote_id), 22)",
        group_id="g.id",
        live_group_id="g.id",
    )
    multiply(
        MailboxState,
        "integrations_mailbox AS m JOIN integrations_person AS p ON p.remote_id = m.person_remote_id "
        "JOIN signatures_sender AS s ON s.person_id = p.id WHERE length(m.remote_id) = 7",
        mailbox_id="m.id",
        sender_id="s.id",
        status="'up_to_date'",
    )
    multiply(Placement, numbers(size.senders), mailbox_remote_id=remote_id)
    count_again(connection)
    deliver_to_everybody(connection.domain, size.senders)


def make_history(connection: Any, size: Size) -> None:
    """Campaigns with their figures, syncs, entries of the ledger and banner events."""
    from integrations.ledger.record import record_act
    from integrations.models import LedgerEntry, SyncRun
    from signatures.models import BannerEvent

    domain = connection.domain
    make_campaigns(domain, size.groups)
    multiply(SyncRun, numbers(size.senders // 10))
    record_act("benchmark", domain=domain, actor_label="owner@acme.example")
    with without_indexes(LedgerEntry), without_indexes(BannerEvent):
        multiply(
            LedgerEntry,
            numbers(size.entries),
            sequence="r.sequence + n",
            action="'call'",
            endpoint="'update_mailbox'",
            scope="'mailboxes.all'",
            verb="'write'",
            object_ref=f"'mailbox ' || (1000000 + n % {size.senders})",
            at="r.at - n * interval '1 second'",
        )
        make_events(domain, size)


def make_campaigns(domain: Any, groups: int) -> None:
    """Campaigns, each in some groups, with daily totals of the last days."""
    from datetime import timedelta

    from django.utils import timezone

    from signatures.models import Campaign, DailyTotal, Group

    now = timezone.now()
    chosen = list(Group.objects.filter(domain=domain)[:3])
    for number in range(20):
        campaign = Campaign.objects.create(
            domain=domain, name=f"Fair {number}", starts_at=now - timedelta(days=DAYS)
        )
        campaign.groups.set(chosen)
        DailyTotal.objects.bulk_create(
            DailyTotal(
                domain=domain,
                day=(now - timedelta(days=day)).date(),
                campaign_id=campaign.pk,
                banner_id=1,
                group_id=group,
                impressions=500,
                clicks=5,
                campaign_name=campaign.name,
                banner_name="Blue",
                group_name=f"Team {group}",
            )
            for day in range(DAYS)
            for group in range(min(groups, 100))
        )


def make_events(domain: Any, size: Size) -> None:
    """Banner events of the last days, judged and counted already."""
    from django.utils import timezone

    from signatures.models import BannerEvent, Campaign, EventKind

    first = Campaign.objects.filter(domain=domain).order_by("pk")[0]
    BannerEvent.objects.create(
        domain=domain,
        at=timezone.now(),
        kind=EventKind.IMAGE,
        method="GET",
        sender_id=1,
        group_id=1,
        campaign_id=first.pk,
        banner_id=1,
        network="203.0.113.0/24",
        agent="Mozilla/5.0",
        visitor_key="v",
        is_judged=True,
        counted_on=timezone.now().date(),
    )
    multiply(
        BannerEvent,
        numbers(size.events),
        at=f"r.at - (n % {DAYS * 86_400}) * interval '1 second'",
        sender_id=f"n % {size.senders}",
        visitor_key="md5((n % 1000000)::text)",
    )


def numbers(many: int) -> str:
    """Return a source of `multiply` that counts in n, from 1."""
    return f"generate_series(1, {many}) AS n WHERE true"


def multiply(model: Any, source: str, **changed: str) -> None:
    """Copy the model's newest row r, once for each row of a source. changed: column -> SQL over r and the source."""
    from django.db import connection as database

    table, key = model._meta.db_table, model._meta.pk.column
    newest = model._default_manager.order_by("-pk").values_list("pk", flat=True)[0]
    columns = [field.column for field in model._meta.concrete_fields]
    columns = [column for column in columns if column != key or column in changed]
    names = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(changed.get(column, f'r."{column}"') for column in columns)
    with database.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{table}" ({names}) SELECT {values} FROM "{table}" AS r CROSS JOIN {source} '  # noqa: S608 - our own names
            f'AND r."{key}" = {newest}'
        )
        cursor.execute(f'ANALYZE "{table}"')  # what follows joins it


@contextmanager
def without_indexes(model: Any) -> Iterator[None]:
    """Drop the table's indexes for the block, but for those of constraints, and make them again."""
    from django.db import connection as database

    with database.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexname NOT IN "
            "(SELECT conname FROM pg_constraint) AND indexdef NOT LIKE '%%UNIQUE%%'",
            [model._meta.db_table],
        )
        found = cursor.fetchall()
        for name, _ in found:
            cursor.execute(f'DROP INDEX "{name}"')
        try:
            yield
        finally:
            cursor.execute("SET maintenance_work_mem = '512MB'")
            for _, definition in found:
                cursor.execute(definition)


def analyze() -> None:
    from django.db import connection as database

    with database.cursor() as cursor:
        cursor.execute("ANALYZE")


def ask_everything(connection: Any) -> dict[str, Any]:
    """Return each page's seconds and queries, and the process's peak memory in MB."""
    from django.test import Client

    from portal.models import Membership
    from signatures.models import Campaign, Group, Sender, Template

    domain = connection.domain
    user = Membership.objects.get(domain=domain).user
    user.is_staff = user.is_superuser = True
    user.save()
    reader = Client()
    reader.force_login(user)
    places = {
        "domain": domain.name,
        "sender": Sender.objects.filter(domain=domain).latest("pk").pk,
        "group": Group.objects.filter(domain=domain).latest("pk").pk,
        "template": Template.objects.filter(domain=domain).latest("pk").pk,
        "run": domain.delivery_runs.latest("pk").pk,
        "campaign": Campaign.objects.filter(domain=domain).latest("pk").pk,
    }
    pages = {page: ask(reader, path.format(**places)) for page, path in PAGES.items()}
    return {"pages": pages, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def follow(run: Any) -> float:
    """Return the processor time of what follows a sync."""
    from signatures.delivery.after_sync import follow_mirror

    worked = time.process_time()
    follow_mirror(run)
    return time.process_time() - worked
