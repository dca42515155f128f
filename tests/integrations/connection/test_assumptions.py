"""The check of what Outreach answers, by page and command: what it shows, keeps and records."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from integrations.models import AssumptionReport, Connection, LedgerEntry
from integrations.outreach.sandbox.contradictions import contradict
from portal.models import Role
from tests.support.connections import get_values
from tests.support.page_text import words_of

pytestmark = pytest.mark.django_db(transaction=True)


def ask(client, domain):
    return client.post(reverse("integrations:outreach_assumptions_check", args=[domain.name]), follow=True)


def test_the_page_asks_shows_each_finding_and_gives_a_report_to_send_on(
    client, sandbox, connection, bystander, domain, owner
):
    before = get_values(bystander)
    client.force_login(owner)
    empty = words_of(client.get(reverse("integrations:outreach_assumptions", args=[domain.name])))

    page = words_of(ask(client, domain))

    assert "Not checked yet" in empty
    row = AssumptionReport.objects.get()
    for finding in row.findings:
        assert finding["name"] in page
    assert (row.connection, row.actor_label) == (connection, owner.email)
    file = client.get(reverse("integrations:outreach_assumptions_report", args=[domain.name]))
    assert json.loads(file.content) == row.report
    assert {request.method for request in sandbox.requests} == {"GET"}
    assert len(sandbox.requests) <= 10
    assert get_values(bystander) == before


def test_the_ledger_names_each_read_and_what_the_check_came_to(client, sandbox, connection, domain, owner):
    contradict(sandbox, "user.title")
    client.force_login(owner)

    page = words_of(ask(client, domain))

    calls = LedgerEntry.objects.filter(domain=domain, job="assumptions", action="call")
    assert sum(calls.values_list("times", flat=True)) == len(sandbox.requests)
    act = LedgerEntry.objects.get(domain=domain, action="assumptions checked")
    assert act.actor_label == owner.email
    assert "1 do not: user.title" in act.detail
    assert act.detail in page


@pytest.mark.parametrize(
    ("role", "statuses"), [(Role.AUDITOR, (200, 403)), (Role.EDITOR, (403, 403)), (Role.ADMIN, (200, 302))]
)
def test_auditors_read_it_and_administrators_ask(
    client, sandbox, connection, domain, make_member, role, statuses
):
    client.force_login(make_member(domain, role, "somebody@acme.example"))

    seen = client.get(reverse("integrations:outreach_assumptions", args=[domain.name])).status_code
    asked = client.post(reverse("integrations:outreach_assumptions_check", args=[domain.name])).status_code

    assert (seen, asked) == statuses
    assert bool(sandbox.requests) is (asked == 302)


def test_a_connection_that_does_not_work_says_so_and_nothing_is_kept(
    client, sandbox, connection, domain, owner
):
    Connection.objects.filter(pk=connection.pk).update(
        refreshed_at=timezone.now() - timedelta(hours=3), access_expires_at=timezone.now()
    )
    sandbox.oauth.revoke_all()
    client.force_login(owner)

    page = words_of(ask(client, domain))

    assert "no longer accepts" in page
    assert not AssumptionReport.objects.exists()


def test_a_domain_without_a_connection_asks_nobody(client, sandbox, domain, owner):
    client.force_login(owner)

    assert "is not connected to Outreach" in words_of(ask(client, domain))
    assert sandbox.requests == []


def test_the_newest_ten_reports_are_kept(client, sandbox, connection, domain, owner):
    client.force_login(owner)

    for _ in range(11):
        ask(client, domain)

    assert AssumptionReport.objects.count() == 10


@pytest.mark.parametrize("columns", ["80", "200"])
def test_the_command_prints_the_table_and_saves_the_report(
    sandbox, connection, capsys, tmp_path, monkeypatch, columns
):
    monkeypatch.setenv("COLUMNS", columns)
    file = tmp_path / "report.json"

    call_command("checkconnection", domain="acme.example", assumptions=True, report=file)

    said = capsys.readouterr().out
    row = AssumptionReport.objects.get()
    assert json.loads(file.read_text()) == row.report
    assert row.actor_label == "command"
    for finding in row.findings:
        assert finding["name"] in said
    assert f"The report is saved as {file}; it holds no personal value." in said


def test_the_command_fails_where_an_assumption_does_not_hold_and_the_report_is_there(
    sandbox, connection, capsys, tmp_path
):
    contradict(sandbox, "clock")
    file = tmp_path / "report.json"

    with pytest.raises(CommandError, match="Not every assumption holds"):
        call_command("checkconnection", domain="acme.example", assumptions=True, report=file)

    assert "1 do not: clock" in capsys.readouterr().out
    differing = [
        one["name"] for one in json.loads(file.read_text())["findings"] if one["verdict"] == "differs"
    ]
    assert differing == ["clock"]


def test_a_report_that_cannot_be_saved_says_why(sandbox, connection, tmp_path):
    with pytest.raises(CommandError, match="could not be saved"):
        call_command(
            "checkconnection", domain="acme.example", assumptions=True, report=tmp_path / "no" / "such"
        )
