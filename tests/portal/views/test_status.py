"""System status: what operators see of workers, queue, schedules, runs and the database, as page, JSON and command."""

from __future__ import annotations

import io
from contextlib import suppress
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task

from integrations.ledger.chain import append
from integrations.models import (
    CallBudget,
    Connection,
    ConnectionState,
    DisconnectStep,
    LedgerEntry,
    Notice,
    RunState,
    SyncKind,
    SyncRun,
)
from portal import __version__
from portal.models import User, WorkerMachine
from signatures.models import DeliveryRun, DeliveryRunState, ImportState, SenderImport
from tests.support.company import found_company
from tests.support.notice_receiver import receiving
from tests.support.page_text import words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create_user("operator@acme.example", is_staff=True))
    return client


def read(operator: Client) -> dict:
    return operator.get("/manage/status.json").json()


def get_problems(operator: Client) -> list[str]:
    """Return what needs an operator, but for the settings of a test run."""
    return [each["sentence"] for each in read(operator)["problems"] if each["kind"] != "Settings"]


def test_an_installation_that_is_well_needs_nobody(operator: Client, well):
    found = read(operator)

    assert get_problems(operator) == []
    assert [each["is_alive"] for each in found["machines"]] == [True]
    assert found["versions"]["migrations_pending"] == []
    assert found["queue"] == {"waiting": 0, "taken": 0, "oldest_seconds": None}
    assert {each["state"] for each in found["schedules"]} == {"not run yet"}
    assert found["database"]["size_bytes"] > 0


@pytest.mark.parametrize("page", ["", ".json"])
def test_only_operators_read_it(client: Client, well, page):
    client.force_login(User.objects.create_user("lena@acme.example"))

    assert client.get(f"/manage/status{page or '/'}").status_code == 403


def test_a_worker_that_is_gone_is_named_until_somebody_removes_it(operator: Client, well, settings):
    WorkerMachine.objects.create(
        name="node-3",
        process=77,
        seen_at=timezone.now() - timedelta(seconds=settings.HEARTBEAT_GRACE_SECONDS + 5),
    )

    (sentence,) = get_problems(operator)
    page = operator.get("/manage/status/").content.decode()
    operator.post("/manage/status/forget/", {"name": "node-3", "process": "77"})

    assert sentence.startswith(
        "The worker on node-3 (process 77) has not been seen for 95 seconds. Others take"
    )
    assert "node-3" in page and "Not seen" in page
    assert get_problems(operator) == []
    assert WorkerMachine.objects.count() == 1  # the one that is well stays


@pytest.mark.parametrize("process", ["", "x", "-1", "²", "9" * 40])
def test_what_names_no_worker_removes_none(operator: Client, well, process):
    answer = operator.post("/manage/status/forget/", {"name": "node-3", "process": process})

    assert (answer.status_code, WorkerMachine.objects.count()) == (302, 1)


def test_what_retention_frees_tonight_is_on_the_page_in_json_and_in_the_command(operator: Client, well):
    Session.objects.create(
        session_key="over", session_data="", expire_date=timezone.now() - timedelta(days=1)
    )
    out = io.StringIO()

    going = {each["model"]: each for each in read(operator)["retention"]}
    page = words_of(operator.get("/manage/status/"))
    with suppress(CommandError):
        call_command("status", stdout=out)

    assert (going["sessions.Session"]["rows"], going["sessions.Session"]["has_more"]) == (1, False)
    assert going["signatures.SignatureHtml"]["rows"] is None
    assert going["signatures.BannerEvent"]["rows"] == 0
    assert "django_session until it expires, 12 hours Remove expired sessions 1" in page
    assert "sessions.Session: 1 row\n" in out.getvalue()


def test_notices_to_operators_are_on_the_page_and_a_test_is_sent(operator: Client, well, domain, settings):
    settings.DEBUG = True  # plain http to this machine
    Notice.objects.create(kind="disk", subject="node-3", audience="operator_webhook", answer="HTTP 500")
    Notice.objects.create(kind="lost", subject="theirs", audience="owners", domain=domain)

    page = words_of(operator.get("/manage/status/"))
    with receiving() as receiver:
        settings.NOTICE_WEBHOOK_URL, settings.NOTICE_WEBHOOK_SECRET = f"{receiver.url}/hideaway", "s" * 40
        answer = operator.post("/manage/status/test-notice/", follow=True)

    assert "Disk space is low node-3" in page and "HTTP 500" in page
    assert "theirs" not in page
    assert receiver.received[0].json["event"] == "notice.test"
    assert "The operator’s webhook: HTTP 200" in words_of(answer)
    assert "127.0.0.1" in answer.content.decode() and "hideaway" not in answer.content.decode()


def test_where_no_worker_is_left_nobody_takes_over(operator: Client, well):
    WorkerMachine.objects.update(seen_at=timezone.now() - timedelta(hours=3))

    first, second = get_problems(operator)

    assert first == "No background worker was seen lately."
    assert second.endswith("has not been seen for 3 hours. Nobody takes over what it did.")


def test_a_delivery_that_waits_for_a_person_is_not_stuck(operator: Client, well, domain, other_domain):
    paused, held = found_company(domain), found_company(other_domain)
    long_ago = timezone.now() - timedelta(hours=1)
    paused.connection.paused_at = timezone.now()
    paused.connection.save()
    paused.run(DeliveryRunState.WAITING, created_at=long_ago, queued_at=long_ago)
    held.run(DeliveryRunState.WAITING, created_at=long_ago, queued_at=long_ago, held_at=long_ago)

    assert get_problems(operator) == []
    assert [each["is_stuck"] for each in read(operator)["runs"]] == [False, False]


def test_the_free_disk_of_each_machine_is_on_the_page(operator: Client, well):
    WorkerMachine.objects.update(disk_free_mb=41_234)
    WorkerMachine.objects.create(name="node-3", process=7, seen_at=timezone.now(), memory_mb=9)

    page = words_of(operator.get("/manage/status/"))

    assert "100 MB 41,234 MB" in page and "9 MB –" in page


def test_no_worker_at_all_is_said(operator: Client, well):
    WorkerMachine.objects.all().delete()

    assert get_problems(operator) == ["No background worker was seen lately."]


def test_a_task_that_waits_long_is_a_problem_and_one_that_is_taken_is_none(operator: Client, well):
    OrmQ.objects.create(key="countersign", payload="x", lock=timezone.now() - timedelta(minutes=11))
    OrmQ.objects.create(key="countersign", payload="x", lock=timezone.now() + timedelta(hours=1))

    queue = read(operator)["queue"]

    assert (queue["waiting"], queue["taken"]) == (1, 1)
    assert get_problems(operator) == ["The oldest background task has waited for 11 minutes."]


def test_schedules_that_fail_or_are_late_are_named_and_one_that_is_off_is_not(operator: Client, well):
    now = timezone.now()
    for number, (name, success) in enumerate([("check the ledger", False), ("send alerts", True)]):
        Task.objects.create(
            id=str(number),
            name="t",
            func="f",
            started=now - timedelta(seconds=3),
            stopped=now,
            success=success,
        )
        Schedule.objects.filter(name=name).update(task=str(number))
    Schedule.objects.filter(name="refresh tokens").update(next_run=now - timedelta(minutes=11))
    Schedule.objects.filter(name="sync everything").update(next_run=now - timedelta(days=1), repeats=0)

    states = {each["name"]: each for each in read(operator)["schedules"]}

    assert (states["send alerts"]["state"], states["send alerts"]["took_seconds"]) == ("complete", 3.0)
    assert states["sync everything"]["state"] == "off"
    assert get_problems(operator) == [
        "“refresh tokens” is late.",
        "“check the ledger” failed when it last ran.",
    ]


def test_a_schedule_whose_task_waits_or_runs_shows_how_the_one_before_ended(operator: Client, well):
    now = timezone.now()
    for number, (group, hours, success) in enumerate(
        [("check the ledger", 24, False), ("check the ledger", 48, True), ("send alerts", 1, True)]
    ):
        at = now - timedelta(hours=hours)
        Task.objects.create(
            id=str(number), name="t", func="f", group=group, started=at, stopped=at, success=success
        )
    Schedule.objects.filter(name__in=["check the ledger", "sync everything"]).update(task="queued")

    states = {each["name"]: (each["state"], each["last_at"]) for each in read(operator)["schedules"]}

    assert states["check the ledger"][0] == "failed"
    assert states["check the ledger"][1].startswith(f"{now - timedelta(hours=24):%Y-%m-%dT%H}")
    assert states["sync everything"] == ("not run yet", None)
    assert get_problems(operator) == ["“check the ledger” failed when it last ran."]


def test_what_operators_are_told_of_is_a_problem_until_it_is_over(operator: Client, well, domain, settings):
    settings.DISK_LOW_MB = 10**9
    Notice.objects.create(kind="disk", audience="staff", ended_at=timezone.now())

    assert get_problems(operator) == []

    Notice.objects.create(kind="disk", audience="staff")
    Notice.objects.create(kind="lost", audience="owners", domain=domain)

    (sentence,) = get_problems(operator)
    assert "MB are free on" in sentence

    settings.DISK_LOW_MB = 0

    assert get_problems(operator) == []


def test_a_machine_that_is_gone_is_said_once_whatever_was_told(operator: Client, well):
    WorkerMachine.objects.update(seen_at=timezone.now() - timedelta(hours=1))
    Notice.objects.create(kind="worker", audience="staff", subject="node-3")
    alone = [
        sentence
        for sentence in get_problems(operator)
        if "not been seen" in sentence or "not seen" in sentence
    ]
    Notice.objects.create(kind="disk", audience="staff", subject="node-3")

    (gone,) = alone
    assert "has not been seen for 60 minutes" in gone
    assert [one for one in get_problems(operator) if "not been seen" in one or "not seen" in one] == [gone]


def test_rejected_client_settings_are_a_problem_and_revoked_access_is_the_owners(
    operator: Client, well, domain, other_domain
):
    ours, bystander = found_company(domain).connection, found_company(other_domain).connection
    Connection.objects.filter(pk=ours.pk).update(state=ConnectionState.MISCONFIGURED)
    Connection.objects.filter(pk=bystander.pk).update(state=ConnectionState.LOST)

    assert get_problems(operator) == ["Outreach rejects this portal’s client ID or secret: acme.example."]


def test_the_status_says_which_version_runs_and_until_when_outreach_takes_no_calls(
    operator: Client, well, domain
):
    connection = found_company(domain).connection
    CallBudget.objects.create(connection=connection, blocked_until=timezone.now() + timedelta(minutes=30))
    out = io.StringIO()

    with suppress(CommandError):
        call_command("status", stdout=out)
    page, found = words_of(operator.get("/manage/status/")), read(operator)

    assert found["versions"]["countersign"] == __version__
    assert found["connections"][0]["blocked_until"]
    assert f"Countersign {__version__} Django, Python" in page and "Outreach takes no calls until" in page
    assert f"Countersign {__version__}, Django" in out.getvalue() and ", none until " in out.getvalue()


def test_the_calls_of_the_year_are_those_of_each_domain(operator: Client, well, domain, other_domain):
    found_company(domain)
    found_company(other_domain)
    call = LedgerEntry(
        domain=domain, domain_name=domain.name, action="call", endpoint="list_users", outcome="answered", times=1234
    )  # fmt: skip
    append([call], domain=domain)
    out = io.StringIO()

    with suppress(CommandError):
        call_command("status", stdout=out)
    found = {each["domain"]: each["used_this_year"] for each in read(operator)["connections"]}

    assert found[domain.name] - found[other_domain.name] == 1234
    assert " calls this hour, 1,234 this year" in out.getvalue()
    assert "1,234 calls this year; Outreach’s smallest plan has 250,000." in words_of(
        operator.get("/manage/status/")
    )


def test_every_deployment_check_is_read_whatever_its_tag(operator: Client, well, settings):
    settings.SCANNER_NETWORKS = "nonsense"

    assert any(check.startswith("portal.E010") for check in read(operator)["versions"]["checks"])


def test_plans_disconnects_and_imports_that_nobody_works_on_are_stuck(
    operator: Client, well, domain, other_domain
):
    company, bystander = found_company(domain), found_company(other_domain)
    long_ago, soon = timezone.now() - timedelta(minutes=6), timezone.now() + timedelta(seconds=30)
    leaving = {
        "state": ConnectionState.DISCONNECTING,
        "disconnect_step": DisconnectStep.REVOKING,
        "state_changed_at": long_ago,
    }
    for owner, until in ((company, None), (bystander, soon)):
        owner.run(DeliveryRunState.PLANNING, created_at=long_ago, queued_at=long_ago, lease_until=until)
        Connection.objects.filter(pk=owner.connection.pk).update(**leaving, disconnect_lease_until=until)
        SenderImport.objects.create(
            domain=owner.domain, content=b"", queued_at=long_ago, lease_until=until, file_name="people.csv"
        )
    SenderImport.objects.create(domain=domain, content=b"", queued_at=long_ago, state=ImportState.PREVIEWED)

    sentences = get_problems(operator)

    assert [each.split()[0] for each in sentences] == ["Delivery", "Disconnect", "Import"]
    assert all("of acme.example is due and no worker is at it" in each for each in sentences)
    assert len(read(operator)["runs"]) == 6


def test_runs_that_nobody_holds_are_stuck_and_those_that_wait_for_their_time_are_not(
    operator: Client, well, domain, other_domain
):
    company, bystander = found_company(domain), found_company(other_domain)
    long_ago = timezone.now() - timedelta(minutes=6)
    stuck = company.run(
        DeliveryRunState.RUNNING, created_at=long_ago, queued_at=long_ago, lease_until=long_ago
    )
    company.run(DeliveryRunState.WAITING, created_at=long_ago, resume_at=timezone.now() + timedelta(hours=1))
    bystander.run(
        DeliveryRunState.RUNNING, created_at=long_ago, lease_until=timezone.now() + timedelta(minutes=1)
    )
    SyncRun.objects.create(
        connection=bystander.connection,
        kind=SyncKind.FULL,
        state=RunState.RUNNING,
        lease_until=timezone.now(),
    )

    assert get_problems(operator) == [
        f"Delivery {stuck.pk} of acme.example is due and no worker is at it. Nothing is lost."
    ]
    assert len(read(operator)["runs"]) == 4
    page = operator.get("/manage/status/").content.decode()
    assert f"/domains/acme.example/deliveries/{stuck.pk}/" in page and "Stuck" in page

    answer = operator.post("/manage/status/requeue/")

    assert (answer.status_code, answer["Location"]) == (302, "/manage/status/")
    assert DeliveryRun.objects.get(pk=stuck.pk).state == DeliveryRunState.RUNNING
