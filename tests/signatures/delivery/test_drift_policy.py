"""What a group's policy does with an edit in Outreach by itself, when, and what it never touches."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from django_q.models import OrmQ

from integrations.models import Connection, LedgerEntry
from portal.models import Domain
from signatures import tasks
from signatures.delivery import automatic
from signatures.delivery.deliver import carry_out
from signatures.delivery.digest import digest
from signatures.delivery.drift_policy import follow_policies
from signatures.delivery.left_alone import leave_alone
from signatures.delivery.planning import plan_delivery
from signatures.delivery.runs import start_delivery
from signatures.delivery.status import refresh_states
from signatures.models import (
    AUTOMATIC,
    Brand,
    DeliveryRun,
    DeliveryRunState,
    DeliverySettings,
    Group,
    LeftAlone,
    LeftAloneWhy,
    MailboxState,
)
from signatures.releases.publish import publish
from tests.support.deliveries import get_delivered, get_held, get_writes
from tests.support.hand_edits import (
    MINE,
    edit,
    get_state,
    pass_hours,
    pick_mailboxes,
    set_policy,
    sync_mailboxes,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def boxes(sandbox, ready, deliver):
    """Two delivered mailboxes of different groups, each edited by hand and read."""
    mine, theirs = pick_mailboxes(get_delivered(deliver()))
    edit(sandbox, mine)
    edit(sandbox, theirs)
    sync_mailboxes(ready)
    sandbox.requests.clear()
    return mine, theirs


def sweep() -> None:
    """What runs each minute, and the tasks it queues for deliveries."""
    tasks.sweep_deliveries()
    for queued in OrmQ.objects.all():
        if queued.task["func"] == "signatures.tasks.deliver_signatures":
            tasks.deliver_signatures(**queued.task["kwargs"])
    OrmQ.objects.all().delete()


def test_a_signature_that_is_put_back_as_it_was_before_our_write_is_an_edit(sandbox, ready, deliver):
    sync_mailboxes(ready)
    before = get_held(sandbox)
    mine, theirs = pick_mailboxes(get_delivered(deliver()))
    edit(sandbox, mine, before[mine])  # so that the mirror's row stays as it is

    sync_mailboxes(ready)

    assert (get_state(mine).status, get_state(theirs).status) == ("edited", "up_to_date")


def test_an_edit_is_seen_within_one_mailbox_sync(sandbox, ready, deliver):
    mine, theirs = pick_mailboxes(get_delivered(deliver()))
    edit(sandbox, mine)
    edit(sandbox, theirs, "")

    sync_mailboxes(ready)

    edited = MailboxState.objects.filter(status__in=["edited", "emptied"])
    assert dict(edited.values_list("mailbox__remote_id", "status")) == {mine: "edited", theirs: "emptied"}


@pytest.mark.parametrize("policy", ["report", "ask"])
def test_a_policy_that_only_tells_changes_nothing_however_old_the_edit(sandbox, ready, boxes, policy):
    set_policy(boxes[0], policy, hours=0)
    pass_hours(1000)

    sweep()
    sync_mailboxes(ready)

    assert (get_writes(sandbox), LeftAlone.objects.count()) == ([], 0)
    assert get_state(boxes[0]).status == "edited"


def test_replace_writes_ours_after_the_grace_period_to_exactly_these_mailboxes(sandbox, ready, boxes):
    mine, theirs = boxes
    set_policy(mine, "replace", hours=24)
    pass_hours(23.9)
    sweep()
    sync_mailboxes(ready)
    early = get_writes(sandbox)

    pass_hours(0.2)
    sweep()
    sweep()

    run = DeliveryRun.objects.latest("pk")
    assert early == []
    assert get_writes(sandbox) == [mine]
    assert (run.started_by_label, run.overwrites_edits, get_delivered(run)) == (AUTOMATIC, True, {mine})
    assert (get_state(mine).status, get_state(theirs).status) == ("up_to_date", "edited")
    assert get_held(sandbox)[theirs] == MINE


def test_an_edit_that_an_open_run_holds_is_left_to_it_and_others_are_replaced(
    sandbox, ready, boxes, domain, monkeypatch
):
    mine, theirs = boxes
    for mailbox_id in boxes:
        set_policy(mailbox_id, "replace", hours=0)
    # One goes without asking: the edit that the run holds does not count.
    monkeypatch.setattr(automatic, "NEVER_ASKS", 1)
    DeliverySettings.objects.create(domain=domain, automatic_cap_percent=1)
    plan = plan_delivery(domain, actor="test", overwrite_edits=True, mailbox_ids=[mine])
    run = start_delivery(plan, actor="test")
    DeliveryRun.objects.filter(pk=run.pk).update(state=DeliveryRunState.HALTED)
    pass_hours(1)

    sweep()
    sweep()

    run.refresh_from_db()
    assert get_writes(sandbox) == [theirs]
    assert (run.state, get_state(mine).status) == (DeliveryRunState.HALTED, "edited")


def test_an_edit_kept_until_a_day_is_an_edit_again_on_that_day(sandbox, ready, boxes):
    mine, theirs = boxes
    for mailbox_id, days in ((mine, 1), (theirs, 3)):
        held = [(mailbox_id, f"{mailbox_id}@acme.example", digest(MINE))]
        until = timezone.now() + timedelta(days=days)
        leave_alone(ready, held, why=LeftAloneWhy.KEPT, actor="dana@acme.example", until=until)
    refresh_states(ready)
    sweep()
    kept = get_state(mine).status

    with time_machine.travel(timezone.now() + timedelta(days=2), tick=True):
        refresh_states(ready)
        by_time = get_state(mine).status  # whatever the sweep does
        sweep()
        again, still = get_state(mine).status, get_state(theirs).status

    assert (kept, by_time, again, still) == ("left_alone", "edited", "edited", "left_alone")
    assert list(LeftAlone.objects.values_list("mailbox_remote_id", flat=True)) == [theirs]
    assert (get_writes(sandbox), get_held(sandbox)[mine]) == ([], MINE)


def test_another_edit_begins_a_grace_period_of_its_own(sandbox, ready, boxes):
    set_policy(boxes[0], "replace", hours=24)
    pass_hours(25)
    Domain.objects.update(automatic_delivery=False)
    edit(sandbox, boxes[0], "<p>Second thoughts</p>")
    sync_mailboxes(ready)
    Domain.objects.update(automatic_delivery=True)

    sweep()

    assert get_writes(sandbox) == []


def test_an_edit_that_no_sync_has_read_is_never_overwritten(sandbox, ready, boxes):
    set_policy(boxes[0], "replace", hours=24)
    pass_hours(25)
    edit(sandbox, boxes[0], "<p>A minute ago</p>")

    sweep()
    sweep()

    assert get_writes(sandbox) == []
    assert get_held(sandbox)[boxes[0]] == "<p>A minute ago</p>"
    assert DeliveryRun.objects.filter(overwrites_edits=True).count() == 1


@pytest.mark.parametrize("change", [{"drift_policy": "report"}, {"drift_grace_hours": 48}])
def test_a_policy_changed_before_the_write_writes_nothing(sandbox, ready, boxes, change):
    group = set_policy(boxes[0], "replace", hours=24)
    pass_hours(25)
    run = follow_policies(ready)
    Group.objects.filter(pk=group.pk).update(**change)

    carry_out(run.pk)

    assert get_writes(sandbox) == []
    assert get_held(sandbox)[boxes[0]] == MINE


def test_automatic_delivery_switched_off_before_the_write_writes_nothing(sandbox, ready, boxes):
    set_policy(boxes[0], "replace", hours=24)
    pass_hours(25)
    run = follow_policies(ready)
    Domain.objects.update(automatic_delivery=False)

    ended = carry_out(run.pk)

    assert (ended.state, get_writes(sandbox)) == ("skipped", [])


@pytest.mark.parametrize(
    ("model", "change"),
    [
        (Connection, {"paused_at": "2026-01-01T00:00:00Z"}),
        (Connection, {"mode": "dry_run"}),
        (Domain, {"automatic_delivery": False}),
    ],
)
def test_nothing_is_replaced_while_it_may_not_be(sandbox, ready, boxes, model, change):
    set_policy(boxes[0], "replace", hours=1)
    pass_hours(2)
    model.objects.update(**change)

    sweep()

    assert (get_writes(sandbox), DeliveryRun.objects.filter(overwrites_edits=True).count()) == ([], 0)


def test_what_the_live_release_changes_waits_for_its_rollout(sandbox, ready, boxes, domain):
    set_policy(boxes[0], "replace", hours=1)
    pass_hours(2)
    Brand.objects.update_or_create(domain=domain, defaults={"name": "Renamed"})
    publish(domain, actor="test")

    sweep()

    assert get_writes(sandbox) == []


def test_more_edits_than_the_domain_lets_through_wait_as_one_plan(sandbox, ready, deliver, domain):
    DeliverySettings.objects.update_or_create(domain=domain, defaults={"automatic_cap_percent": 1})
    delivered = sorted(get_delivered(deliver()), key=int)[:7]
    for mailbox in delivered:
        edit(sandbox, mailbox)
    sync_mailboxes(ready)
    Group.objects.update(drift_policy="replace", drift_grace_hours=0)
    sandbox.requests.clear()

    sweep()
    sweep()

    plan = DeliveryRun.objects.get(overwrites_edits=True)
    assert (plan.state, plan.planned, get_writes(sandbox)) == ("planned", 7, [])


def test_adopt_keeps_the_edit_as_an_exception_once_and_says_who(sandbox, ready, boxes):
    mine, theirs = boxes
    set_policy(mine, "adopt", hours=24)
    pass_hours(23.9)
    sweep()
    early = LeftAlone.objects.count()

    pass_hours(0.2)
    sweep()
    sweep()

    kept = LeftAlone.objects.get()
    acts = LedgerEntry.objects.filter(action="mailbox edit kept")
    assert early == 0
    assert (kept.mailbox_remote_id, kept.why, kept.decided_by_label, kept.until) == (
        mine,
        "kept",
        AUTOMATIC,
        None,
    )
    assert [(act.object_ref, act.actor_label) for act in acts] == [(kept.mailbox_email, AUTOMATIC)]
    assert (get_state(mine).status, get_state(theirs).status) == ("left_alone", "edited")
    assert (get_writes(sandbox), get_held(sandbox)[mine]) == ([], MINE)


def test_a_pass_that_dies_between_plan_and_start_is_taken_up_by_the_next(sandbox, ready, boxes, monkeypatch):
    set_policy(boxes[0], "replace", hours=1)
    pass_hours(2)
    with monkeypatch.context() as patched:
        patched.setattr("signatures.delivery.drift_policy.start_delivery", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            follow_policies(ready)

    sweep()

    assert get_writes(sandbox) == [boxes[0]]
    assert DeliveryRun.objects.filter(overwrites_edits=True).count() == 1


def test_a_pass_that_dies_while_it_adopts_leaves_nothing_half_done(sandbox, ready, boxes, monkeypatch):
    set_policy(boxes[0], "adopt", hours=1)
    pass_hours(2)
    with monkeypatch.context() as patched:
        patched.setattr("signatures.delivery.drift_policy.refresh_states", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            follow_policies(ready)
    halfway = (LeftAlone.objects.count(), get_state(boxes[0]).status)

    sweep()

    assert halfway == (0, "edited")
    assert (LeftAlone.objects.count(), get_state(boxes[0]).status) == (1, "left_alone")
