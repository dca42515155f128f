"""Connections in Django admin: what one sees of them, and actions that do what the portal's buttons do."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from integrations import tasks
from integrations.ledger import chain
from integrations.models import (
    Connection,
    LedgerEntry,
    Mailbox,
    RejectedRecord,
    RunState,
    SyncKind,
    SyncRun,
)
from integrations.outreach.sandbox import Sandbox
from integrations.sync.runs import carry_out, request_sync
from portal.models import Domain, Role, User

BY = "operator@portal.example"
PAGE = "/admin/integrations/connection/"


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_user(BY, "correct horse battery", is_staff=True))
    return client


@pytest.fixture
def bystander(connect: Callable[..., Connection], other_domain: Domain, make_member: Any) -> Connection:
    """Another domain's connection, which nobody selects."""
    return connect(other_domain, make_member(other_domain, Role.OWNER))


def act(staff: Client, action: str, *rows: Any, page: str = PAGE) -> list[str]:
    """Run an action on the rows and return what the page tells."""
    answer = staff.post(page, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True)
    return [str(message) for message in answer.context["messages"]]


def get_acts(domain: Domain) -> list[tuple[str, str]]:
    rows = LedgerEntry.objects.filter(domain=domain).exclude(action__in=["call", "connected"]).order_by("pk")
    return list(rows.values_list("action", "actor_label"))


def test_sync_now_queues_a_run_that_reads_the_directory(
    staff: Client, connection: Connection, bystander: Connection
) -> None:
    told = act(staff, "sync_now", connection)

    run = SyncRun.objects.get()
    assert told == [f"outreach for acme.example: sync {run.pk} is queued."]
    assert (run.connection, run.state, run.started_by_label) == (connection, RunState.QUEUED, BY)
    assert get_acts(connection.domain) == [("sync requested", BY)]
    tasks.sync_directory(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.people_read) == (RunState.COMPLETE, 24)
    assert not Mailbox.objects.filter(connection=bystander).exists()


def test_a_second_sync_is_refused_in_words_and_the_other_domains_begins(
    staff: Client, connection: Connection, bystander: Connection
) -> None:
    request_sync(connection, kind=SyncKind.FULL, actor="schedule")

    told = act(staff, "sync_now", connection, bystander)

    assert len([words for words in told if words.startswith("outreach for acme.example:")]) == 1
    assert SyncRun.objects.filter(connection=connection).count() == 1
    assert SyncRun.objects.filter(connection=bystander).count() == 1


def test_a_connection_is_paused_and_resumed(
    staff: Client, connection: Connection, bystander: Connection
) -> None:
    assert act(staff, "pause_writing", connection) == ["outreach for acme.example: writing is paused."]
    connection.refresh_from_db()
    assert not connection.allows_writes

    assert act(staff, "resume_writing", connection) == [
        "outreach for acme.example: writing is allowed again."
    ]
    connection.refresh_from_db()
    assert connection.allows_writes
    assert get_acts(connection.domain) == [("paused", BY), ("resumed", BY)]
    assert get_acts(bystander.domain) == []


def test_checking_asks_outreach_and_says_what_it_answers(
    staff: Client, sandbox: Sandbox, connection: Connection
) -> None:
    told = act(staff, "check_selected", connection)

    assert told == [
        "outreach for acme.example: Outreach answers, and every permission that was granted works."
    ]
    assert {entry.method for entry in sandbox.requests} == {"GET"}


def test_a_check_that_fails_says_why(staff: Client, sandbox: Sandbox, connection: Connection) -> None:
    sandbox.stop()

    told = act(staff, "check_selected", connection)

    assert len(told) == 1
    assert "Outreach" in told[0]
    assert "works" not in told[0]


def test_the_page_shows_permissions_as_requested_granted_and_used(
    staff: Client, connect: Callable[..., Connection], domain: Domain, owner: User
) -> None:
    connection = connect(domain, owner, scopes=("users.all", "teams.read"))
    carry_out(request_sync(connection, kind=SyncKind.FULL, actor="test").pk)

    page = staff.get(f"{PAGE}{connection.pk}/change/")

    uses = {use.scope: (use.is_requested, use.is_granted, use.calls > 0) for use in page.context["uses"]}
    assert uses == {
        "users.all": (True, True, True),
        "teams.read": (True, True, True),
        "mailboxes.all": (True, False, False),
        "prospects.read": (True, False, False),
    }
    text = page.content.decode()
    assert "Permissions as requested, granted and used" in text
    assert "never, no code does it" in text


def test_the_page_has_the_lists_actions_as_buttons(staff: Client, connection: Connection) -> None:
    text = staff.get(f"{PAGE}{connection.pk}/change/").content.decode()

    assert re.findall(r'<button name="action" value="(\w+)">([^<]+)</button>', text) == [
        ("sync_now", "Sync now: read what changed"),
        ("check_selected", "Check connection"),
        ("pause_writing", "Pause writing"),
        ("resume_writing", "Resume writing"),
        ("switch_scope", "Switch a permission off or on here…"),
        ("plan", "Plan a delivery (writes nothing)"),
    ]
    assert f'<input type="hidden" name="_selected_action" value="{connection.pk}">' in text


def test_a_connection_is_not_changed_by_typing(staff: Client, connection: Connection) -> None:
    before = Connection.objects.values().get()

    answer = staff.post(f"{PAGE}{connection.pk}/change/", {"mode": "dry_run", "access_sealed": "mine"})

    assert answer.status_code == 403
    assert Connection.objects.values().get() == before


@pytest.mark.parametrize("role", list(Role))
def test_members_run_no_action(client: Client, connection: Connection, make_member: Any, role: Role) -> None:
    client.force_login(make_member(connection.domain, role, f"{role}@elsewhere.example"))

    answer = client.post(PAGE, {"action": "pause_writing", "_selected_action": [connection.pk]}, follow=True)

    connection.refresh_from_db()
    assert (answer.status_code, connection.paused_at) == (403, None)


def test_lists_narrow_to_a_domain_and_to_what_outreach_still_lists(
    staff: Client, connection: Connection, bystander: Connection
) -> None:
    for one in (connection, bystander):
        carry_out(request_sync(one, kind=SyncKind.FULL, actor="test").pk)
    gone = Mailbox.objects.filter(connection=connection).order_by("pk")[0]
    Mailbox.objects.filter(pk=gone.pk).update(retired_at=gone.changed_at)

    page = staff.get("/admin/integrations/mailbox/", {"domain": "acme.example", "listed": "no"})

    assert [row.pk for row in page.context["cl"].result_list] == [gone.pk]


def test_a_run_shows_the_first_rejected_records_and_no_more(staff: Client, connection: Connection) -> None:
    run = request_sync(connection, kind=SyncKind.FULL, actor="test")
    RejectedRecord.objects.bulk_create(
        RejectedRecord(
            connection=connection, run=run, kind="person", remote_id=str(number), reason=f"reason-{number:03}"
        )
        for number in range(250)
    )

    text = staff.get(f"/admin/integrations/syncrun/{run.pk}/change/").content.decode()

    assert "reason-199" in text
    assert "reason-200" not in text


def test_ledger_entries_are_found_by_their_job(staff: Client, connection: Connection) -> None:
    run = request_sync(connection, kind=SyncKind.FULL, actor="test")
    carry_out(run.pk)

    page = staff.get("/admin/integrations/ledgerentry/", {"q": f'"sync {run.pk}"'})

    found = {entry.job for entry in page.context["cl"].result_list}
    assert found == {f"sync {run.pk}"}


@pytest.mark.parametrize(
    ("asked", "links"),
    [
        ({}, ["2025", "2026"]),
        ({"at__year": 2025}, ["‹ All dates", "November 2025", "December 2025"]),
        ({"at__year": 2026}, ["‹ 2026", "February 3", "February 4", "February 5"]),
        ({"at__year": 2026, "at__month": 2, "at__day": 5}, ["‹ February 2026", "February 5"]),
    ],
)
def test_the_ledger_is_drilled_into_by_year_month_and_day(
    staff: Client, domain: Domain, write_entry: Callable, asked: dict[str, int], links: list[str]
) -> None:
    for year, month, day in ((2025, 11, 30), (2025, 12, 1), (2026, 2, 3), (2026, 2, 5)):
        write_entry(
            domain,
            action="paused",
            outcome="done",
            at=datetime(year, month, day, tzinfo=UTC),
        )

    text = staff.get("/admin/integrations/ledgerentry/", asked).content.decode()

    bar = text.partition('<nav class="toplinks">')[2].partition("</nav>")[0]
    assert [html.unescape(words) for words in re.findall(r"<a [^>]*>([^<]+)</a>", bar)] == links


def test_entries_of_no_domain_count_for_the_years_of_the_ledger(
    staff: Client, domain: Domain, write_entry: Callable
) -> None:
    write_entry(domain, action="paused", outcome="done", at=datetime(2026, 2, 3, tzinfo=UTC))
    earlier = LedgerEntry(action="paused", outcome="done", at=datetime(2024, 5, 6, tzinfo=UTC))
    chain.append([earlier], domain=None)

    text = staff.get("/admin/integrations/ledgerentry/").content.decode()

    bar = text.partition('<nav class="toplinks">')[2].partition("</nav>")[0]
    assert re.findall(r"<a [^>]*>([^<]+)</a>", bar) == ["2024", "2025", "2026"]


def test_a_day_of_the_ledger_shows_that_day_alone(
    staff: Client, domain: Domain, write_entry: Callable
) -> None:
    for day in (3, 4):
        write_entry(
            domain,
            action="paused",
            outcome="done",
            at=datetime(2026, 2, day, tzinfo=UTC),
        )

    page = staff.get("/admin/integrations/ledgerentry/", {"at__year": 2026, "at__month": 2, "at__day": 4})

    assert [entry.at.day for entry in page.context["cl"].result_list] == [4]


def test_a_long_list_asks_nothing_of_every_row_for_its_dates(staff: Client, connection: Connection) -> None:
    carry_out(request_sync(connection, kind=SyncKind.FULL, actor="test").pk)

    with CaptureQueriesContext(database) as queries:
        staff.get("/admin/integrations/person/")

    assert not [query["sql"] for query in queries if "DISTINCT" in query["sql"]]
