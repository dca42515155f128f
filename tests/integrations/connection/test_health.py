"""How a connection is: the lapse, the two causes of 403, the year's calls, and the distance of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from integrations.connection.health import YearUse, get_facts, get_year_use, list_forbidden
from integrations.errors import AccountRestricted, Refused, ScopeMissing
from integrations.gateway import open_gateway
from integrations.ledger import chain
from integrations.models import Connection, LedgerEntry, Outcome
from integrations.outreach.rate_limits import clock_skew
from integrations.outreach.sandbox import http
from tests.support.connections import get_values
from tests.support.page_text import words_of
from tests.support.token_renewal import read_one

pytestmark = pytest.mark.usefixtures("unchanged_bystander")

NOON = datetime(2026, 7, 2, 12, tzinfo=UTC)


def read_page(client, connection: Connection) -> str:
    return words_of(client.get(reverse("integrations:outreach", args=[connection.domain.name])))


@pytest.fixture
def skewed(monkeypatch):
    """Make Outreach's replies carry a clock so many seconds behind ours."""

    def set_skew(seconds: float) -> None:
        def http_date() -> str:
            moment = timezone.now() - timedelta(seconds=seconds)
            return f"{moment:%a, %d %b %Y %H:%M:%S} GMT"

        monkeypatch.setattr(http, "_http_date", http_date)

    return set_skew


# ── The two causes of 403 ────────────────────────────────────────────────────────────────────────
def test_a_permission_that_outreach_took_back_is_told_from_an_account_that_may_not(
    client, sandbox, connection, owner
):
    sandbox.faults.add("missing_scope", scope="mailboxes.read", times=1)
    with pytest.raises(ScopeMissing), open_gateway(connection, job="delivery 5") as gateway:
        gateway.read_mailboxes(["1"])
    sandbox.faults.clear()
    sandbox.faults.add("forbidden", times=1)
    with pytest.raises(Refused), open_gateway(connection, job="delivery 6") as gateway:
        gateway.publish_signature("5001", "<p>ours</p>")

    connection.refresh_from_db()
    account, scope = sorted(list_forbidden(connection), key=lambda each: each.code, reverse=True)
    assert (scope.code, scope.call, scope.job) == (
        "unauthorizedOauthScope",
        "GET list_mailboxes",
        "delivery 5",
    )
    assert scope.what_to_do.startswith("Reconnect and allow mailboxes.all")
    assert (account.code, account.call, account.job) == (
        "unauthorizedRequest",
        "PATCH write_signature of 5001",
        "delivery 6",
    )
    assert "governance profile" in account.what_to_do
    client.force_login(owner)
    page = read_page(client, connection)
    for words in (scope.code, scope.call, scope.what_to_do, account.code, account.call, account.what_to_do):
        assert words in page


def test_a_later_403_of_the_same_cause_takes_the_place_of_the_earlier(sandbox, connection):
    for job in ("test 1", "test 2"):
        sandbox.faults.clear()
        sandbox.faults.add("forbidden", times=1)
        with pytest.raises(AccountRestricted), open_gateway(connection, job=job) as gateway:
            gateway.read_mailboxes(["1"])

    connection.refresh_from_db()
    assert [(each.code, each.job) for each in list_forbidden(connection)] == [
        ("unauthorizedRequest", "test 2")
    ]


def test_connecting_again_forgets_what_an_earlier_grant_did_not_open(trip, sandbox, domain):
    trip.walk()
    Connection.objects.filter(domain=domain).update(forbidden={"scope": {"at": "2026-01-01T00:00:00+00:00"}})

    trip.walk()

    assert Connection.objects.get(domain=domain).forbidden == {}


# ── The clocks ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("date", "skew"),
    [
        ("Thu, 02 Jul 2026 12:00:00 GMT", 0),
        ("Thu, 02 Jul 2026 11:58:30 GMT", 90),
        ("Thu, 02 Jul 2026 12:00:10 GMT", -10),
        ("", None),
        ("yesterday", None),
        ("Thu, 99 Jul 2026 12:00:00 GMT", None),
    ],
)
def test_the_skew_is_read_from_the_replys_date(date, skew):
    assert clock_skew({"Date": date}, now=NOON.timestamp()) == skew


def test_a_clock_that_is_off_is_said_on_the_page_and_one_in_step_is_not(
    client, sandbox, connection, owner, skewed
):
    client.force_login(owner)
    read_one(connection)
    in_step = read_page(client, connection)
    skewed(90)
    read_one(connection)
    behind = read_page(client, connection)

    assert "the same as Outreach’s" in in_step and "This portal’s clock is" not in in_step
    assert "This portal’s clock is 90 s ahead of Outreach’s" in behind.replace("91 s", "90 s")


def test_the_comparison_is_written_once_and_not_with_each_request(sandbox, connection):
    read_one(connection)
    before = get_values(connection)

    with CaptureQueriesContext(
        database,
    ) as queries:
        for _ in range(3):
            read_one(connection)

    writes = [
        query["sql"] for query in queries if query["sql"].startswith('UPDATE "integrations_connection"')
    ]
    assert writes == []
    assert get_values(connection) == before
    assert before["clock_compared_at"] is not None


# ── The year ─────────────────────────────────────────────────────────────────────────────────────
def add_calls(domain, at: datetime, times: int, outcome: str = Outcome.ANSWERED) -> None:
    entry = LedgerEntry(
        domain=domain, domain_name=domain.name, action="call", outcome=outcome, times=times, at=at
    )
    chain.append([entry], domain=domain)


def test_the_year_counts_calls_that_left_since_new_year_in_the_domains_zone(domain, other_domain):
    domain.time_zone = "America/New_York"
    domain.save()
    add_calls(domain, datetime(2026, 1, 1, 4, 59, tzinfo=UTC), 1000)  # still 2025 in New York
    add_calls(domain, datetime(2026, 1, 1, 5, 1, tzinfo=UTC), 20)
    add_calls(domain, NOON, 3)
    add_calls(domain, NOON, 500, Outcome.REFUSED)
    add_calls(other_domain, NOON, 7000)

    use = get_year_use(domain, at=datetime(2026, 7, 2, 17, tzinfo=UTC))

    assert (use.year, use.used, use.pace) == (2026, 23, 46)  # half the year is over
    assert not use.is_high


@pytest.mark.parametrize(
    ("began", "times", "expected"),
    [
        (timedelta(hours=5), 900, YearUse(2026, 900, None)),
        (timedelta(days=10), 10_000, YearUse(2026, 10_000, 365_000)),
    ],
)
def test_the_pace_is_that_of_the_days_there_were(domain, bystander, began, times, expected):
    add_calls(domain, NOON - began, times)

    use = get_year_use(domain, at=NOON)

    assert use == expected
    assert use.is_high == (expected.pace is not None)


# ── The lapse ────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("since", "words", "soon"),
    [
        (timedelta(hours=1), "13 days", False),
        (timedelta(days=12, hours=23), "1 day", True),
        (timedelta(days=13, hours=2), "22 hours", True),
        (timedelta(days=13, hours=22, minutes=30), "1 hour", True),
        (timedelta(days=15), "0 hours", True),
    ],
)
def test_the_lapse_counts_down_in_days_and_then_in_hours(
    client, sandbox, connection, owner, since, words, soon
):
    at = connection.refreshed_at + since
    client.force_login(owner)

    facts = get_facts(connection, at=at)
    with time_machine.travel(at, tick=False):
        client.force_login(owner)
        page = read_page(client, connection)

    assert (facts.lapses_in, facts.lapses_soon) == (words, soon)
    assert (f"The token expires in {words}" in page) == soon
    assert "Token last refreshed" in page
