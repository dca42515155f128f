"""Originals go back byte for byte where a mailbox still holds our last write; anything else stays."""

from __future__ import annotations

import pytest
from django.utils import timezone

from integrations.disconnect import steps
from integrations.disconnect.steps import request_disconnect
from integrations.models import Connection, DisconnectStep, Mailbox
from integrations.signature_service import Restoration, get_signature_service
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.deliver import carry_out
from signatures.delivery.planning import plan_delivery
from signatures.delivery.restore_originals import (
    carry_out_restore,
    preview_restore,
    restore_connection,
    start_restore,
)
from signatures.delivery.runs import start_delivery, take_run
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, Placement, Sender, Snapshot
from signatures.tasks import deliver_signatures
from tests.support.deliveries import change_template, get_delivered, get_held, get_writes, read_directory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def before(sandbox, ready) -> dict[str, str]:
    """What every mailbox held before the first delivery."""
    return get_held(sandbox)


@pytest.fixture
def delivered(before, deliver) -> list[str]:
    """Ids of the mailboxes that now hold our signature."""
    return sorted(get_delivered(deliver()), key=int)


def restore(connection: Connection, **options) -> DeliveryRun:
    return carry_out_restore(start_restore(connection, actor="test", **options).pk)


def test_r1_every_mailbox_holds_its_original_again(sandbox, ready, before, delivered):
    sandbox.requests.clear()

    run = restore(ready)

    assert (run.state, run.delivered, run.refused, run.failed) == (
        DeliveryRunState.COMPLETE,
        len(delivered),
        0,
        0,
    )
    assert get_held(sandbox) == before
    assert sorted(get_writes(sandbox), key=int) == delivered
    assert not Placement.objects.exists()
    assert not Snapshot.objects.filter(restored_at=None).exists()


def test_r1_edited_mailboxes_are_listed_as_conflicts_and_left(sandbox, ready, before, delivered):
    sandbox.directory.set_signature(int(delivered[0]), "<p>Mine</p>")
    sandbox.requests.clear()

    run = restore(ready)

    conflicts = run.deliveries.filter(reason_code="conflict")
    assert list(conflicts.values_list("mailbox_remote_id", flat=True)) == [delivered[0]]
    assert get_held(sandbox) == before | {delivered[0]: "<p>Mine</p>"}
    assert delivered[0] not in get_writes(sandbox)
    assert Snapshot.objects.get(mailbox_remote_id=delivered[0]).restored_at is None


def test_mailbox_that_its_owner_already_put_back_counts_as_restored_without_a_write(
    sandbox, ready, before, delivered
):
    sandbox.directory.set_signature(int(delivered[0]), before[delivered[0]])
    sandbox.requests.clear()

    run = restore(ready)

    assert run.delivered == len(delivered)
    assert delivered[0] not in get_writes(sandbox)


def test_restoring_twice_writes_nothing_the_second_time(sandbox, ready, delivered):
    restore(ready)
    sandbox.requests.clear()

    again = restore(ready)

    assert (again.state, again.planned, list(sandbox.requests)) == (DeliveryRunState.COMPLETE, 0, [])


def test_one_senders_mailboxes_go_back_and_nobody_elses(sandbox, ready, before, delivered):
    held = get_held(sandbox)
    owner = sandbox.directory.mailboxes[int(delivered[0])].user_id
    sender = Sender.objects.get(person__remote_id=str(owner))

    restore(ready, only_sender=sender)

    theirs = {str(mailbox.id) for mailbox in sandbox.directory.mailboxes_of(owner)}
    assert get_held(sandbox) == held | {id: before[id] for id in theirs}


def test_preview_tells_what_a_restore_would_do_without_a_request(sandbox, ready, delivered, resync):
    sandbox.directory.set_signature(int(delivered[0]), "<p>Mine</p>")
    resync()
    sandbox.requests.clear()

    seen = preview_restore(ready)

    assert (seen.restored, seen.conflicts) == (len(delivered) - 1, 1)
    assert list(sandbox.requests) == []


def test_after_a_restore_the_next_delivery_keeps_what_the_owner_wrote_since(
    sandbox, ready, delivered, deliver, resync
):
    restore(ready)
    sandbox.directory.set_signature(int(delivered[0]), "<p>Newer original</p>")
    resync()

    deliver()
    restore(ready)

    assert get_held(sandbox)[delivered[0]] == "<p>Newer original</p>"


def test_reconnecting_without_restoring_never_takes_our_signature_for_an_original(
    sandbox, ready, before, delivered, deliver, domain, owner, connect
):
    request_disconnect(ready, restores=False, actor="test")
    steps.continue_disconnect(str(ready.pk))
    again = connect(domain, owner)
    read_directory(again)
    assert again.pk != ready.pk
    for number in range(2):
        change_template(domain, f"<p>Round {number}: {{{{ sender.name }}}}</p>")
        deliver()

    run = restore(again)

    assert run.delivered == len(delivered)
    assert get_held(sandbox) == before


def test_an_edit_made_between_two_connections_is_still_known_as_one(
    sandbox, ready, delivered, deliver, domain, owner, connect
):
    request_disconnect(ready, restores=False, actor="test")
    steps.continue_disconnect(str(ready.pk))
    sandbox.directory.set_signature(int(delivered[0]), "<p>Written while you were away</p>")
    read_directory(connect(domain, owner))
    change_template(domain, "<p>New: {{ sender.name }}</p>")

    deliver()

    assert get_held(sandbox)[delivered[0]] == "<p>Written while you were away</p>"


def test_leaving_restores_first_and_only_then_revokes(sandbox, ready, before, delivered):
    sandbox.directory.set_signature(int(delivered[0]), "<p>Mine</p>")
    request_disconnect(ready, restores=True, actor="owner@acme.example")
    assert get_signature_service().describe_restore(ready) == Restoration(
        total=len(delivered), owed=len(delivered)
    )

    run = restore_connection(ready.pk)

    ready.refresh_from_db()
    assert run.started_by_label == "owner@acme.example"
    assert ready.disconnect_step == DisconnectStep.REVOKING
    assert get_held(sandbox) == before | {delivered[0]: "<p>Mine</p>"}
    assert get_signature_service().describe_restore(ready) == Restoration(
        total=len(delivered), restored=len(delivered) - 1, conflicts=1, run_id=run.pk
    )
    assert restore_connection(ready.pk) is None


def test_restore_killed_between_its_end_and_its_report_is_reported_later(sandbox, ready, delivered):
    request_disconnect(ready, restores=True, actor="test")
    restore_connection(ready.pk)
    Connection.objects.filter(pk=ready.pk).update(disconnect_step=DisconnectStep.RESTORING)
    sandbox.requests.clear()

    restore_connection(ready.pk)

    ready.refresh_from_db()
    assert (ready.disconnect_step, list(sandbox.requests)) == (DisconnectStep.REVOKING, [])


def test_waiting_and_halted_deliveries_are_given_up_for_a_restore(sandbox, ready, delivered, domain):
    change_template(domain, "<p>New: {{ sender.name }}</p>")
    waiting = start_delivery(plan_delivery(domain, actor="test"), actor="test")
    DeliveryRun.objects.filter(pk=waiting.pk).update(state=DeliveryRunState.HALTED)

    run = restore(ready)

    waiting.refresh_from_db()
    assert (waiting.state, waiting.skipped) == (DeliveryRunState.SKIPPED, len(delivered))
    assert run.delivered == len(delivered)


def test_restore_waits_for_a_delivery_that_is_being_written(sandbox, ready, delivered, domain):
    change_template(domain, "<p>New: {{ sender.name }}</p>")
    running = start_delivery(plan_delivery(domain, actor="test"), actor="test")
    take_run(running.pk, "deliver")

    with pytest.raises(DeliveryBlocked, match="running"):
        start_restore(ready, actor="test")

    assert not DeliveryRun.objects.filter(kind=DeliveryRun.Kind.RESTORE).exists()


def test_leaving_restores_while_deliveries_are_paused(sandbox, ready, before, delivered):
    Connection.objects.filter(pk=ready.pk).update(paused_at=timezone.now())
    request_disconnect(ready, restores=True, actor="test")

    restore_connection(ready.pk)

    assert get_held(sandbox) == before


def test_mailbox_that_the_mirror_does_not_know_any_more_is_found_by_whose_it_was_when_we_wrote(
    sandbox, ready, before, delivered
):
    Mailbox.objects.filter(remote_id__in=delivered[:2]).delete()

    run = restore(ready)

    assert (run.state, run.delivered) == (DeliveryRunState.COMPLETE, len(delivered))
    assert get_held(sandbox) == before


def test_mailbox_whose_owner_nobody_knows_is_listed_and_not_taken_for_gone(sandbox, ready, before, delivered):
    Mailbox.objects.filter(remote_id=delivered[0]).delete()
    Delivery.objects.filter(mailbox_remote_id=delivered[0]).update(person_remote_id="")

    run = restore(ready)

    row = run.deliveries.get(mailbox_remote_id=delivered[0])
    assert (run.state, row.reason_code) == (DeliveryRunState.COMPLETE, "owner_unknown")
    assert run.delivered == len(delivered) - 1


def test_a_restores_id_given_to_a_delivery_never_writes_signatures(sandbox, ready, before, delivered):
    run = start_restore(ready, actor="test")
    sandbox.requests.clear()

    assert carry_out(run.pk).state == DeliveryRunState.QUEUED
    assert list(sandbox.requests) == []
    deliver_signatures(run_id=run.pk)

    assert get_held(sandbox) == before
