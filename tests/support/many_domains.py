"""Many domains: fills large tables of a database on PostgreSQL, spread over twenty domains.

One domain is made as the company of `tests.benchmarks.scale`; the others, larger ones, are copies of its rows.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import connection as database
from django.db.models import F
from django.utils import timezone

from integrations.models import Connection, LedgerEntry, Mailbox, Person
from portal.models import Domain
from signatures.models import (
    BannerEvent,
    DailyCount,
    DailyTotal,
    Decision,
    Delivery,
    DeliveryRun,
    Group,
    MailboxState,
    Placement,
    Sender,
    Snapshot,
)
from tests.benchmarks.large_tables import DOMAINS, FAR, analyze, copy_rows, multiply, numbers, without_indexes

MANY = 1_000_000
TIMES = 13  # how often each other domain has each sender
AGAIN = f"generate_series(1, {TIMES}) AS k"


def fill(connection: Connection, *, senders: int) -> None:
    """Copy the connection's domain into the other ones, and add entries, events, counts and originals to all.

    senders: of this domain, which has them already.
    """
    domain = connection.domain
    database.cursor().execute("CREATE TEMPORARY VIEW one_id_each AS SELECT id FROM portal_domain")
    _copy_directory(connection)
    _copy_deliveries(domain)
    _make_originals(domain, senders * TIMES)
    multiply(
        DailyTotal,
        f"portal_domain AS d CROSS JOIN generate_series(1, 5000) AS n WHERE d.id <> {domain.pk}",
        domain_id="d.id",
        day="r.day - (n / 100)::int",
        banner_id="2 + n % 100",
    )
    DailyCount.objects.create(domain=domain, day="2026-01-01", campaign_id=1, banner_id=1, sender_id=1)
    any_domain = f"((array(TABLE one_id_each))[1 + n % {DOMAINS}])"
    multiply(
        DailyCount,
        numbers(MANY // 10),
        domain_id=any_domain,
        sender_id="n",
        campaign_id="1 + n % 50",
        day="r.day + (n % 200)::int",
    )
    with without_indexes(LedgerEntry):
        multiply(
            LedgerEntry,
            numbers(MANY),
            domain_id=any_domain,
            sequence=f"{2 * FAR} + n",
            action="'call'",
            endpoint="'update_mailbox'",
            scope="'mailboxes.all'",
            verb="'write'",
            object_ref=f"(1000000 + n % {senders})::text",
            at="r.at - n * interval '1 second'",
        )
    with without_indexes(BannerEvent):
        multiply(
            BannerEvent,
            numbers(MANY),
            domain_id=any_domain,
            at="r.at - n * interval '8 seconds'",  # the first ones are just past the ninety days that they are kept
            sender_id=f"n % {senders}",
            visitor_key="md5((n % 100000)::text)",
        )
    analyze()


def _copy_directory(connection: Connection) -> None:
    """Each other domain has a connection with the same groups, and each person and sender so many TIMES."""
    domain = connection.domain
    others = f"integrations_connection AS c CROSS JOIN {AGAIN} WHERE c.domain_id <> {domain.pk}"
    copy_rows(
        Connection,
        f"portal_domain AS d WHERE r.domain_id = {domain.pk} AND d.id <> {domain.pk}",
        id="gen_random_uuid()",
        domain_id="d.id",
        account_key="d.name",
    )
    ours = f"{others} AND r.connection_id = '{connection.pk}'"
    remote_id = "r.remote_id || '.' || k"
    email = "md5(c.id || '.' || k) || r.email"
    copy_rows(Person, ours, connection_id="c.id", remote_id=remote_id, email=email)
    copy_rows(
        Mailbox,
        ours,
        connection_id="c.id",
        remote_id=remote_id,
        email=email,
        person_remote_id="r.person_remote_id || '.' || k",
    )
    copy_rows(Group, f"{others} AND r.domain_id = {domain.pk} AND k = 1", domain_id="c.domain_id")
    copy_rows(
        Sender,
        "integrations_connection AS c JOIN integrations_person AS p ON p.connection_id = c.id "
        "LEFT JOIN signatures_group AS g ON g.domain_id = c.domain_id AND g.follows_team_id = p.team_ids->>0 "
        "JOIN integrations_person AS o ON o.remote_id = split_part(p.remote_id, '.', 1) "
        f"WHERE r.person_id = o.id AND o.connection_id = '{connection.pk}' AND c.domain_id <> {domain.pk}",
        domain_id="c.domain_id",
        person_id="p.id",
        email="p.email",
        banner_key="left(md5(p.id::text), 22)",
        group_id="g.id",
        live_group_id="g.id",
    )
    copy_rows(
        MailboxState,
        "integrations_mailbox AS o JOIN integrations_mailbox AS m ON split_part(m.remote_id, '.', 1) = o.remote_id "
        "JOIN integrations_person AS p ON p.remote_id = m.person_remote_id AND p.connection_id = m.connection_id "
        "JOIN signatures_sender AS s ON s.person_id = p.id WHERE r.mailbox_id = o.id "
        f"AND o.connection_id = '{connection.pk}' AND m.connection_id <> o.connection_id",
        mailbox_id="m.id",
        domain_id="s.domain_id",
        sender_id="s.id",
    )
    copy_rows(
        Placement,
        f"{others} AND r.domain_id = {domain.pk}",
        domain_id="c.domain_id",
        account_key="c.account_key",
        mailbox_remote_id="r.mailbox_remote_id || '.' || k",
    )


def _copy_deliveries(domain: Domain) -> None:
    """Each other domain has the same runs, and each of those its mailboxes; ours has one of long ago."""
    others = f"integrations_connection AS c WHERE c.domain_id <> {domain.pk}"
    copy_rows(
        DeliveryRun, f"{others} AND r.domain_id = {domain.pk}", domain_id="c.domain_id", connection_id="c.id"
    )
    first = DeliveryRun.objects.filter(domain=domain).earliest("pk")
    long_ago = F("finished_at") - timedelta(days=400)
    DeliveryRun.objects.filter(pk=first.pk).update(started_at=long_ago, finished_at=long_ago)
    with without_indexes(Delivery):
        copy_rows(
            Delivery,
            f"signatures_deliveryrun AS d CROSS JOIN {AGAIN} "
            f"WHERE d.domain_id <> {domain.pk} AND r.run_id = {first.pk}",
            run_id="d.id",
            active_key="NULL",
            sender_id="NULL",
            mailbox_remote_id="r.mailbox_remote_id || '.' || k",
        )


def _make_originals(domain: Domain, senders: int) -> None:
    """Every domain has the original of each mailbox, and some decisions."""
    domains = "portal_domain AS d"
    Snapshot.objects.create(
        domain=domain, account_key="acme", mailbox_remote_id="0", mailbox_email="x", taken_at=timezone.now()
    )
    multiply(
        Snapshot,
        f"{domains} CROSS JOIN generate_series(1, {senders}) AS n WHERE true",
        domain_id="d.id",
        mailbox_remote_id="(1000000 + n)::text",
        mailbox_email="'person.' || (1000000 + n) || '@acme.example'",
    )
    sender = Sender.objects.filter(domain=domain).earliest("pk")
    Decision.objects.create(domain=domain, sender=sender, recipient_key="r", at=timezone.now())
    multiply(
        Decision,
        f"{domains} CROSS JOIN generate_series(1, {senders}) AS n WHERE true",
        domain_id="d.id",
        recipient_key="md5(n::text)",
        at="r.at - n * interval '10 minutes'",
    )
