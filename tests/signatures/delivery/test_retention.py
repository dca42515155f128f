"""Old deliveries go; what tells how each mailbox stands, and what gives originals back, stays."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.forms.models import model_to_dict
from django.urls import reverse
from django.utils import timezone

from integrations.models import Mailbox
from portal.models import Role
from signatures.delivery.drift_check import check_drift
from signatures.delivery.placements import was_written_by_us
from signatures.delivery.restore_originals import carry_out_restore, start_restore
from signatures.delivery.retention import remove_old_deliveries
from signatures.delivery.texts import EMPTY_SHA256
from signatures.models import AUTOMATIC, Delivery, DeliveryRun, LeftAlone, Placement, SignatureHtml, Snapshot
from signatures.senders.mailbox_status import get_mailboxes
from signatures.tasks import remove_old_deliveries as task
from tests.support.deliveries import get_held

pytestmark = pytest.mark.django_db(transaction=True)

KEPT = timedelta(days=365)
MINUTE = timedelta(minutes=1)


def age(run: DeliveryRun, span: timedelta = KEPT + MINUTE, **changes: object) -> DeliveryRun:
    DeliveryRun.objects.filter(pk=run.pk).update(finished_at=timezone.now() - span, **changes)
    return run


def get_statuses(connection):
    found = get_mailboxes(connection)
    return list(found.order_by("pk").values_list("remote_id", "status", "placed_at", "last_reason"))


def get_values(model):
    return [model_to_dict(row) for row in model.objects.order_by("pk")]


def get_rows(*runs: DeliveryRun):
    return {(row.run_id, row.mailbox_remote_id) for row in Delivery.objects.filter(run__in=runs)}


@pytest.fixture
def retitle(sandbox, resync, deliver):
    """Change the title of one mailbox's owner and deliver that."""

    def change(mailbox_id: str, title: str) -> DeliveryRun:
        sandbox.directory.set_title(sandbox.directory.mailboxes[int(mailbox_id)].user_id, title)
        resync()
        return deliver()

    return change


@pytest.fixture
def bystander(connect, other_domain, make_member):
    """Another company, with one old delivery to a mailbox of the same id as one of ours."""
    theirs = connect(other_domain, make_member(other_domain, Role.OWNER))
    mine = Mailbox.objects.exclude(connection=theirs).first()
    run = DeliveryRun.objects.create(
        domain=other_domain,
        connection=theirs,
        state="complete",
        started_by_label="test",
        planned=1,
        delivered=1,
    )
    Delivery.objects.create(
        run=run,
        mailbox_remote_id=mine.remote_id,
        mailbox_email="a@b.example",
        state="delivered",
        rendered_sha256="a",
    )
    return age(run)


def test_superseded_rows_go_and_every_answer_stays_the_same(
    sandbox, ready, deliver, domain, retitle, bystander
):
    before = get_held(sandbox)
    first = deliver()
    delivered = sorted(
        first.deliveries.filter(state="delivered").values_list("mailbox_remote_id", flat=True), key=int
    )
    changed = delivered[0]
    second, third = age(retitle(changed, "Second title")), retitle(changed, "Third title")
    age(first)
    rows, theirs = get_rows(first), get_rows(bystander)
    touched = {mailbox_id for _, mailbox_id in get_rows(second) | get_rows(third)}
    held = get_held(sandbox)
    answers = (
        get_statuses(ready),
        check_drift(domain, actor="test"),
        get_values(Placement),
        get_values(Snapshot),
    )

    done = remove_old_deliveries()

    assert get_rows(first) == {row for row in rows if row[1] not in touched}
    assert get_rows(second) == set()
    assert get_rows(third) == {(third.pk, mailbox_id) for mailbox_id in touched}
    assert not DeliveryRun.objects.filter(pk=second.pk).exists()
    assert done == {"delivery rows": 2 * len(touched), "deliveries": 1, "signature texts": 0}
    assert get_rows(bystander) == theirs
    assert (
        get_statuses(ready),
        check_drift(domain, actor="test"),
        get_values(Placement),
        get_values(Snapshot),
    ) == answers
    assert get_held(sandbox) == held
    assert all(
        was_written_by_us(ready, placed.mailbox_remote_id, placed.returned_sha256)
        for placed in Placement.objects.all()
    )
    assert remove_old_deliveries() == {"delivery rows": 0, "deliveries": 0, "signature texts": 0}
    restored = carry_out_restore(start_restore(ready, actor="test").pk)
    assert (restored.state, restored.delivered) == ("complete", len(delivered))
    assert get_held(sandbox) == before


@pytest.mark.parametrize(
    ("span", "state", "goes"),
    [
        (KEPT + MINUTE, "complete", True),
        (KEPT - MINUTE, "complete", False),
        (KEPT + MINUTE, "halted", False),
        (KEPT + MINUTE, "waiting", False),
        (KEPT + MINUTE, "planned", False),
    ],
)
def test_only_finished_runs_older_than_the_setting_lose_rows(ready, deliver, retitle, span, state, goes):
    first = deliver()
    changed = first.deliveries.filter(state="delivered").first().mailbox_remote_id
    retitle(changed, "Another title")
    age(first, span, state=state)

    remove_old_deliveries()

    assert ((first.pk, changed) in get_rows(first)) is not goes


def test_a_plan_that_may_be_dropped_supersedes_nothing(sandbox, ready, deliver, domain):
    first = age(deliver())
    rows = get_rows(first)
    for row in list(Delivery.objects.filter(run=first)):
        row.pk, row.run = (
            None,
            DeliveryRun.objects.get_or_create(
                domain=domain, connection=ready, state="planned", started_by_label="test"
            )[0],
        )
        row.save()

    remove_old_deliveries()

    assert get_rows(first) == rows


def test_a_refusal_that_is_the_last_attempt_stays_and_so_does_a_persons_last_delivery(
    sandbox, ready, deliver, retitle
):
    sandbox.directory.set_editable(int(min(get_held(sandbox), key=int)), False)
    first = age(deliver())
    statuses = get_statuses(ready)
    later = [first]
    for title in ("One", "Two"):
        mailbox_id = max(get_held(sandbox), key=int)
        later.append(age(retitle(mailbox_id, title), started_by_label=AUTOMATIC))
    DeliveryRun.objects.filter(pk__in=[run.pk for run in later[1:]]).update(started_by_label=AUTOMATIC)

    remove_old_deliveries()

    assert [row[:2] for row in get_statuses(ready)] == [row[:2] for row in statuses]
    assert any(status == "action_needed" for _, status, _, _ in statuses)
    assert DeliveryRun.objects.filter(pk=first.pk).exists()


def test_the_last_restore_stays_whole(ready, deliver):
    deliver()
    restored = age(carry_out_restore(start_restore(ready, actor="test").pk))
    rows = get_rows(restored)
    deliver()

    remove_old_deliveries()

    assert get_rows(restored) == rows


def test_dry_run_says_what_the_task_then_removes(ready, deliver, retitle):
    first = age(deliver())
    age(retitle(first.deliveries.filter(state="delivered").first().mailbox_remote_id, "Second title"))
    retitle(first.deliveries.filter(state="delivered").first().mailbox_remote_id, "Third title")
    number = Delivery.objects.count()
    stream = io.StringIO()

    call_command("prunerows", dry_run=True, stdout=stream)

    would_go = remove_old_deliveries(writes=False)
    assert f"{would_go['delivery rows']} delivery rows would be removed." in stream.getvalue()
    assert f"{would_go['deliveries']} deliveries would be removed." in stream.getvalue()
    assert Delivery.objects.count() == number
    task()
    assert Delivery.objects.count() == number - would_go["delivery rows"]
    assert would_go["deliveries"] == 1


def test_the_last_run_and_the_last_that_a_person_completed_stay_though_empty(ready, bystander):
    def add(label: str) -> int:
        run = DeliveryRun.objects.create(
            domain=ready.domain, connection=ready, state="complete", started_by_label=label
        )
        return age(run).pk

    add("ana@acme.example")
    by_person = add("ana@acme.example")
    add(AUTOMATIC)
    last = add(AUTOMATIC)

    assert remove_old_deliveries() == {"delivery rows": 0, "deliveries": 2, "signature texts": 0}

    assert set(DeliveryRun.objects.values_list("pk", flat=True)) == {by_person, last, bystander.pk}


def test_the_page_of_a_thinned_run_says_that_its_list_may_be_short(ready, deliver, client, owner):
    run = deliver()
    client.force_login(owner)
    page = reverse("signatures:delivery_run", args=[ready.domain.name, run.pk])
    said = "ended more than 365 days ago"

    young = client.get(page)
    age(run)
    old = client.get(page)

    assert (young.status_code, old.status_code) == (200, 200)
    assert said not in young.content.decode()
    assert said in old.content.decode()


def test_a_setting_below_thirty_days_counts_as_thirty(settings, ready, deliver, retitle):
    settings.DELIVERY_KEEP_DAYS = 0
    first = deliver()
    changed = first.deliveries.filter(state="delivered").first().mailbox_remote_id
    retitle(changed, "Another title")

    age(first, timedelta(days=30) - MINUTE)
    young = remove_old_deliveries()
    age(first, timedelta(days=30) + MINUTE)
    old = remove_old_deliveries()

    assert young["delivery rows"] == 0
    assert old["delivery rows"] > 0


def test_each_question_keeps_the_row_that_answers_it(ready, bystander):
    mailbox_id = bystander.deliveries.get().mailbox_remote_id
    attempts = [
        ("superseded", "delivered", "a", "1"),
        ("last confirmed", "delivered", "b", ""),
        ("last write tried", "failed", "c", ""),
        ("last attempt", "refused", "", ""),
        ("last known owner", "skipped", "", "9"),
        ("not attempted", "skipped", "", ""),
    ]
    for email, state, sent, person_id in attempts:
        run = DeliveryRun.objects.create(
            domain=ready.domain, connection=ready, state="complete", started_by_label="test"
        )
        Delivery.objects.create(
            run=age(run),
            mailbox_remote_id=mailbox_id,
            mailbox_email=email,
            state=state,
            rendered_sha256=sent,
            person_remote_id=person_id,
        )

    remove_old_deliveries()

    left = Delivery.objects.filter(run__domain=ready.domain).values_list("mailbox_email", flat=True)
    assert list(left) == ["last confirmed", "last write tried", "last attempt", "last known owner"]
    assert bystander.deliveries.count() == 1


def test_a_text_stays_while_a_row_names_it_and_goes_when_none_does(ready, deliver, other_domain):
    run = deliver()
    row = run.deliveries.filter(state="delivered").first()
    named = {row.rendered_sha256: "rendered", row.found_sha256: "found"}
    for number, domain in enumerate((ready.domain, ready.domain, other_domain)):
        SignatureHtml.objects.create(domain=domain, sha256=f"{number}" * 64, html="x")
    SignatureHtml.objects.create(domain=other_domain, sha256=row.rendered_sha256, html="theirs")
    LeftAlone.objects.create(
        domain=ready.domain, mailbox_remote_id="x", mailbox_email="x", why="kept", held_sha256="0" * 64
    )
    young = SignatureHtml.objects.create(domain=ready.domain, sha256="9" * 64, html="x")
    SignatureHtml.objects.exclude(pk=young.pk).update(kept_at=timezone.now() - timedelta(days=2))
    before = SignatureHtml.objects.filter(domain=ready.domain).count()

    told = remove_old_deliveries(writes=False)["signature texts"]
    done = remove_old_deliveries()["signature texts"]

    assert told == done == 3
    left = set(SignatureHtml.objects.filter(domain=ready.domain).values_list("sha256", flat=True))
    assert len(left) == before - 1
    assert set(named) - left <= {EMPTY_SHA256}
    assert {"0" * 64, "9" * 64} <= left
    assert "1" * 64 not in left
    assert not SignatureHtml.objects.filter(domain=other_domain).exists()
