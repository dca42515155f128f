"""Rollout pages: a plan says what it would do, for whom and at what cost; a started run shows stages and obeys."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from integrations.models import LedgerEntry
from signatures.delivery.deliver import carry_out
from signatures.delivery.left_alone import leave_alone
from signatures.delivery.planning import plan_delivery
from signatures.delivery.runs import start_delivery
from signatures.delivery.stages import Rollout
from signatures.delivery.status import refresh_domain
from signatures.models import DeliveryRun, DeliverySettings, Group, LeftAloneWhy, MailboxState, Sender
from tests.support.deliveries import get_delivered, get_writes, read_directory

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "/domains/acme.example/deliveries/"
STAGED = Rollout(sizes=(2, 3, None), pause_minutes=10)


def get_latest() -> DeliveryRun:
    return DeliveryRun.objects.latest("pk")


def test_plan_page_says_groups_calls_causes_and_the_stages_of_the_domain(
    sandbox, ready, domain, admin: Client
):
    DeliverySettings.objects.create(domain=domain, stages=[7, None], refusal_limit=4)

    page = admin.post(f"{ADDRESS}plan/", follow=True).content.decode()

    run = get_latest()
    assert f"Deliver to {run.planned} mailboxes</button>" in page
    assert f"About {run.planned + 4};" in page  # two readings of each of two stages
    assert 'name="stages" value="7"' in page
    assert 'name="refusal_limit" value="4"' in page
    group = run.deliveries.filter(state="planned").first().sender.group
    assert f"<dt>{group.name}</dt>" in page
    assert "Share the mailbox with the integration user in Outreach, then retry." in page
    assert "signatures.tasks.deliver_signatures" not in [row.task["func"] for row in OrmQ.objects.all()]
    assert get_writes(sandbox) == []


def test_plan_for_chosen_groups_people_or_the_first_few(sandbox, ready, domain, admin: Client):
    whole = plan_delivery(domain, actor="test")
    rows = whole.deliveries.filter(state="planned")
    group = rows.first().sender.group
    people = [row.sender for row in rows.order_by("-pk")[:2]]

    admin.post(f"{ADDRESS}plan/", {"groups": [group.pk]})
    by_group = get_latest()
    admin.post(f"{ADDRESS}plan/", {"people": f"{people[0].email}, {people[1].email.upper()}"})
    by_people = get_latest()
    admin.post(f"{ADDRESS}plan/", {"first": "3"})
    first = get_latest()
    refused = admin.post(f"{ADDRESS}plan/", {"people": "nobody@acme.example"}, follow=True).content.decode()

    assert set(by_group.deliveries.values_list("sender__group", flat=True)) == {group.pk}
    assert by_group.planned == rows.filter(sender__group=group).count()
    assert set(by_people.deliveries.values_list("sender", flat=True)) == {one.pk for one in people}
    assert first.planned == first.deliveries.filter(state="planned").count() == 3
    assert get_latest() == first
    assert "No sender has the address nobody@acme.example. Nothing was planned." in refused


def test_deliver_to_me_first_plans_my_own_mailbox_alone(sandbox, ready, domain, admin: Client):
    row = plan_delivery(domain, actor="test").deliveries.filter(state="planned").first()
    nobody = admin.post(f"{ADDRESS}plan/", {"only_me": "1"}, follow=True).content.decode()
    Sender.objects.filter(pk=row.sender_id).update(email="Admin@acme.example")

    admin.post(f"{ADDRESS}plan/", {"only_me": "1"})

    assert "No sender of this domain has your e-mail address." in nobody
    assert set(get_latest().deliveries.values_list("sender", flat=True)) == {row.sender_id}


def test_deliver_to_this_person_replaces_what_is_left_alone_only_when_that_was_ticked(
    sandbox, ready, domain, admin: Client, editor: Client
):
    row = plan_delivery(domain, actor="test").deliveries.filter(state="planned").first()
    leave_alone(ready, [(row.mailbox_remote_id, row.mailbox_email, "")], why=LeftAloneWhy.RESTORED, actor="x")
    refresh_domain(domain)
    address = f"/domains/acme.example/senders/{row.sender_id}/"

    page = admin.get(address).content.decode()
    admin.post(f"{address}deliver/")
    without = get_latest()
    admin.post(f"{address}deliver/", {"overwrite": "1"})
    with_tick = get_latest()

    assert "Replace what the mailbox holds" in page
    assert without.deliveries.get(mailbox_remote_id=row.mailbox_remote_id).reason_code == "left_alone"
    assert with_tick.deliveries.get(mailbox_remote_id=row.mailbox_remote_id).state == "planned"
    assert f"senders/{row.sender_id}/deliver/" not in editor.get(address).content.decode()


def test_starting_takes_stages_pause_and_limits_from_the_form(sandbox, ready, domain, admin: Client):
    run = plan_delivery(domain, actor="test")
    bad = admin.post(f"{ADDRESS}{run.pk}/start/", {"stages": "five"}, follow=True).content.decode()

    admin.post(
        f"{ADDRESS}{run.pk}/start/",
        {"stages": "2, 3", "pause_minutes": "", "refusal_limit": "4", "drift_limit": "5"},
    )

    run.refresh_from_db()
    assert "Enter up to 7 numbers above 0, such as 5, 50. Nothing was started." in bad
    assert (run.state, run.stages, run.stage_pause_minutes) == ("queued", [2, 3, None], None)
    assert (run.refusal_limit, run.drift_limit) == (4, 5)
    assert sorted(set(run.deliveries.values_list("stage", flat=True))) == [1, 2, 3]


def test_page_of_a_waiting_rollout_shows_its_stages_and_is_continued_paused_and_stopped(
    sandbox, ready, domain, admin: Client, auditor: Client
):
    run = carry_out(start_delivery(plan_delivery(domain, actor="test"), actor="test", rollout=STAGED).pk)
    address = f"{ADDRESS}{run.pk}/"

    page = admin.get(address).content.decode()
    live = admin.get(f"{address}progress/?rollout=1")
    seen = auditor.get(address).content.decode()

    assert 'aria-label="Stage 1: 2 of 2"' in page
    assert "2 written, 0 refused" in page
    assert "read back and equal: 2" in page
    assert "Continue now" in page
    stages = page.partition('<ol class="stages">')[2].partition("</ol>")[0]
    assert (stages.count(">Done<"), stages.count(">Now<"), stages.count(">Waiting<")) == (1, 0, 2)
    assert 'aria-label="Stage 1: 2 of 2"' in live.content.decode()
    assert "HX-Refresh" not in live
    assert "Continue now" not in seen

    assert "Paused. Nothing more is written" in admin.post(f"{address}pause/", follow=True).content.decode()
    run.refresh_from_db()
    assert (run.state, run.cause_code) == ("waiting", "paused")
    admin.post(f"{address}resume/")
    run.refresh_from_db()
    assert (run.state, run.held_at, run.stage) == ("queued", None, 2)
    admin.post(f"{address}stop/")
    run.refresh_from_db()
    assert (run.state, run.delivered, run.skipped) == ("skipped", 2, run.planned - 2)


def test_retry_writes_only_what_was_refused(sandbox, ready, domain, admin: Client):
    plan = plan_delivery(domain, actor="test")
    refused = plan.deliveries.filter(state="planned").first()
    sandbox.directory.set_editable(int(refused.mailbox_remote_id), False)
    run = carry_out(start_delivery(plan, actor="test").pk)
    assert (run.state, refused.mailbox_remote_id in get_delivered(run)) == ("complete", False)
    page = admin.get(f"{ADDRESS}{run.pk}/").content.decode()
    sandbox.directory.set_editable(int(refused.mailbox_remote_id), True)
    sandbox.requests.clear()

    admin.post(f"{ADDRESS}{run.pk}/retry/", {"reason": "not_editable"})
    again = carry_out(run.pk)

    assert "What to do" in page
    assert get_writes(sandbox) == [refused.mailbox_remote_id]
    assert (again.state, again.delivered) == ("complete", run.delivered + 1)
    assert again.settled == again.planned
    nothing = admin.post(f"{ADDRESS}{run.pk}/retry/", {"reason": "rejected"}, follow=True).content.decode()
    assert "No mailbox of this run is left to retry." in nothing


def test_stale_plan_says_so_and_plans_only_what_changed_again(sandbox, ready, domain, admin: Client):
    run = plan_delivery(domain, actor="test")
    kept, changed = run.deliveries.filter(state="planned").order_by("pk")[:2]
    fresh = admin.get(f"{ADDRESS}{run.pk}/").content.decode()
    MailboxState.objects.filter(mailbox__remote_id=changed.mailbox_remote_id).update(
        status="up_to_date", since=timezone.now() + timedelta(seconds=1)
    )

    stale = admin.get(f"{ADDRESS}{run.pk}/").content.decode()
    admin.post(f"{ADDRESS}{run.pk}/replan/")

    again = DeliveryRun.objects.get(pk=run.pk)
    assert "changed since" not in fresh
    assert "1 mailbox changed since" in stale
    assert (again.planned, again.unchanged) == (run.planned - 1, run.unchanged + 1)
    assert again.deliveries.filter(pk=kept.pk).exists()
    assert not again.deliveries.filter(mailbox_remote_id=changed.mailbox_remote_id).exists()


def test_rows_of_a_run_as_csv(sandbox, ready, domain, admin: Client, bystander):
    run = carry_out(start_delivery(plan_delivery(domain, actor="test"), actor="test", rollout=STAGED).pk)

    answer = admin.get(f"{ADDRESS}{run.pk}/export/")

    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == run.deliveries.count()
    assert [row["Status"] for row in rows].count("Delivered") == 2
    assert {row["Stage"] for row in rows if row["Status"] == "Planned"} == {"2", "3"}
    assert "bea@bystander.example" not in text
    assert (
        LedgerEntry.objects.filter(domain=domain, action="delivery downloaded", job=run.job_label).count()
        == 1
    )


def test_compare_marks_the_words_and_the_source_that_change(sandbox, ready, domain, admin: Client):
    row = plan_delivery(domain, actor="test").deliveries.filter(state="planned").first()
    sandbox.directory.set_signature(int(row.mailbox_remote_id), "<p>Kind regards, <b>Zebulon</b></p>")
    read_directory(ready)
    run = plan_delivery(domain, actor="test")
    row = run.deliveries.get(mailbox_remote_id=row.mailbox_remote_id)

    page = admin.get(f"{ADDRESS}{run.pk}/mailboxes/{row.pk}/").content.decode()

    words = page.partition('aria-label="Plain text with its changes"')[2].partition("</pre>")[0]
    source = page.partition('aria-label="Source with its changes"')[2].partition("</pre>")[0]
    assert "Zebulon" in words and "<del>" in words and "<ins>" in words
    assert "&lt;b&gt;" not in words
    assert "Zebulon" in source and "&lt;" in source


def test_list_shows_every_run_under_way(sandbox, ready, domain, admin: Client):
    plan = plan_delivery(domain, actor="test")
    used = set(plan.deliveries.filter(state="planned").values_list("sender__group", flat=True))
    groups = Group.objects.filter(pk__in=used).order_by("pk")[:2]
    runs = [plan_delivery(domain, actor="test", group_ids=[group.pk]) for group in groups]
    for run in runs:
        start_delivery(run, actor="test")

    page = admin.get(ADDRESS).content.decode()

    assert len(runs) == 2
    assert all(f"Delivery\n        {run.pk}," in page for run in runs)
