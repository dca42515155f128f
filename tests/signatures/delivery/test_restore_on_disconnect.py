"""Leaving keeps the access until every original is back, or a person leaves a stated number as they are."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from integrations.connection.permissions import SwitchRefused, switch_off, switch_on
from integrations.disconnect.steps import (
    DisconnectRefused,
    continue_disconnect,
    leave_as_they_are,
    request_disconnect,
)
from integrations.models import (
    Connection,
    ConnectionState,
    DisconnectStep,
    LedgerEntry,
    Mailbox,
    Notice,
    Receipt,
)
from integrations.notices.watch import watch_connections
from integrations.signature_service import get_signature_service
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.restore_originals import carry_out_restore, restore_connection, start_restore
from signatures.delivery.runs import resume_delivery, stop_delivery
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, Sender, Snapshot
from signatures.tasks import sweep_deliveries
from tests.support.deliveries import get_delivered, get_held, get_writes, make_due

pytestmark = pytest.mark.django_db(transaction=True)
READS = {"method": "GET", "path": "/api/v2/mailboxes"}
WRITES = {"method": "PATCH", "path": "/api/v2/mailboxes/*"}
HTML = {"status": 200, "body": "<html><h1>Back soon</h1></html>"}
STILL_THERE = (ConnectionState.DISCONNECTING, DisconnectStep.RESTORING)


@pytest.fixture
def before(sandbox, ready) -> dict[str, str]:
    """What every mailbox held before the first delivery."""
    return get_held(sandbox)


@pytest.fixture
def delivered(before, deliver) -> list[str]:
    """Ids of the mailboxes that now hold our signature."""
    return sorted(get_delivered(deliver()), key=int)


@pytest.fixture
def leaving(ready, delivered) -> Connection:
    return request_disconnect(ready, restores=True, actor="dana@acme.example")


def get_place(connection: Connection) -> tuple[str, str]:
    connection.refresh_from_db()
    assert connection.refresh_sealed
    return connection.state, connection.disconnect_step


def assert_all_back(sandbox, connection: Connection, before: dict[str, str]) -> None:
    connection.refresh_from_db()
    assert connection.disconnect_step == DisconnectStep.REVOKING
    assert get_held(sandbox) == before
    assert not Snapshot.objects.filter(restored_at=None).exists()


OUTAGES = {
    "unreadable replies to readings": ("status", READS | HTML),
    "truncated replies to readings": ("truncated_json", READS),
    "no reply to readings": ("reset", READS),
    "maintenance": ("unavailable", {"path": "/api/v2/*"}),
    "writes unavailable": ("unavailable", WRITES),
    "writes answered with a page of HTML": ("status", WRITES | HTML | {"status": 503}),
    "writes limited": ("rate_limited", WRITES | {"seconds": 40}),
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_while_originals_go_back_is_waited_out_and_everything_goes_back(
    sandbox, leaving, before, delivered, outage
):
    kind, options = OUTAGES[outage]
    sandbox.faults.add(kind, times=None, **options)

    waiting = restore_connection(leaving.pk)

    assert (waiting.state, waiting.skipped, waiting.failed) == (DeliveryRunState.WAITING, 0, 0)
    assert get_place(leaving) == STILL_THERE
    assert continue_disconnect(leaving.pk) is False
    said = get_signature_service().describe_restore(leaving)
    assert (said.waits_for, said.asks, said.owed) == (waiting.cause, False, len(delivered))
    assert "continue" not in waiting.cause.lower()
    sandbox.faults.clear()
    leaving.budget.delete()
    make_due(waiting)
    run = restore_connection(leaving.pk)
    assert (run.pk, run.state, run.delivered) == (waiting.pk, DeliveryRunState.COMPLETE, len(delivered))
    assert_all_back(sandbox, leaving, before)


def test_a_blip_of_unreadable_replies_costs_nobody_the_original(sandbox, leaving, before, delivered):
    sandbox.faults.add("status", times=9, **READS, **HTML)

    run = restore_connection(leaving.pk)

    if run.state == DeliveryRunState.WAITING:
        make_due(run)
        run = restore_connection(leaving.pk)
    assert (run.state, run.delivered, run.refused) == (DeliveryRunState.COMPLETE, len(delivered), 0)
    assert_all_back(sandbox, leaving, before)


def test_a_fault_of_ours_asks_instead_of_giving_the_access_away(sandbox, leaving, before, delivered, caplog):
    class Broken:
        def read_mailboxes(self, people):
            raise KeyError("secret@acme.example")

        def flush(self):
            return

    @contextmanager
    def open_broken(run):
        yield Broken()

    run = start_restore(leaving, actor="test")
    with pytest.raises(KeyError):
        carry_out_restore(run.pk, gateway_factory=open_broken)

    run.refresh_from_db()
    path = "tests/signatures/delivery/test_restore_on_disconnect.py"
    said = f"An internal error stopped restore {run.pk}: KeyError in {path}, line "
    assert (run.state, run.skipped) == (DeliveryRunState.HALTED, 0)
    assert run.cause.startswith(said)
    assert said in caplog.text
    assert LedgerEntry.objects.get(action="stopped by a fault").detail == run.cause
    assert "secret@acme.example" not in run.cause
    assert get_place(leaving) == STILL_THERE
    sweep_deliveries()  # it asks a person; nothing starts it again by itself
    run = carry_out_restore(resume_delivery(run, actor="dana@acme.example").pk)
    assert (run.state, run.delivered) == (DeliveryRunState.COMPLETE, len(delivered))
    assert_all_back(sandbox, leaving, before)


def test_a_mailbox_that_refuses_its_original_asks_and_can_be_tried_again(sandbox, leaving, before, delivered):
    fault = sandbox.faults.add(
        "forbidden", method="PATCH", path=f"/api/v2/mailboxes/{delivered[3]}", times=None
    )

    halted = restore_connection(leaving.pk)

    assert (halted.state, halted.delivered, halted.refused) == (
        DeliveryRunState.HALTED,
        len(delivered) - 1,
        1,
    )
    assert halted.cause.startswith("1 mailbox could not be restored")
    assert get_place(leaving) == STILL_THERE
    assert carry_out_restore(resume_delivery(halted, actor="test").pk).state == DeliveryRunState.HALTED
    sandbox.faults.rules.remove(fault)
    sandbox.requests.clear()
    run = carry_out_restore(resume_delivery(halted, actor="test").pk)
    assert (run.state, run.settled, run.delivered, run.refused) == (
        DeliveryRunState.COMPLETE,
        len(delivered),
        len(delivered),
        0,
    )
    assert get_writes(sandbox) == [delivered[3]]
    assert_all_back(sandbox, leaving, before)


def test_edited_and_vanished_mailboxes_owe_nothing(sandbox, leaving, before, delivered):
    edited, vanished = delivered[:2]
    sandbox.directory.set_signature(int(edited), "<p>Mine</p>")
    sandbox.directory.remove_mailbox(int(vanished))

    run = restore_connection(leaving.pk)

    leaving.refresh_from_db()
    assert (run.state, run.delivered) == (DeliveryRunState.COMPLETE, len(delivered) - 2)
    assert leaving.disconnect_step == DisconnectStep.REVOKING
    assert get_held(sandbox) == {
        id: text for id, text in (before | {edited: "<p>Mine</p>"}).items() if id != vanished
    }


def test_access_that_ended_in_the_middle_asks_and_a_person_leaves_the_rest(
    sandbox, leaving, delivered, client, owner
):
    Connection.objects.filter(pk=leaving.pk).update(refreshed_at=timezone.now() - timedelta(minutes=2))
    sandbox.oauth.revoke_all()

    run = restore_connection(leaving.pk)

    assert (run.state, run.skipped) == (DeliveryRunState.HALTED, 0)
    assert get_place(leaving) == STILL_THERE
    for number in (len(delivered) - 1, 0):
        with pytest.raises(DisconnectRefused, match=f"The number of mailboxes is now {len(delivered)}"):
            leave_as_they_are(leaving, number=number, actor="dana@acme.example")
    assert get_place(leaving) == STILL_THERE
    client.force_login(owner)
    page = client.get(reverse("integrations:outreach", args=[leaving.domain.name])).content.decode()
    assert f"Leave {len(delivered)} mailboxes as they are and disconnect" in " ".join(page.split())
    address = reverse("integrations:outreach_leave_originals", args=[leaving.domain.name])
    client.post(address, {"number": len(delivered)})
    leaving.refresh_from_db()
    assert leaving.disconnect_step == DisconnectStep.REVOKING
    act = LedgerEntry.objects.get(action="originals left")
    assert (act.actor_label, act.detail) == (owner.email, f"{len(delivered)} mailboxes left as they are")
    leaving.refresh_from_db()
    assert continue_disconnect(leaving.pk) is True
    left = Receipt.objects.get().content["originals"]["left_as_they_are"]
    assert {each["id"] for each in left} == set(delivered)
    assert {each["why"] for each in left} == {f"Left as it is, as {owner.email} decided."}


def test_a_waiting_restore_offers_no_continue_and_can_be_left(sandbox, leaving, delivered, client, owner):
    sandbox.faults.add("unavailable", times=None, path="/api/v2/*")
    run = restore_connection(leaving.pk)
    client.force_login(owner)

    page = client.get(reverse("integrations:outreach", args=[leaving.domain.name])).content.decode()
    run_page = client.get(reverse("signatures:delivery_run", args=[leaving.domain.name, run.pk]))

    assert "It continues automatically at" in page
    assert "Try 24 mailboxes again" not in page
    assert f"Leave {len(delivered)} mailboxes as they are and disconnect" in " ".join(page.split())
    assert "Continue with" not in run_page.content.decode()
    with pytest.raises(DeliveryBlocked, match="belongs to a disconnect"):
        stop_delivery(run, actor="test")


def test_a_halted_restore_can_be_continued_on_both_pages_and_the_owners_are_told(
    sandbox, leaving, before, delivered, client, owner
):
    sandbox.faults.add("forbidden", times=None, **WRITES)
    run = restore_connection(leaving.pk)
    assert run.state == DeliveryRunState.HALTED
    client.force_login(owner)

    page = client.get(reverse("integrations:outreach", args=[leaving.domain.name])).content.decode()
    run_page = client.get(reverse("signatures:delivery_run", args=[leaving.domain.name, run.pk]))
    watch_connections()

    assert "Stopped: a decision is needed" in page
    assert f"Try {len(delivered)} mailboxes again" in page
    assert "disabled" not in run_page.content.decode().partition("Continue with")[0][-120:]
    assert Notice.objects.get(connection=leaving).kind == "halted"
    sandbox.faults.clear()
    client.post(reverse("signatures:delivery_resume", args=[leaving.domain.name, run.pk]))
    carry_out_restore(run.pk)  # what was not reached before the halt
    run = DeliveryRun.objects.get(pk=run.pk)
    if run.state == DeliveryRunState.HALTED:  # those that refused then, once everything else was reached
        client.post(reverse("signatures:delivery_resume", args=[leaving.domain.name, run.pk]))
        carry_out_restore(run.pk)
    assert_all_back(sandbox, leaving, before)


def test_a_restore_of_one_sender_never_counts_as_the_restore_of_everybody(sandbox, ready, before, delivered):
    sender = Sender.objects.get(
        person__remote_id=Mailbox.objects.get(remote_id=delivered[0]).person_remote_id
    )
    only = start_restore(ready, actor="test", only_sender=sender)
    request_disconnect(ready, restores=True, actor="test")

    carry_out_restore(only.pk)

    assert get_place(ready) == STILL_THERE
    run = restore_connection(ready.pk)
    assert run.pk != only.pk
    assert_all_back(sandbox, ready, before)
    with pytest.raises(DeliveryBlocked):
        start_restore(ready, actor="test", only_sender=sender)


@pytest.mark.parametrize(
    "state", [DeliveryRunState.QUEUED, DeliveryRunState.WAITING, DeliveryRunState.HALTED]
)
def test_an_earlier_restore_that_did_not_end_is_in_nobodys_way(sandbox, ready, before, delivered, state):
    sender = Sender.objects.get(
        person__remote_id=Mailbox.objects.get(remote_id=delivered[0]).person_remote_id
    )
    earlier = start_restore(ready, actor="test", only_sender=sender)
    DeliveryRun.objects.filter(pk=earlier.pk).update(state=state)
    request_disconnect(ready, restores=True, actor="test")

    restore_connection(ready.pk)

    earlier.refresh_from_db()
    assert earlier.state == DeliveryRunState.SKIPPED
    assert_all_back(sandbox, ready, before)


@pytest.mark.parametrize("state", [DeliveryRunState.FAILED, DeliveryRunState.SKIPPED])
def test_a_restore_that_ended_otherwise_is_made_anew(sandbox, leaving, before, delivered, state):
    """As an earlier version of the portal may have left it."""
    run = start_restore(leaving, actor="test")
    reason = "An internal error stopped this run."
    Delivery.objects.filter(run=run).update(state="skipped", reason=reason, active_key=None)
    DeliveryRun.objects.filter(pk=run.pk).update(state=state, skipped=run.planned)

    assert restore_connection(leaving.pk).pk != run.pk

    assert_all_back(sandbox, leaving, before)


def test_access_already_lost_is_no_reason_to_leave_silently(ready, delivered):
    Connection.objects.filter(pk=ready.pk).update(state=ConnectionState.LOST)
    ready.refresh_from_db()

    with pytest.raises(DisconnectRefused, match="no original can be restored"):
        request_disconnect(ready, restores=True, actor="test")

    ready.refresh_from_db()
    assert ready.state == ConnectionState.LOST
    request_disconnect(ready, restores=False, actor="test")
    act = LedgerEntry.objects.get(action="disconnect requested")
    assert act.detail == f"without restoring, {len(delivered)} mailboxes"


def test_a_permission_that_is_off_asks_and_can_be_switched_on_while_leaving(
    sandbox, ready, before, delivered, client, owner
):
    switch_off(ready, "mailboxes.all", actor="dana@acme.example", reason="The audit is open")
    leaving = request_disconnect(ready, restores=True, actor="dana@acme.example")

    run = restore_connection(leaving.pk)

    assert (run.state, "switched off here" in run.cause) == (DeliveryRunState.HALTED, True)
    assert get_place(leaving) == STILL_THERE
    client.force_login(owner)
    switch = reverse("integrations:outreach_switch", args=[leaving.domain.name, "mailboxes.all"])
    assert client.get(switch).status_code == 200
    switch_on(leaving, "mailboxes.all", actor="dana@acme.example", reason="It is closed")
    run = carry_out_restore(resume_delivery(run, actor="dana@acme.example").pk)
    assert run.state == DeliveryRunState.COMPLETE
    assert_all_back(sandbox, leaving, before)
    with pytest.raises(SwitchRefused):
        switch_off(leaving, "mailboxes.all", actor="dana@acme.example", reason="Too late")
