"""Who waits for automatic delivery is looked at when something changed, and not after each sync that found nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.models import Connection, SyncKind
from integrations.sync import runs
from signatures.authoring.templates import assign_template, save_template
from signatures.delivery import automatic
from signatures.delivery.planning import drop_run, plan_delivery
from signatures.delivery.runs import give_up, start_delivery
from signatures.models import (
    AutomaticDelivery,
    DeliveryRun,
    DeliverySettings,
    Following,
    Group,
    MailboxState,
    Sender,
)
from signatures.releases.live import get_live
from signatures.releases.publish import publish, republish
from signatures.tasks import follow_sync
from tests.support.deliveries import get_held, get_writes

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "Chief Lamplighter"


@pytest.fixture
def sync(ready: Connection) -> Callable[[], None]:
    """Read what changed, and follow it as the worker does."""

    def read_and_follow() -> None:
        follow_sync(
            run_id=runs.carry_out(runs.request_sync(ready, kind=SyncKind.CHANGES, actor="test").pk).pk
        )

    return read_and_follow


@pytest.fixture
def retitle(sandbox, ready) -> Callable[[int], list[str]]:
    """Give so many people of one mailbox a new title; return the ids of their mailboxes."""

    def change(number: int) -> list[str]:
        states = MailboxState.objects.filter(sender__is_active=True, mailbox__is_editable=True)
        single = [
            state
            for state in states.exclude(rendered_sha256="").select_related("mailbox", "sender__person")
            if state.sender.mailbox_states.count() == 1
        ]
        for state in single[:number]:
            sandbox.directory.set_title(int(state.sender.person.remote_id), NEW)
        return [state.mailbox.remote_id for state in single[:number]]

    return change


def ask_everybody(domain: Any) -> None:
    Group.objects.filter(domain=domain).update(automatic=AutomaticDelivery.APPROVAL)


def test_a_sync_that_found_nothing_reads_nobody_who_waits(
    domain, deliver, sync, retitle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automatic, "CHUNK", 1)  # so that everybody who is looked at takes queries
    deliver()
    ask_everybody(domain)
    asked = {}
    for number in (1, 6):
        waiting = retitle(number)
        sync()  # looks at them
        with CaptureQueriesContext(database) as queries:
            sync()
        asked[number] = len(queries)

    plan = DeliveryRun.objects.get(state="planned")
    assert set(plan.deliveries.values_list("mailbox_remote_id", flat=True)) == set(waiting)
    assert asked[6] <= asked[1]


def approve(domain: Any) -> None:
    """The groups' values go without asking from now on."""
    Group.objects.filter(domain=domain).update(automatic=AutomaticDelivery.AT_ONCE)


def reach_time(domain: Any) -> None:
    """The groups' values go once a day, and the hour has come."""
    Group.objects.filter(domain=domain).update(
        automatic=AutomaticDelivery.DAILY,
        automatic_at=(timezone.now() - timedelta(minutes=2)).time(),
        automatic_ran_at=timezone.now() - timedelta(days=1),
    )


@pytest.mark.parametrize("event", [approve, reach_time])
def test_what_waits_is_delivered_when_it_need_not_wait_any_more(
    sandbox, domain, deliver, sync, retitle, event: Callable[[Any], None]
) -> None:
    deliver()
    ask_everybody(domain)
    waiting = retitle(3)
    for _ in range(3):
        sync()
    sandbox.requests.clear()

    event(domain)
    sync()

    assert sorted(get_writes(sandbox)) == sorted(waiting)
    assert all(NEW in get_held(sandbox)[each] for each in waiting)


def test_what_changes_while_they_are_looked_at_is_seen_by_the_next_sync(
    sandbox, domain, deliver, sync, retitle, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver()
    ask_everybody(domain)
    waiting = retitle(3)
    look = automatic.find_due

    def look_and_approve(*asked: Any) -> Any:
        due = look(*asked)
        approve(domain)
        return due

    monkeypatch.setattr(automatic, "find_due", look_and_approve)
    sandbox.requests.clear()
    sync()
    meanwhile = get_writes(sandbox)
    sync()

    assert (meanwhile, sorted(get_writes(sandbox))) == ([], sorted(waiting))


def test_what_a_run_held_is_delivered_when_the_run_is_over(sandbox, domain, deliver, sync, retitle) -> None:
    deliver()
    ask_everybody(domain)
    waiting = retitle(3)
    sync()
    drop_run(DeliveryRun.objects.get(state="planned"))
    held = start_delivery(plan_delivery(domain, actor="test", mailbox_ids=waiting[:2]), actor="test")
    DeliveryRun.objects.filter(pk=held.pk).update(state="halted")
    approve(domain)
    sandbox.requests.clear()
    for _ in range(3):
        sync()
    beside = get_writes(sandbox)

    give_up([held.pk], "Over.")
    sync()

    assert beside == waiting[2:]
    assert sorted(get_writes(sandbox)) == sorted(waiting)


def test_a_cap_that_is_raised_and_a_person_who_comes_later_are_seen(
    sandbox, domain, deliver, sync, retitle
) -> None:
    deliver()
    waiting = retitle(8)
    for _ in range(3):
        sync()
    plan = DeliveryRun.objects.get(state="planned")
    later = retitle(9)
    sync()
    again = DeliveryRun.objects.get(state="planned")
    sandbox.requests.clear()

    DeliverySettings.objects.create(domain=domain, automatic_cap_percent=100)
    sync()

    assert (plan.planned, again.planned) == (len(waiting), len(later)) == (8, 9)
    assert sorted(get_writes(sandbox)) == sorted(later)


def test_a_plan_that_a_person_discards_is_made_again_by_the_next_sync(domain, deliver, sync, retitle) -> None:
    deliver()
    ask_everybody(domain)
    waiting = retitle(3)
    for _ in range(3):
        sync()
    plan = DeliveryRun.objects.get(state="planned")
    drop_run(plan)

    sync()

    again = DeliveryRun.objects.get(state="planned")
    assert again.pk != plan.pk
    assert set(again.deliveries.values_list("mailbox_remote_id", flat=True)) == set(waiting)


def test_a_release_takes_whom_it_touches_out_of_the_plan_until_it_was_delivered(
    sandbox, domain, deliver, sync, retitle
) -> None:
    deliver()
    ask_everybody(domain)
    waiting = retitle(3)
    for _ in range(3):
        sync()
    for template in domain.templates.all():
        save_template(
            domain, name=template.name, template=template, actor="test",
            source=f"{template.current.source}<p>Second</p>",
        )  # fmt: skip
    publish(domain, actor="test")
    sync()
    plans = list(DeliveryRun.objects.filter(state="planned"))
    approve(domain)
    sandbox.requests.clear()
    for _ in range(2):
        sync()

    assert plans == []
    assert get_writes(sandbox) == []
    assert set(
        MailboxState.objects.filter(status="pending").values_list("mailbox__remote_id", flat=True)
    ) >= set(waiting)


def test_a_value_changed_back_and_changed_again_waits_again(sandbox, domain, deliver, sync, retitle) -> None:
    deliver()
    ask_everybody(domain)
    (mailbox_id,) = retitle(1)
    for _ in range(2):
        sync()
    sender = Sender.objects.select_related("person").get(mailbox_states__mailbox__remote_id=mailbox_id)
    sandbox.directory.set_title(int(sender.person.remote_id), "Keeper")
    for _ in range(2):
        sync()
    before = Following.objects.get().automatic_from
    sandbox.directory.set_title(int(sender.person.remote_id), NEW)
    approve(domain)
    sandbox.requests.clear()

    sync()

    assert before
    assert get_writes(sandbox) == [mailbox_id]


def get_single() -> tuple[Sender, str]:
    """Return a sender with one mailbox that was delivered, and the mailbox's id."""
    for state in MailboxState.objects.filter(status="up_to_date").select_related("mailbox", "sender__person"):
        if state.sender.mailbox_states.count() == 1 and len(state.sender.person.team_ids) == 1:
            return state.sender, state.mailbox.remote_id
    raise AssertionError("nobody")


def change_and_publish(sandbox: Any, domain: Any, owner: Sender, **whose: Any) -> None:
    """Publish another template for the sender or a group; the sender has a new title besides."""
    other = domain.templates.filter(assignments=None).first()
    assign_template(domain, template=other, actor="test", **whose)
    publish(domain, actor="test")
    sandbox.directory.set_title(int(owner.person.remote_id), NEW)
    sandbox.requests.clear()


def test_a_release_that_takes_a_change_back_sets_free_whom_the_change_held(
    sandbox, domain, deliver, sync
) -> None:
    deliver()
    first = get_live(domain)
    sender, mailbox_id = get_single()
    change_and_publish(sandbox, domain, sender, sender=sender)
    for _ in range(3):
        sync()
    held = get_writes(sandbox)

    republish(first, actor="test")
    sync()

    assert (held, get_writes(sandbox)) == ([], [mailbox_id])
    assert NEW in get_held(sandbox)[mailbox_id]


def test_who_moves_to_a_group_that_the_release_left_as_it_was_is_delivered(
    sandbox, domain, deliver, sync
) -> None:
    deliver()
    sender, mailbox_id = get_single()
    (team,) = sender.person.team_ids
    group = Group.objects.get(domain=domain, follows_team_id=team)
    change_and_publish(sandbox, domain, sender, group=group)
    for _ in range(3):
        sync()
    held = get_writes(sandbox)
    elsewhere = Group.objects.exclude(follows_team_id__in=["", team]).first()

    sandbox.directory.move(int(sender.person.remote_id), (int(elsewhere.follows_team_id),))
    sync()

    assert (held, get_writes(sandbox)) == ([], [mailbox_id])


def test_a_mailbox_that_comes_later_is_delivered(sandbox, deliver, sync) -> None:
    deliver()
    sender, _ = get_single()
    for _ in range(3):
        sync()
    sandbox.requests.clear()

    mailbox = sandbox.directory.add_mailbox(int(sender.person.remote_id), "second@acme.example")
    sync()

    assert get_writes(sandbox) == [str(mailbox.id)]


def test_who_came_while_the_first_delivery_to_everybody_ended_is_delivered_after_it(
    sandbox, domain, deliver, sync
) -> None:
    run = deliver()
    sender, _ = get_single()
    DeliveryRun.objects.filter(pk=run.pk).update(
        state="running", lease_until=timezone.now() + timedelta(hours=1)
    )
    earlier = DeliveryRun.objects.create(
        domain=domain, connection=run.connection, state="complete", started_by_label="test"
    )  # a person delivered before
    mailbox = sandbox.directory.add_mailbox(int(sender.person.remote_id), "second@acme.example")
    sandbox.requests.clear()
    for _ in range(2):
        sync()
    meanwhile = get_writes(sandbox)

    DeliveryRun.objects.filter(pk=run.pk).update(state="complete", lease_until=None)
    sync()

    assert (earlier.covers_until, meanwhile, get_writes(sandbox)) == (None, [], [str(mailbox.id)])
