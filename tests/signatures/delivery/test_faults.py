"""What a delivery does when Outreach refuses, breaks or forgets to answer."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from integrations.connection import lifecycle
from integrations.models import Connection, LedgerEntry
from signatures.delivery.deliver import carry_out
from signatures.delivery.runs import resume_delivery
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, DeliveryState, Snapshot
from tests.support.deliveries import (
    PATCH,
    assert_everything_arrived,
    get_held,
    get_planned,
    get_writes,
    make_due,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_write_whose_answer_is_lost_is_confirmed_by_reading_and_not_sent_again(sandbox, started):
    sandbox.faults.add("lost", **PATCH, nth=2, times=3)
    planned = get_planned(started)

    run = carry_out(started.pk)

    assert (run.state, run.delivered, run.failed) == (DeliveryRunState.COMPLETE, len(planned), 0)
    assert sorted(get_writes(sandbox)) == sorted(planned)
    assert run.deliveries.filter(reason_code="confirmed").count() == 3
    assert_everything_arrived(sandbox, run)


def test_lost_answer_of_a_rewritten_signature_is_known_as_ours(sandbox, started):
    sandbox.settings.signature_normaliser = "quotes"
    sandbox.faults.add("lost", **PATCH, nth=2, times=2)
    planned = get_planned(started)

    run = carry_out(started.pk)

    assert (run.delivered, run.refused) == (len(planned), count_refused_by_plan(run))
    assert sorted(get_writes(sandbox)) == sorted(planned)


def count_refused_by_plan(run: DeliveryRun) -> int:
    return run.deliveries.filter(reason_code="not_editable").count()


def test_write_that_never_arrived_is_sent_again(sandbox, started):
    sandbox.faults.add("unavailable", **PATCH, nth=1, times=2)
    planned = get_planned(started)

    run = carry_out(started.pk)

    assert (run.state, run.delivered) == (DeliveryRunState.COMPLETE, len(planned))
    assert len(get_writes(sandbox)) == len(planned) + 2
    assert_everything_arrived(sandbox, run)


def test_mailbox_that_never_answers_fails_after_three_tries_and_the_rest_arrive(sandbox, started):
    planned = get_planned(started)
    sandbox.faults.add("unavailable", method="PATCH", path=f"/api/v2/mailboxes/{planned[1]}", times=None)

    run = carry_out(started.pk)

    row = run.deliveries.get(mailbox_remote_id=planned[1])
    assert (row.state, row.reason_code, row.attempts) == (DeliveryState.FAILED, "unreachable", 3)
    assert row.reason.endswith("Tried 3 times.")
    assert get_writes(sandbox).count(planned[1]) == 3
    assert (run.state, run.delivered, run.failed) == (DeliveryRunState.COMPLETE, len(planned) - 1, 1)


@pytest.mark.parametrize(
    ("fault", "code"), [("forbidden", "refused"), ("not_found", "gone"), ("invalid", "rejected")]
)
def test_one_bad_mailbox_never_stops_the_rest(sandbox, started, fault, code):
    planned = get_planned(started)
    sandbox.faults.add(fault, method="PATCH", path=f"/api/v2/mailboxes/{planned[0]}", times=None)

    run = carry_out(started.pk)

    row = run.deliveries.get(mailbox_remote_id=planned[0])
    assert (row.state, row.reason_code, bool(row.reason)) == (DeliveryState.REFUSED, code, True)
    assert (run.state, run.delivered) == (DeliveryRunState.COMPLETE, len(planned) - 1)
    assert sorted(get_writes(sandbox)) == sorted(planned)


def test_ten_failures_in_a_row_halt_and_continuing_delivers_the_rest(sandbox, started):
    sandbox.faults.add("forbidden", **PATCH, times=None)
    planned = get_planned(started)

    halted = carry_out(started.pk)

    tried = len(get_writes(sandbox))
    assert halted.state == DeliveryRunState.HALTED
    assert halted.cause.startswith("10 mailboxes in a row failed.")
    assert 10 <= tried <= 17 < len(planned)  # seven more may be in the air when the tenth fails
    sandbox.faults.clear()
    run = carry_out(resume_delivery(halted, actor="test").pk)
    assert (run.state, run.delivered) == (DeliveryRunState.COMPLETE, len(planned) - tried)


def test_spent_allowance_suspends_without_sleeping_and_loses_nothing(sandbox, started):
    sandbox.faults.add("rate_limited", **PATCH, nth=4, times=None, seconds=300)
    planned = get_planned(started)
    began = time.monotonic()

    waiting = carry_out(started.pk)

    assert time.monotonic() - began < 10
    assert waiting.state == DeliveryRunState.WAITING
    assert timedelta(seconds=240) < waiting.resume_at - timezone.now() <= timedelta(seconds=301)
    assert waiting.failed == 0
    assert carry_out(started.pk).state == DeliveryRunState.WAITING  # not due: nothing is tried
    sandbox.faults.clear()
    lifecycle.Connection.objects.get(pk=started.connection_id).budget.delete()
    make_due(started)
    run = carry_out(started.pk)
    assert (run.state, run.delivered) == (DeliveryRunState.COMPLETE, len(planned))


def test_outreach_that_cannot_be_read_is_waited_for_longer_each_time_and_never_given_up(sandbox, started):
    fault = sandbox.faults.add("unavailable", method="GET", times=None)
    planned = get_planned(started)
    pauses = []
    for _ in range(8):
        waiting = carry_out(started.pk)
        pauses.append(round((waiting.resume_at - timezone.now()).total_seconds() / 30))
        make_due(started)

    assert (waiting.state, waiting.stalls) == (DeliveryRunState.WAITING, 8)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    assert waiting.waiting_since < timezone.now()
    assert waiting.cause == "Outreach is not answering. No action needed: the portal tries again."
    assert get_writes(sandbox) == []
    sandbox.faults.rules.remove(fault)
    run = carry_out(started.pk)
    assert (run.state, run.delivered, run.stalls) == (DeliveryRunState.COMPLETE, len(planned), 0)
    assert run.waiting_since is None


def test_one_unreadable_record_costs_its_owner_alone(sandbox, started):
    planned = get_planned(started)
    odd = {"record": planned[2], "field": "emailSignature", "value": 7}
    sandbox.faults.add("set_field", path="/api/v2/mailboxes", times=None, **odd)

    run = carry_out(started.pk)

    row = run.deliveries.get(mailbox_remote_id=planned[2])
    refused = run.deliveries.filter(reason_code="unreadable")
    assert row.reason_code == "unreadable"
    assert set(refused.values_list("person_remote_id", flat=True)) == {row.person_remote_id}
    assert run.delivered == len(planned) - refused.count()


@pytest.mark.parametrize("status", [500, 504])
def test_a_mailbox_that_outreach_never_answers_with_costs_its_owner_alone(sandbox, started, status):
    planned = get_planned(started)
    sandbox.faults.add(
        "poisoned", method="GET", record=planned[2], field="emailSignature", status=status, times=None
    )

    run = carry_out(started.pk)

    row = run.deliveries.get(mailbox_remote_id=planned[2])
    refused = run.deliveries.filter(reason_code="unreadable")
    assert set(refused.values_list("person_remote_id", flat=True)) == {row.person_remote_id}
    assert run.delivered == len(planned) - refused.count()
    assert planned[2] not in get_writes(sandbox)


def test_many_unreadable_records_side_by_side_cost_their_owners_alone(sandbox, started):
    planned = get_planned(started)
    odd = planned[2:12]
    for mailbox_id in odd:
        fields = {"record": mailbox_id, "field": "emailSignature", "value": "\x00"}
        sandbox.faults.add("set_field", path="/api/v2/mailboxes", times=None, **fields)
    owners = {row.person_remote_id for row in started.deliveries.filter(mailbox_remote_id__in=odd)}

    run = carry_out(started.pk)

    refused = run.deliveries.filter(reason_code="unreadable")
    assert set(refused.values_list("person_remote_id", flat=True)) == owners
    assert (run.state, run.delivered) == (DeliveryRunState.COMPLETE, len(planned) - refused.count())


def test_snapshot_is_stored_even_where_the_write_is_refused(sandbox, started):
    before = get_held(sandbox)
    planned = get_planned(started)
    sandbox.faults.add("forbidden", method="PATCH", path=f"/api/v2/mailboxes/{planned[0]}", times=None)

    carry_out(started.pk)

    assert Snapshot.objects.get(mailbox_remote_id=planned[0]).original_html == before[planned[0]]
    assert Delivery.objects.get(run=started, mailbox_remote_id=planned[0]).returned_sha256 == ""


def test_progress_is_told_from_none_to_all(sandbox, started):
    told: list[int] = []

    run = carry_out(started.pk, progress=lambda now: told.append(now.settled))

    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, run.planned)


def test_delivery_never_spends_more_than_its_share_of_the_hour(sandbox, started, settings):
    spent = len([entry for entry in sandbox.requests if entry.path.startswith("/api/")])
    limit = sandbox.settings.hourly_limit = settings.OUTREACH_HOURLY_CALLS = 30
    Connection.objects.get(pk=started.connection_id).budget.delete()

    run = carry_out(started.pk)

    assert run.state == DeliveryRunState.WAITING
    assert timedelta(0) < run.resume_at - timezone.now() <= timedelta(hours=1)
    assert 429 not in {entry.status for entry in sandbox.requests}
    assert spent + len(sandbox.requests) <= limit * 80 // 100
    assert (run.failed, run.skipped) == (0, 0)


def test_odd_reply_to_one_write_is_settled_by_reading_and_stops_nobody(sandbox, started):
    planned = get_planned(started)
    sandbox.faults.add("truncated_json", method="PATCH", path=f"/api/v2/mailboxes/{planned[3]}", times=None)

    run = carry_out(started.pk)

    assert (run.state, run.delivered) == (DeliveryRunState.COMPLETE, len(planned))
    assert run.deliveries.get(mailbox_remote_id=planned[3]).reason_code == "confirmed"
    assert sorted(get_writes(sandbox)) == sorted(planned)


@pytest.mark.parametrize(
    ("fault", "options", "reason"),
    [
        ("truncated_json", {}, "JSONDecodeError"),
        ("status", {"status": 200, "body": "<html>Back soon</html>"}, "not JSON:API"),
        ("huge", {"bytes": 16 * 1024 * 1024 + 1}, "larger than 16777216 bytes"),
    ],
)
def test_readings_that_are_all_odd_are_waited_out_and_say_why(
    sandbox, started, caplog, fault, options, reason
):
    sandbox.faults.add(fault, method="GET", times=None, **options)
    planned = get_planned(started)

    waiting = carry_out(started.pk)

    assert (waiting.state, waiting.delivered, waiting.skipped) == (DeliveryRunState.WAITING, 0, 0)
    assert len(sandbox.requests) <= 16  # in halves down to one record, and no more once nothing comes
    assert get_writes(sandbox) == []
    assert reason in waiting.cause
    assert reason in caplog.text
    entries = LedgerEntry.objects.filter(job=started.job_label, endpoint="list_mailboxes")
    assert all(reason in entry.detail for entry in entries)
    sandbox.faults.clear()
    make_due(started)
    assert carry_out(started.pk).delivered == len(planned)


def test_writes_refused_again_and_again_without_a_word_of_how_long_slow_down_and_speed_up_again(
    sandbox, started
):
    sandbox.faults.add("retry_later", **PATCH, nth=2, times=2)
    planned = get_planned(started)

    run = carry_out(started.pk)

    assert (run.state, run.delivered, run.failed) == (DeliveryRunState.COMPLETE, len(planned), 0)
    assert len(get_writes(sandbox)) == len(planned) + 2
    assert 1 <= run.connection.budget.pace <= 2
    assert_everything_arrived(sandbox, run)
