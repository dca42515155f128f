"""Nothing is written to a person who may be locked, nor to a mailbox that may not be ours to edit."""

from __future__ import annotations

import pytest
from django.urls import reverse

from signatures.delivery.deliver import carry_out
from signatures.delivery.mailbox_judgement import EDITABLE_UNKNOWN, LOCK_UNKNOWN
from signatures.delivery.planning import plan_delivery
from signatures.delivery.restore_originals import carry_out_restore, start_restore
from signatures.delivery.runs import start_delivery
from signatures.models import Delivery, DeliveryState, MailboxStatus, Sender
from tests.support.deliveries import get_delivered, get_held, get_writes
from tests.support.hand_edits import edit, get_state, pick_mailboxes

pytestmark = pytest.mark.django_db(transaction=True)

ODD_LOCKS = ["absent", None, "false", 0, {"locked": False}]


def spoil(sandbox, place, field, value, record=None):
    path = f"/api/v2/{place}"
    if value == "absent":
        sandbox.faults.add("drop_field", path=path, field=field, record=record, times=None)
    else:
        sandbox.faults.add("set_field", path=path, field=field, value=value, record=record, times=None)


def boxes_of(sandbox, *people):
    return {str(id) for id, box in sandbox.directory.mailboxes.items() if box.user_id in people}


@pytest.mark.parametrize("value", ODD_LOCKS)
def test_nobody_of_whom_the_lock_is_not_told_becomes_a_sender_that_is_written_to(
    sandbox, connection, deliver, resync, ready, value
):
    sandbox.directory.add_user("new@acme.example", "New", "Colleague", id=900)
    sandbox.directory.add_mailbox(900, "new@acme.example", id=5900)
    spoil(sandbox, "users", "locked", value, record=900)

    resync()
    run = deliver()

    sender = Sender.objects.get(email="new@acme.example")
    assert (sender.is_active, sender.is_lock_unknown) == (False, True)
    assert "5900" not in get_writes(sandbox)
    row = Delivery.objects.get(run=run, mailbox_remote_id="5900")
    assert (row.state, row.reason) == (DeliveryState.REFUSED, LOCK_UNKNOWN.reason)
    assert get_delivered(run) and "5900" not in get_delivered(run)

    sandbox.faults.clear()
    resync()

    assert "5900" in get_delivered(deliver())


@pytest.mark.parametrize("value", ODD_LOCKS)
def test_a_lock_that_is_not_told_any_more_keeps_senders_and_stops_writing(
    sandbox, ready, deliver, resync, domain, value
):
    first = deliver()
    senders = dict(Sender.objects.values_list("pk", "is_active"))
    held = get_held(sandbox)
    for number in sandbox.directory.users:
        sandbox.directory.set_title(number, "Another title")
    spoil(sandbox, "users", "locked", value)
    resync()
    sandbox.requests.clear()

    plan = plan_delivery(domain, actor="test")

    reasons = set(plan.deliveries.values_list("state", "reason_code"))
    assert reasons == {(DeliveryState.REFUSED, "lock_unknown")}
    assert (plan.planned, plan.unchanged, plan.refused) == (
        0,
        0,
        first.delivered + first.unchanged + first.refused,
    )
    assert dict(Sender.objects.values_list("pk", "is_active")) == senders
    assert (get_held(sandbox), get_writes(sandbox)) == (held, [])


def test_an_edit_is_not_overwritten_where_the_lock_is_not_told(sandbox, ready, domain, deliver, resync):
    mine, theirs = pick_mailboxes(get_delivered(deliver()))
    edit(sandbox, mine)
    edit(sandbox, theirs)
    spoil(sandbox, "users", "locked", "absent", record=sandbox.directory.mailboxes[int(mine)].user_id)
    resync()

    plan = plan_delivery(domain, actor="test", overwrite_edits=True)

    assert get_state(mine).status == get_state(theirs).status == MailboxStatus.EDITED
    rows = plan.deliveries.filter(mailbox_remote_id__in=[mine, theirs])
    assert dict(rows.values_list("mailbox_remote_id", "reason_code")) == {mine: LOCK_UNKNOWN.code, theirs: ""}


def test_a_lock_that_is_not_told_since_the_plan_was_made_stops_the_write(sandbox, ready, domain, resync):
    run = plan_delivery(domain, actor="test")
    spoil(sandbox, "users", "locked", "absent", record=6)
    resync()
    sandbox.requests.clear()

    start_delivery(run, actor="test")
    run = carry_out(run.pk)

    theirs = boxes_of(sandbox, 6)
    rows = Delivery.objects.filter(run=run, mailbox_remote_id__in=theirs)
    assert theirs and set(rows.values_list("state", "reason_code")) == {
        (DeliveryState.REFUSED, "lock_unknown")
    }
    assert not theirs & set(get_writes(sandbox))
    assert get_delivered(run) == set(get_writes(sandbox)) != set()


@pytest.mark.parametrize("value", ["absent", None, "true", 1])
def test_a_mailbox_is_not_written_to_until_it_is_told_to_be_editable(sandbox, ready, domain, deliver, value):
    run = plan_delivery(domain, actor="test")
    spoil(sandbox, "mailboxes", "editable", value, record=5002)

    start_delivery(run, actor="test")
    run = carry_out(run.pk)

    row = Delivery.objects.get(run=run, mailbox_remote_id="5002")
    assert (row.state, row.reason) == (DeliveryState.REFUSED, EDITABLE_UNKNOWN.reason)
    assert "5002" not in get_writes(sandbox) and get_writes(sandbox)


def test_the_plan_leaves_out_a_mailbox_that_is_not_told_to_be_editable(sandbox, ready, resync, domain):
    spoil(sandbox, "mailboxes", "editable", "absent", record=5002)
    resync()

    plan = plan_delivery(domain, actor="test")

    assert list(plan.deliveries.filter(reason_code="editable_unknown").values_list("mailbox_remote_id")) == [
        ("5002",)
    ]
    assert plan.planned


def test_originals_go_back_whatever_is_not_told(sandbox, ready, deliver, resync):
    before = get_held(sandbox)
    deliver()
    assert get_held(sandbox) != before
    spoil(sandbox, "users", "locked", "absent")
    spoil(sandbox, "mailboxes", "editable", "absent")
    resync()

    run = carry_out_restore(start_restore(ready, actor="test").pk)

    assert (run.state, get_held(sandbox)) == ("complete", before)


def test_the_sender_says_that_the_lock_is_not_known(client, sandbox, ready, resync, owner, domain):
    spoil(sandbox, "users", "locked", None, record=6)
    resync()
    client.force_login(owner)
    page = "signatures:sender"
    senders = {sender.person.remote_id: sender for sender in Sender.objects.select_related("person")}

    six, eight = (client.get(reverse(page, args=[domain.name, senders[id].pk])).content for id in ("6", "8"))

    sentence = b"Outreach did not report whether this person is locked"
    assert (sentence in six, sentence in eight) == (True, False)
