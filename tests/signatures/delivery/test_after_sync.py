"""After a sync: senders follow, and what changed is delivered where a person has delivered before."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import Count
from django.utils import timezone
from django_q.models import OrmQ

from integrations.disconnect.steps import request_disconnect
from integrations.models import Connection, Mailbox, SyncKind, SyncRun
from integrations.sync import runs
from portal.models import Domain
from signatures.delivery import automatic
from signatures.delivery.planning import plan_delivery
from signatures.delivery.restore_originals import carry_out_restore, start_restore
from signatures.delivery.runs import give_up, start_delivery
from signatures.models import (
    DeliveryRun,
    DeliveryRunState,
    DeliverySettings,
    Following,
    Group,
    MailboxState,
    Sender,
)
from signatures.tasks import deliver_signatures, follow_sync, restore_signatures, sweep_deliveries
from tests.support.deliveries import get_held, get_writes

pytestmark = pytest.mark.django_db(transaction=True)


def read(connection: Connection, kind: SyncKind = SyncKind.CHANGES) -> SyncRun:
    return runs.carry_out(runs.request_sync(connection, kind=kind, actor="test").pk)


def read_and_follow(connection: Connection) -> None:
    follow_sync(run_id=read(connection).pk)


def get_queued() -> list[tuple[str, dict]]:
    return [(entry.task["func"], entry.task["kwargs"]) for entry in OrmQ.objects.all()]


def test_a_completed_sync_queues_its_following_with_ids_only(ready):
    OrmQ.objects.all().delete()

    run = read(ready)

    assert get_queued() == [("signatures.tasks.follow_sync", {"run_id": run.pk})]


def test_first_delivery_is_never_automatic(sandbox, ready):
    read_and_follow(ready)

    assert not DeliveryRun.objects.exists()
    assert get_writes(sandbox) == []


def test_changed_title_reaches_its_mailbox_with_nobody_clicking(sandbox, ready, deliver):
    first = deliver()
    read_and_follow(ready)
    mailbox_id = first.deliveries.filter(state="delivered").first().mailbox_remote_id
    owner = sandbox.directory.mailboxes[int(mailbox_id)].user_id
    sandbox.directory.set_title(owner, "Chief Lamplighter")
    sandbox.requests.clear()

    read_and_follow(ready)

    run = DeliveryRun.objects.first()
    assert "Chief Lamplighter" in get_held(sandbox)[mailbox_id]
    assert set(get_writes(sandbox)) == {str(mailbox.id) for mailbox in sandbox.directory.mailboxes_of(owner)}
    assert (run.started_by_label, run.state) == ("schedule", DeliveryRunState.COMPLETE)


def test_after_an_incomplete_sync_senders_follow_and_nothing_is_delivered_until_it_is_mended(
    sandbox, ready, deliver
):
    deliver()
    read_and_follow(ready)
    changed = Sender.objects.filter(is_active=True).select_related("person").first()
    sandbox.directory.set_title(int(changed.person.remote_id), "Chief Lamplighter")
    odd = next(number for number in sandbox.directory.users if str(number) != changed.person.remote_id)
    sandbox.faults.add("set_field", path="/api/v2/users", record=odd, field="email", value=None, times=None)
    sandbox.requests.clear()

    incomplete = read(ready, SyncKind.FULL)
    follow_sync(run_id=incomplete.pk)
    again = read(ready, SyncKind.PEOPLE)
    follow_sync(run_id=again.pk)
    OrmQ.objects.all().delete()
    sweep_deliveries()

    assert (incomplete.state, again.state, get_writes(sandbox)) == ("incomplete", "incomplete", [])
    assert Sender.objects.select_related("person").get(pk=changed.pk).person.title == "Chief Lamplighter"
    assert DeliveryRun.objects.count() == 1

    sandbox.faults.clear()
    mended = read(ready, SyncKind.FULL)
    follow_sync(run_id=mended.pk)

    theirs = sandbox.directory.mailboxes_of(int(changed.person.remote_id))
    assert mended.state == "complete"
    assert set(get_writes(sandbox)) == {str(mailbox.id) for mailbox in theirs}


def test_new_person_gets_a_signature_with_nobody_clicking(sandbox, ready, deliver):
    deliver()
    user = sandbox.directory.add_user("nia.park@acme.example", "Nia", "Park")
    mailbox = next(iter(sandbox.directory.mailboxes_of(user.id)), None) or sandbox.directory.add_mailbox(
        user.id, "nia.park@acme.example"
    )

    read_and_follow(ready)

    assert "Nia" in get_held(sandbox)[str(mailbox.id)]


def test_everybody_whose_title_changed_gets_it_once_whatever_the_order_of_their_names(
    sandbox, ready, deliver, monkeypatch
):
    monkeypatch.setattr(automatic, "CHUNK", 2)
    delivered = set(deliver().deliveries.filter(state="delivered").values_list("sender", flat=True))
    senders = list(Sender.objects.filter(pk__in=delivered).order_by("-pk").select_related("person")[:5])
    for number, sender in enumerate(senders):  # the later the row, the earlier the name
        user = int(sender.person.remote_id)
        sandbox.directory.update("users", user, first_name=f"A{number}", last_name="Zed")
    sandbox.requests.clear()

    read_and_follow(ready)

    mailboxes = Mailbox.objects.filter(person_remote_id__in=[one.person.remote_id for one in senders])
    written = mailboxes.filter(is_editable=True).values_list("remote_id", flat=True)
    assert sorted(get_writes(sandbox)) == sorted(written)
    assert DeliveryRun.objects.filter(started_by_label="schedule").count() == 1


def test_whom_a_release_never_reached_is_not_reached_by_a_changed_title(sandbox, ready, deliver):
    first, other = Sender.objects.filter(is_active=True, mailbox_states__status="never").order_by("pk")[:2]
    DeliverySettings.objects.create(domain=ready.domain, automatic_cap_percent=100)
    deliver(sender_ids=[first.pk])
    sandbox.requests.clear()
    sandbox.directory.set_title(int(other.person.remote_id), "Chief Lamplighter")

    read_and_follow(ready)

    assert get_writes(sandbox) == []
    assert MailboxState.objects.filter(sender=first, status="up_to_date").exists()
    assert MailboxState.objects.filter(sender=other, status="never").exists()


def test_sync_that_shows_our_own_writes_leads_to_no_delivery(sandbox, ready, deliver):
    deliver()
    sandbox.requests.clear()

    read_and_follow(ready)
    read_and_follow(ready)

    assert DeliveryRun.objects.count() == 1
    assert get_writes(sandbox) == []


@pytest.mark.parametrize("switch", ["automatic_delivery", "paused"])
def test_nothing_is_delivered_automatically_where_it_is_switched_off(sandbox, ready, deliver, domain, switch):
    deliver()
    if switch == "paused":
        Connection.objects.filter(pk=ready.pk).update(paused_at=timezone.now())
    else:
        Domain.objects.filter(pk=domain.pk).update(automatic_delivery=False)
    sandbox.directory.set_title(next(iter(sandbox.directory.users)), "Chief Lamplighter")
    sandbox.requests.clear()

    read_and_follow(ready)

    assert get_writes(sandbox) == []


@pytest.mark.parametrize("state", [DeliveryRunState.WAITING, DeliveryRunState.HALTED])
def test_new_values_wait_for_an_open_run_of_the_same_mailboxes_and_for_no_other(
    sandbox, ready, deliver, domain, state
):
    deliver()
    read_and_follow(ready)
    delivered = Sender.objects.filter(mailbox_states__status="up_to_date").select_related("person")
    boxes = delivered.annotate(boxes=Count("mailbox_states"))
    held, free = boxes.filter(boxes=2).order_by("pk")[0], boxes.filter(boxes=1).order_by("pk")[0]
    DeliverySettings.objects.create(domain=domain, automatic_cap_percent=100)
    Domain.objects.filter(pk=domain.pk).update(automatic_delivery=False)
    for sender in (held, free):
        sandbox.directory.set_title(int(sender.person.remote_id), "Chief Lamplighter")
    read_and_follow(ready)
    mine, second = (str(box.id) for box in sandbox.directory.mailboxes_of(int(held.person.remote_id)))
    (theirs,) = (str(box.id) for box in sandbox.directory.mailboxes_of(int(free.person.remote_id)))
    open_run = start_delivery(plan_delivery(domain, actor="test", mailbox_ids=[mine]), actor="test")
    DeliveryRun.objects.filter(pk=open_run.pk).update(
        state=state, resume_at=timezone.now() + timedelta(hours=1)
    )
    Domain.objects.filter(pk=domain.pk).update(automatic_delivery=True)
    sandbox.requests.clear()

    read_and_follow(ready)
    beside = get_writes(sandbox)
    open_run.refresh_from_db()
    still_open = open_run.state
    give_up([open_run.pk], "Over.")
    read_and_follow(ready)

    assert still_open == state
    assert sorted(beside) == sorted([second, theirs])
    assert sorted(get_writes(sandbox)) == sorted([mine, second, theirs])


@pytest.mark.parametrize("kind", [SyncKind.MAILBOXES, SyncKind.FULL])
def test_mailbox_withdrawn_for_a_delivery_and_shared_again_before_the_sync_needs_nobody(
    sandbox, ready, domain, deliver, kind
):
    open_mailboxes = MailboxState.objects.filter(status="never").order_by("pk").select_related("mailbox")
    back, still = (state.mailbox.remote_id for state in open_mailboxes[:2])
    for mailbox_id in (back, still):
        sandbox.directory.set_editable(int(mailbox_id), False)
    deliver()

    def get_statuses() -> list[tuple[str, str]]:
        rows = [MailboxState.objects.get(mailbox__remote_id=each) for each in (back, still)]
        return [(row.status, row.reason_code) for row in rows]

    refused = get_statuses()
    sandbox.directory.set_editable(int(back), True)
    sandbox.requests.clear()

    follow_sync(run_id=read(ready, kind).pk)

    assert refused == [("action_needed", "not_editable")] * 2
    assert get_statuses() == [("up_to_date", ""), ("action_needed", "not_editable")]
    assert get_writes(sandbox) == [back]


def test_sync_whose_task_was_lost_is_made_up_for_by_the_next(sandbox, ready):
    read_and_follow(ready)
    user = next(user for user in sandbox.directory.users.values() if not user.locked)
    sandbox.directory.set_title(user.id, "Chief Lamplighter")
    sandbox.directory.set_locked(user.id)
    read(ready)  # its task is lost

    read_and_follow(ready)

    assert Sender.objects.get(person__remote_id=str(user.id)).is_active is False


def test_renamed_team_changes_its_group_and_everybody_in_it(sandbox, ready):
    read_and_follow(ready)
    group = Group.objects.filter(senders__is_active=True).exclude(is_default=True).first()
    before = dict(Sender.objects.values_list("pk", "changed_at"))
    sandbox.directory.update("teams", int(group.follows_team_id), name="Night Shift")

    read_and_follow(ready)

    group.refresh_from_db()
    changed = {pk for pk, at in Sender.objects.values_list("pk", "changed_at") if before[pk] != at}
    assert group.name == "Night Shift"
    assert changed == set(Sender.objects.filter(group=group).values_list("pk", flat=True))


def test_doubled_tasks_change_nothing(sandbox, ready, deliver):
    run = deliver()
    sandbox.requests.clear()

    deliver_signatures(run_id=run.pk)
    restore_signatures(connection_id=str(ready.pk))

    assert list(sandbox.requests) == []


def make_old(run: DeliveryRun) -> None:
    DeliveryRun.objects.filter(pk=run.pk).update(queued_at=timezone.now() - timedelta(minutes=1))


def test_sweep_finds_unclaimed_lapsed_and_waiting_deliveries_and_no_others(ready, domain, other_domain):
    ours = start_delivery(plan_delivery(domain, actor="test"), actor="test")
    OrmQ.objects.all().delete()

    def sweep() -> list[int]:
        OrmQ.objects.all().delete()
        sweep_deliveries()
        return [ids["run_id"] for name, ids in get_queued() if name == "signatures.tasks.deliver_signatures"]

    found = {"fresh": sweep()}
    make_old(ours)
    found["unclaimed"] = sweep()
    now, ago, ahead = timezone.now(), timedelta(minutes=-1), timedelta(minutes=1)
    for label, state, lease, resume in [
        ("held", "running", now + ahead, None),
        ("lapsed", "running", now + ago, None),
        ("not due", "waiting", None, now + ahead),
        ("due", "waiting", None, now + ago),
        ("halted", "halted", None, None),
    ]:
        DeliveryRun.objects.filter(pk=ours.pk).update(state=state, lease_until=lease, resume_at=resume)
        found[label] = sweep()

    assert found == {
        "fresh": [], "unclaimed": [ours.pk], "held": [], "lapsed": [ours.pk], "not due": [], "due": [ours.pk],
        "halted": [],
    }  # fmt: skip


def test_sweep_finds_the_restore_of_a_connection_that_is_leaving(ready, deliver):
    deliver()
    request_disconnect(ready, restores=True, actor="test")
    OrmQ.objects.all().delete()

    sweep_deliveries()

    assert ("signatures.tasks.restore_signatures", {"connection_id": str(ready.pk)}) in get_queued()


def test_sweep_leaves_a_restore_that_is_being_made_and_begins_an_abandoned_one_anew(sandbox, ready, deliver):
    before = get_held(sandbox)
    deliver()
    request_disconnect(ready, restores=True, actor="test")
    making = DeliveryRun.objects.create(
        domain=ready.domain,
        connection=ready,
        kind="restore",
        state=DeliveryRunState.PLANNING,
        started_by_label="test",
    )

    def sweep() -> list[str]:
        OrmQ.objects.all().delete()
        sweep_deliveries()
        return [name for name, _ in get_queued()]

    while_being_made = sweep()
    DeliveryRun.objects.filter(pk=making.pk).update(created_at=timezone.now() - timedelta(minutes=10))
    when_abandoned = sweep()
    restore_signatures(connection_id=str(ready.pk))

    assert (while_being_made, when_abandoned) == ([], ["signatures.tasks.restore_signatures"])
    assert list(DeliveryRun.objects.filter(kind="restore").values_list("state", flat=True)) == ["complete"]
    assert get_held(sandbox) == before


def test_sweep_finds_a_sync_that_nobody_followed(ready):
    run = read(ready)
    SyncRun.objects.filter(pk=run.pk).update(finished_at=timezone.now() - timedelta(minutes=5))
    OrmQ.objects.all().delete()

    sweep_deliveries()
    queued = get_queued()
    OrmQ.objects.all().delete()
    follow_sync(run_id=run.pk)
    sweep_deliveries()

    assert queued == [("signatures.tasks.follow_sync", {"run_id": run.pk})]
    assert get_queued() == []
    assert Following.objects.get(connection=ready).senders_until == run.started_at


def test_sweep_gives_up_halted_runs_of_a_connection_that_is_over_and_no_others(ready, domain, other_domain):
    theirs = Connection.objects.create(domain=other_domain, scopes_granted=[])
    halted = {
        connection.domain.name: DeliveryRun.objects.create(
            domain=connection.domain,
            connection=connection,
            state=DeliveryRunState.HALTED,
            started_by_label="test",
        )
        for connection in (ready, theirs)
    }
    Connection.objects.filter(pk=ready.pk).update(state="disconnected")

    sweep_deliveries()

    states = {name: DeliveryRun.objects.get(pk=run.pk).state for name, run in halted.items()}
    assert states == {domain.name: "skipped", other_domain.name: "halted"}


def test_mailbox_that_was_given_back_stays_so_until_a_person_says_otherwise(sandbox, ready, deliver):
    before = get_held(sandbox)
    row = deliver().deliveries.filter(state="delivered").select_related("sender").first()
    read_and_follow(ready)
    carry_out_restore(start_restore(ready, actor="test", only_sender=row.sender).pk)
    sandbox.directory.set_title(int(row.person_remote_id), "Chief Lamplighter")

    read_and_follow(ready)
    automatic = get_held(sandbox)[row.mailbox_remote_id]
    plain = deliver()
    left_alone = get_held(sandbox)[row.mailbox_remote_id]
    deliver(overwrite_left_alone=True)

    assert automatic == left_alone == before[row.mailbox_remote_id]
    assert plain.deliveries.get(mailbox_remote_id=row.mailbox_remote_id).reason_code == "left_alone"
    assert "Chief Lamplighter" in get_held(sandbox)[row.mailbox_remote_id]
