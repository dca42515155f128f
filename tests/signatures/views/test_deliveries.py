"""Deliveries: planned first, started by a button that says how many, and each state says whose turn it is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from integrations.models import ConnectionState, LedgerEntry
from signatures.delivery.planning import plan_delivery
from signatures.models import Assignment, Delivery, DeliveryRun, Template

ADDRESS = "/domains/acme.example/deliveries/"


def queued_tasks() -> list[tuple[str, dict]]:
    return [(row.task["func"], row.task["kwargs"]) for row in OrmQ.objects.all()]


def test_a_plan_says_who_changes_and_who_cannot_and_writes_nothing(company, bystander, admin: Client):
    company.add("Ana Silva")
    locked_out = company.add("Tom Okafor")
    locked_out.person.connection.mailboxs.filter(person_remote_id=locked_out.person.remote_id).update(
        is_editable=False
    )

    page = admin.post(f"{ADDRESS}plan/", follow=True)

    run = DeliveryRun.objects.get(domain=company.domain)
    assert (run.state, run.planned, run.refused, run.started_by_label) == (
        "planned",
        1,
        1,
        "admin@acme.example",
    )
    assert "Deliver to 1 mailbox</button>" in page.content.decode()
    assert "The mailbox is not shared with the integration user." in page.content.decode()
    assert queued_tasks() == []
    assert not DeliveryRun.objects.filter(domain=bystander.domain).exists()


@pytest.mark.parametrize(("form", "overwrites"), [({}, False), ({"overwrite_edits": "on"}, True)])
def test_edits_are_overwritten_only_where_that_was_ticked(
    company, admin: Client, form: dict, overwrites: bool
):
    company.add("Ana Silva")

    admin.post(f"{ADDRESS}plan/", form)

    assert DeliveryRun.objects.get(domain=company.domain).overwrites_edits is overwrites


@pytest.mark.django_db(transaction=True)
def test_starting_a_plan_wakes_the_worker_once_with_ids_alone(company, admin: Client):
    company.add("Ana Silva")
    run = plan_delivery(company.domain, actor="x")

    first = admin.post(f"{ADDRESS}{run.pk}/start/", follow=True)
    second = admin.post(f"{ADDRESS}{run.pk}/start/", follow=True)

    run.refresh_from_db()
    assert run.state == "queued"
    assert queued_tasks() == [("signatures.tasks.deliver_signatures", {"run_id": run.pk})]
    assert "Delivering to 1 mailbox." in first.content.decode()
    assert "This plan was started or replaced meanwhile. Plan again." in second.content.decode()


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"paused_at": timezone.now()}, "Deliveries are paused."),
        ({"mode": "dry_run"}, "The connection is in dry run"),
        ({"scopes_granted": []}, "The permission mailboxes.all is not granted"),
    ],
)
def test_where_writing_is_not_allowed_nothing_starts_and_the_page_says_why(company, admin, columns, sentence):
    company.add("Ana Silva")
    run = plan_delivery(company.domain, actor="x")
    type(company.connection).objects.filter(pk=company.connection.pk).update(**columns)

    page = admin.post(f"{ADDRESS}{run.pk}/start/", follow=True)

    run.refresh_from_db()
    assert run.state == "planned"
    assert queued_tasks() == []
    assert sentence in page.content.decode()
    assert sentence in admin.get(ADDRESS).content.decode()


def test_a_lost_connection_plans_nothing_and_says_so(company, admin: Client):
    type(company.connection).objects.update(
        state=ConnectionState.LOST, state_reason="Revoked in Outreach. Reconnect."
    )

    page = admin.post(f"{ADDRESS}plan/", follow=True)

    assert not DeliveryRun.objects.exists()
    assert "Revoked in Outreach. Reconnect." in page.content.decode()


def test_a_halted_run_asks_and_goes_on_when_told(company, admin: Client, django_capture_on_commit_callbacks):
    ana = company.add("Ana Silva")
    run = company.run("halted", planned=3, settled=2, cause="10 in a row were refused.")
    company.attempt(run, ana, "planned")

    page = admin.get(f"{ADDRESS}{run.pk}/").content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        admin.post(f"{ADDRESS}{run.pk}/resume/")

    assert "10 in a row were refused." in page
    assert "Continue with 1 mailbox</button>" in page
    run.refresh_from_db()
    assert run.state == "queued"
    assert queued_tasks() == [("signatures.tasks.deliver_signatures", {"run_id": run.pk})]


def test_a_halted_run_that_is_stopped_leaves_the_rest_as_they_are(company, admin: Client):
    ana, tom = company.add("Ana Silva"), company.add("Tom Okafor")
    run = company.run("halted", planned=2, settled=1, delivered=1)
    company.attempt(run, ana, "delivered")
    company.attempt(run, tom, "planned")

    admin.post(f"{ADDRESS}{run.pk}/stop/")

    run.refresh_from_db()
    assert (run.state, run.skipped, run.cause) == ("skipped", 1, "Stopped by admin@acme.example.")
    assert list(Delivery.objects.filter(run=run).values_list("state", flat=True)) == ["delivered", "skipped"]
    assert LedgerEntry.objects.get(action="delivery stopped").job == f"delivery {run.pk}"


def test_a_halted_restore_cannot_be_left_half_way(company, admin: Client):
    run = company.run("halted", kind="restore")

    admin.post(f"{ADDRESS}{run.pk}/stop/")

    run.refresh_from_db()
    assert run.state == "halted"
    assert "Stop here" not in admin.get(f"{ADDRESS}{run.pk}/").content.decode()


def test_a_run_that_is_over_cannot_be_stopped_or_continued(company, admin: Client):
    run = company.run("complete")

    for action in ("stop", "resume"):
        admin.post(f"{ADDRESS}{run.pk}/{action}/")

    run.refresh_from_db()
    assert (run.state, run.cause) == ("complete", "")
    assert queued_tasks() == []


@pytest.mark.parametrize(
    ("state", "columns", "sentence"),
    [
        ("queued", {}, "4 mailboxes wait for the worker."),
        ("running", {}, "1 of 4 mailboxes done."),
        ("waiting", {"resume_at": timezone.now() + timedelta(minutes=9)}, "It continues automatically at"),
    ],
)
def test_progress_is_a_fragment_that_asks_again_while_the_run_moves(
    company, auditor, state, columns, sentence
):
    run = company.run(state, planned=4, settled=1, **columns)

    fragment = auditor.get(f"{ADDRESS}{run.pk}/progress/")

    assert f'hx-get="{ADDRESS}{run.pk}/progress/"' in fragment.content.decode()
    assert sentence in fragment.content.decode()
    assert "<html" not in fragment.content.decode()
    assert "HX-Refresh" not in fragment


def test_progress_that_ended_has_the_page_load_anew_and_asks_no_more(company, auditor: Client):
    run = company.run("complete", planned=4, settled=4, delivered=4)

    fragment = auditor.get(f"{ADDRESS}{run.pk}/progress/")

    assert fragment["HX-Refresh"] == "true"
    assert "hx-get" not in fragment.content.decode()


def test_a_run_is_filtered_by_state_and_by_words(company, auditor: Client):
    ana, tom = company.add("Ana Silva"), company.add("Tom Okafor")
    run = company.run("complete")
    company.attempt(run, ana, "delivered")
    company.attempt(run, tom, "refused", reason="<script>alert(1)</script>")

    def shown(asked: str) -> list[str]:
        return [row.sender.name for row in auditor.get(f"{ADDRESS}{run.pk}/?{asked}").context["page_obj"]]

    assert shown("") == ["Ana Silva", "Tom Okafor"]
    assert shown("state=refused") == ["Tom Okafor"]
    assert shown("q=silva") == ["Ana Silva"]
    assert shown("state=failed") == []
    assert "<script>alert(1)" not in auditor.get(f"{ADDRESS}{run.pk}/").content.decode()


@pytest.mark.parametrize("place", ["log", "run"])
def test_both_lists_run_as_many_queries_for_three_rows_as_for_one(company, auditor: Client, place: str):
    run = company.run("complete")
    company.attempt(run, company.add("Ana Silva"), "delivered")
    path = ADDRESS if place == "log" else f"{ADDRESS}{run.pk}/"
    auditor.get(path)
    with CaptureQueriesContext(database) as for_one:
        auditor.get(path)
    for name in ("Tom Okafor", "Noor Haddad"):
        company.attempt(run, company.add(name), "delivered")
        company.run("complete")

    with CaptureQueriesContext(database) as for_three:
        auditor.get(path)

    assert len(for_three) == len(for_one)


def test_before_and_after_stand_on_one_page_with_their_sources_as_words(company, auditor: Client):
    company.add("Ana Silva")
    run = plan_delivery(company.domain, actor="x")

    page = auditor.get(f"{ADDRESS}{run.pk}/mailboxes/{Delivery.objects.get(run=run).pk}/").content.decode()

    assert page.count('sandbox="allow-same-origin"') == 2
    assert "&lt;p&gt;Before&lt;/p&gt;" in page
    assert "what a delivery would write now" in page


def test_without_templates_or_senders_the_page_says_what_comes_first(company, admin: Client):
    Assignment.objects.all().delete()
    Template.objects.all().delete()

    page = admin.get(ADDRESS).content.decode()

    assert "No template yet" in page
    assert "Nothing delivered yet" in page


def test_a_domain_that_was_never_connected_is_told_the_next_step(domain, admin: Client):
    assert "Open connection" in admin.get(ADDRESS).content.decode()


@pytest.mark.parametrize(
    "action", ["", "progress/", "start/", "resume/", "stop/", "mailboxes/{}/", "mailboxes/{}/frame/"]
)
def test_a_run_of_another_domain_answers_as_one_that_does_not_exist(
    company, bystander, admin: Client, action: str
):
    run = plan_delivery(bystander.domain, actor="x")
    action = action.format(Delivery.objects.get(run=run).pk)
    send = admin.post if action in ("start/", "resume/", "stop/") else admin.get

    stranger, nobody = send(f"{ADDRESS}{run.pk}/{action}"), send(f"{ADDRESS}987654321/{action}")

    assert (stranger.status_code, nobody.status_code) == (404, 404)
    assert stranger.content == nobody.content
    run.refresh_from_db()
    assert run.state == "planned"


@pytest.mark.parametrize("role", ["editor", "auditor"])
def test_only_who_may_deliver_plans_starts_continues_or_stops(company, login, role: str):
    company.add("Ana Silva")
    run = plan_delivery(company.domain, actor="x")
    client = login(role)

    for action in ("plan/", f"{run.pk}/start/", f"{run.pk}/resume/", f"{run.pk}/stop/"):
        assert client.post(ADDRESS + action).status_code == 403
    assert "Deliver to" not in client.get(f"{ADDRESS}{run.pk}/").content.decode()
    assert "Preview changes" not in client.get(ADDRESS).content.decode()


def test_actions_are_never_done_by_following_a_link(company, admin: Client):
    run = company.run("halted")

    for action in ("plan/", f"{run.pk}/start/", f"{run.pk}/resume/", f"{run.pk}/stop/"):
        assert admin.get(ADDRESS + action).status_code == 302
