"""Large tables: fills a database on PostgreSQL with a company of any size, and what it did over months.

The database itself copies rows that the product wrote.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .pages import deliver_to_everybody

DOMAINS = 20
DAYS = 30
FAR = 10**12  # places in the ledger that its own next entries do not come to


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of each; a small company has a hundredth of everything."""

    senders: int
    entries: int
    events: int

    @property
    def groups(self) -> int:
        return max(1, self.senders // 50)

    def divide(self, by: int) -> Size:
        return Size(self.senders // by, self.entries // by, self.events // by)


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
    from django.utils import timezone

    from integrations.models import Mailbox, Person
    from signatures.models import Following, MailboxState, Placement, Sender
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
    Following.objects.filter(connection=connection).update(senders_until=timezone.now())
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
            sequence=f"{FAR} + n",
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
    newest = model._default_manager.order_by("-pk").values_list("pk", flat=True)[0]
    copy_rows(model, f'{source} AND r."{model._meta.pk.column}" = {newest}', **changed)


def copy_rows(model: Any, source: str, **changed: str) -> None:
    """Copy rows r of the model, once for each row of a source, whose condition chooses both."""
    from django.db import connection as database

    table, key = model._meta.db_table, model._meta.pk.column
    columns = [field.column for field in model._meta.concrete_fields]
    columns = [column for column in columns if column != key or column in changed]
    names = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(changed.get(column, f'r."{column}"') for column in columns)
    with database.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{table}" ({names}) SELECT {values} FROM "{table}" AS r CROSS JOIN {source}'  # noqa: S608 - our own names
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
