"""Totals of calls under /metrics: each is counted once, whenever it was written, totalled or pruned."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.core.management import call_command
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from integrations.ledger import chain
from integrations.ledger.totals import CALLS
from integrations.models import LedgerDay, LedgerEntry
from portal.models import Domain
from tests.support.metrics import Samples, acting_before_statement, count_statements


def write_call(domain: Domain | None, *, age_days: int = 0, status: int = 200, **fields: object) -> None:
    write_calls(domain, LedgerEntry(at=timezone.now() - timedelta(days=age_days), status=status, **fields))


def write_calls(domain: Domain | None, *calls: LedgerEntry) -> None:
    for call in calls:
        call.domain, call.domain_name = domain, domain.name if domain else ""
        call.action, call.endpoint, call.outcome = "call", "list_users", call.outcome or "answered"
    chain.append(calls, domain=domain)


def total() -> None:
    call_command("prunerows", verbosity=0)


def read_calls(read: Callable[[], Samples]) -> dict[str, float]:
    """Return how many calls each domain made, by /metrics."""
    return {domain: number for (domain, _, _), number in read()[CALLS].items()}


def test_each_call_is_counted_once_however_late_it_is_written_and_often_totalled(read, domain, other_domain):
    told = []
    write_call(other_domain, times=7)
    for age_days in (0, 0, 40, 1, 40):  # also of a day that was totalled already
        write_call(domain, age_days=age_days, times=2)
        write_call(None)
        told.append(read_calls(read))
        total()
        call_command("prunerows", "--dry-run", verbosity=0)
        told.append(read_calls(read))
        total()

    assert told == [
        {domain.name: 2 * number, other_domain.name: 7, "": number}
        for number in (1, 1, 2, 2, 3, 3, 4, 4, 5, 5)
    ]


def test_totals_keep_endpoint_and_status_apart(read, domain, other_domain):
    write_call(other_domain, outcome="refused", status=0, times=7)
    write_call(domain, times=3)
    write_call(domain, outcome="failed", status=429)
    write_call(domain, outcome="failed", status=0)
    write_call(domain, outcome="failed", status=500)
    LedgerDay.objects.filter(status=500).update(status=None)  # as an earlier version wrote it
    before = read()[CALLS]
    total()

    name = domain.name
    assert before == {
        (name, "list_users", "200"): 3,
        (name, "list_users", "429"): 1,
        (name, "list_users", "none"): 1,
        (name, "list_users", "unknown"): 1,
        (other_domain.name, "list_users", "blocked"): 7,
    }
    assert read()[CALLS] == before


def test_calls_that_are_totalled_at_any_moment_of_a_scrape_are_counted_once(read, domain, other_domain):
    write_call(other_domain, times=7)

    for moment in range(count_statements(read)):
        write_call(domain, times=2)
        before = read_calls(read)
        with acting_before_statement(moment, total):
            after = read_calls(read)

        assert before == after == {domain.name: 2 * (moment + 1), other_domain.name: 7}


def test_pruning_takes_nothing_from_calls_whether_they_were_totalled_or_not(read, domain, other_domain):
    write_call(other_domain, age_days=600, times=7)
    write_call(domain, age_days=600, times=2)
    total()
    write_call(domain, age_days=600, times=2)

    call_command("pruneledger", days=500, verbosity=0)

    assert LedgerEntry.objects.filter(action="call").count() == 0
    assert read_calls(read) == {domain.name: 4, other_domain.name: 7}
    total()
    assert read_calls(read) == {domain.name: 4, other_domain.name: 7}


def test_calls_of_two_chains_of_one_name_are_one_sum(read, domain, other_domain):
    write_call(domain, times=2)
    write_call(other_domain, times=7)
    total()
    write_call(domain)
    name = domain.name
    Domain.objects.filter(pk=domain.pk).update(name="renamed.example")

    write_call(Domain.objects.create(name=name), times=4)

    assert read_calls(read) == {name: 7, other_domain.name: 7}
    total()
    assert read_calls(read) == {name: 7, other_domain.name: 7}


def test_after_a_backup_is_restored_counting_goes_on_from_what_it_holds(read, domain, other_domain):
    write_call(other_domain, times=7)
    write_call(domain, times=2)
    total()
    write_call(domain)
    with transaction.atomic():
        write_call(domain, times=4)
        total()
        lost = read_calls(read)
        transaction.set_rollback(True)  # the database is as it was

    assert lost == {domain.name: 7, other_domain.name: 7}
    assert read_calls(read) == {domain.name: 3, other_domain.name: 7}
    write_call(domain)
    total()
    assert read_calls(read) == {domain.name: 4, other_domain.name: 7}


def test_a_night_totals_more_days_than_one_transaction_takes(read, domain, other_domain):
    ages = [timezone.now() - timedelta(days=number) for number in range(1200)]
    write_calls(domain, *(LedgerEntry(at=at, status=200) for at in ages))
    write_call(other_domain)

    total()

    assert not LedgerDay.objects.filter(action="call").exclude(calls_totalled=F("calls")).exists()
    assert read_calls(read) == {domain.name: 1200, other_domain.name: 1}
    write_call(domain, age_days=1000)
    assert LedgerDay.objects.exclude(calls_totalled=F("calls")).filter(action="call").count() == 1
    assert read_calls(read) == {domain.name: 1201, other_domain.name: 1}
