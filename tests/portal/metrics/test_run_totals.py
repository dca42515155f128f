"""Totals of runs under /metrics: each is counted once, whatever is kept or removed, and few rows are read for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.models import Connection, ConnectionState, SyncRun
from portal.models import Domain
from tests.support.company import Company, found_company
from tests.support.metrics import acting_before_statement, count_statements

RUNS, MAILBOXES = "countersign_runs_total", "countersign_delivered_mailboxes_total"
SUCCESS = "countersign_run_last_success_timestamp_seconds"
TABLES = ("integrations_syncrun", "signatures_deliveryrun", "integrations_ledgerday")


@pytest.fixture
def company(domain) -> Company:
    return found_company(domain)


@pytest.fixture
def bystander(other_domain) -> Company:
    return found_company(other_domain)


def end_sync(
    company: Company, state: str = "complete", kind: str = "people", *, age_days: int = 0
) -> SyncRun:
    at = timezone.now() - timedelta(days=age_days)
    return SyncRun.objects.create(connection=company.connection, kind=kind, state=state, finished_at=at)


def test_each_run_is_counted_once_however_often_totals_are_kept(read, company, bystander):
    running = end_sync(company, "running")
    for _ in range(2):
        end_sync(company)
        company.run("complete", delivered=5, failed=1, finished_at=timezone.now())
        bystander.run("failed", skipped=2, finished_at=timezone.now())
        call_command("prunerows", verbosity=0)
        call_command("prunerows", "--dry-run", verbosity=0)
    SyncRun.objects.filter(pk=running.pk).update(state="failed")

    found = read()

    name, theirs = company.domain.name, bystander.domain.name
    assert found[RUNS] == {
        (name, "sync_full", "complete"): 1,
        (name, "sync_people", "complete"): 2,
        (name, "sync_people", "failed"): 1,
        (name, "delivery", "complete"): 2,
        (theirs, "sync_full", "complete"): 1,
        (theirs, "delivery", "failed"): 2,
    }
    assert {labels: number for labels, number in found[MAILBOXES].items() if number} == {
        (name, "delivery", "delivered"): 10,
        (name, "delivery", "failed"): 2,
        (theirs, "delivery", "skipped"): 4,
    }


def test_no_total_goes_down_as_runs_that_were_totalled_are_removed(read, company, bystander):
    for _ in range(3):
        end_sync(company)
        company.run("complete", delivered=5, finished_at=timezone.now())
    end_sync(bystander)
    call_command("prunerows", verbosity=0)
    before = read()

    long_ago = timezone.now() - timedelta(days=1000)
    SyncRun.objects.filter(connection=company.connection).update(finished_at=long_ago)
    company.domain.delivery_runs.update(finished_at=long_ago)
    call_command("prunerows", verbosity=0)

    after = read()
    assert company.connection.sync_runs.filter(kind="people").count() == 1
    assert company.domain.delivery_runs.count() == 1
    assert (after[RUNS], after[MAILBOXES]) == (before[RUNS], before[MAILBOXES])


def test_totals_that_are_kept_at_any_moment_of_a_scrape_change_nothing(read, company, bystander):
    end_sync(bystander)

    for moment in range(count_statements(read)):
        end_sync(company)
        company.run("complete", delivered=5, finished_at=timezone.now())
        before = read()
        with acting_before_statement(moment, lambda: call_command("prunerows", verbosity=0)) as asked:
            after = read()

        assert (after[RUNS], after[MAILBOXES]) == (before[RUNS], before[MAILBOXES])
        assert asked() == count_statements(read)  # nothing was read again


def test_a_scrape_reads_runs_and_calls_by_an_index_alone(read, company, bystander):
    for _ in range(3):
        end_sync(company)
        company.run("complete", finished_at=timezone.now())
    call_command("prunerows", verbosity=0)

    with CaptureQueriesContext(database) as asked:
        read()

    plans = [
        step
        for each in asked
        if any(table in each["sql"] for table in TABLES)
        for step in explain(each["sql"])
        if any(table in step for table in (*TABLES, "U0"))
    ]
    assert [step for step in plans if "INDEX" not in step] == []
    assert {step.rpartition("INDEX ")[2].partition(" ")[0] for step in plans} >= {
        "syncs_to_total",
        "deliveries_to_total",
        "days_to_total",
        "syncs_by_outcome",
        "deliveries_by_outcome",
    }


def test_a_scrape_asks_as_often_for_many_domains_as_for_one(read, company):
    read()
    with CaptureQueriesContext(database) as of_one:
        read()

    for number in range(6):
        found_company(Domain.objects.create(name=f"acme{number}.example", time_zone="Asia/Tokyo"))
    with CaptureQueriesContext(database) as of_many:
        read()

    assert (len(of_one), len(of_many)) == (len(of_one), len(of_one))


def explain(statement: str) -> list[str]:
    with database.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}")
        return [row[3] for row in cursor.fetchall()]


def test_the_last_success_is_of_any_connection_and_of_complete_runs(read, company, bystander):
    ended = Connection.objects.create(domain=company.domain, state=ConnectionState.DISCONNECTED)
    newest = end_sync(company, age_days=1)
    end_sync(company, age_days=2)
    end_sync(company, "failed")
    SyncRun.objects.create(
        connection=ended, kind="people", state="complete", finished_at=newest.finished_at - timedelta(days=9)
    )
    last = SyncRun.objects.create(
        connection=ended, kind="mailboxes", state="complete", finished_at=timezone.now()
    )
    run = company.run("complete", finished_at=timezone.now())
    company.run("failed", finished_at=timezone.now() + timedelta(hours=1))

    name = company.domain.name
    assert read()[SUCCESS] == {
        (name, "sync_people"): pytest.approx(newest.finished_at.timestamp()),
        (name, "sync_mailboxes"): pytest.approx(last.finished_at.timestamp()),
        (name, "delivery"): pytest.approx(run.finished_at.timestamp()),
    }
