"""Two deliveries side by side: of different groups both go on, and a mailbox is never in both."""

from __future__ import annotations

import pytest

from integrations.models import SyncKind
from portal.models import Domain
from signatures.delivery import automatic
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.deliver import carry_out
from signatures.delivery.planning import plan_delivery
from signatures.delivery.restore_originals import carry_out_restore, start_restore
from signatures.delivery.runs import give_up, start_delivery
from signatures.delivery.stages import Rollout
from signatures.models import (
    AUTOMATIC,
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    DeliverySettings,
    Group,
    Sender,
)
from tests.support.deliveries import get_delivered, get_held, get_writes
from tests.support.hand_edits import sync_mailboxes

pytestmark = pytest.mark.django_db(transaction=True)

STAGED = Rollout(sizes=(1, None), pause_minutes=10)


@pytest.fixture
def groups(ready, domain) -> list[int]:
    """Two groups with mailboxes to deliver to, of which one is waiting between its stages."""
    plan = plan_delivery(domain, actor="test")
    ids = plan.deliveries.filter(state="planned").order_by().values_list("sender__group", flat=True)
    found = [group.pk for group in Group.objects.filter(pk__in=set(ids)).order_by("position", "pk")]
    return found[:2]


def list_planned(run: DeliveryRun) -> set[str]:
    return set(run.deliveries.filter(state="planned").values_list("mailbox_remote_id", flat=True))


def test_runs_of_two_groups_go_on_side_by_side_and_share_no_mailbox(sandbox, domain, groups):
    first = plan_delivery(domain, actor="test", group_ids=groups[:1])
    second = plan_delivery(domain, actor="test", group_ids=groups[1:])
    theirs, ours = list_planned(first), list_planned(second)

    start_delivery(first, actor="test", rollout=STAGED)
    assert carry_out(first.pk).state == DeliveryRunState.WAITING
    start_delivery(second, actor="test")
    done = carry_out(second.pk)

    assert theirs and ours and not theirs & ours
    assert (done.state, get_delivered(done)) == (DeliveryRunState.COMPLETE, ours)
    first.refresh_from_db()
    assert (first.state, first.delivered) == (DeliveryRunState.WAITING, 1)


def test_new_values_of_one_group_go_by_themselves_while_the_other_group_is_rolled_out(
    sandbox, ready, domain, deliver, groups, monkeypatch
):
    deliver()
    Domain.objects.filter(pk=domain.pk).update(automatic_delivery=False)
    people = Sender.objects.filter(group__in=groups, mailbox_states__status="up_to_date")
    for remote_id in people.values_list("person__remote_id", flat=True).distinct():
        sandbox.directory.set_title(int(remote_id), "Chief Lamplighter")
    sync_mailboxes(ready, kind=SyncKind.CHANGES)
    rollout = plan_delivery(domain, actor="test", group_ids=groups[:1])
    theirs = list_planned(rollout)
    start_delivery(rollout, actor="test", rollout=STAGED)
    assert carry_out(rollout.pk).state == DeliveryRunState.WAITING
    ours = list_planned(plan_delivery(domain, actor="test", group_ids=groups[1:]))
    # As many as the free ones go without asking: those that the rollout holds do not count.
    free = Sender.objects.filter(mailbox_states__mailbox__remote_id__in=ours).distinct().count()
    monkeypatch.setattr(automatic, "NEVER_ASKS", free)
    DeliverySettings.objects.create(domain=domain, automatic_cap_percent=1)
    Domain.objects.filter(pk=domain.pk).update(automatic_delivery=True)
    sandbox.requests.clear()

    sync_mailboxes(ready, kind=SyncKind.CHANGES)

    rollout.refresh_from_db()
    assert theirs and ours
    assert sorted(get_writes(sandbox)) == sorted(ours)
    assert (rollout.state, rollout.delivered) == (DeliveryRunState.WAITING, 1)


def test_plan_leaves_out_what_another_run_is_writing_and_says_which(sandbox, domain, groups):
    first = plan_delivery(domain, actor="test", group_ids=groups[:1])
    taken = list_planned(first)
    start_delivery(first, actor="test", rollout=STAGED)
    carry_out(first.pk)

    whole = plan_delivery(domain, actor="test")

    left_out = whole.deliveries.filter(reason_code="in_other_run")
    assert {row.mailbox_remote_id for row in left_out} == taken - get_delivered(first)
    assert f"Delivery {first.pk} is writing to this mailbox" in left_out[0].reason
    before = get_held(sandbox)
    start_delivery(whole, actor="test")
    assert carry_out(whole.pk).state == DeliveryRunState.COMPLETE
    assert {id: get_held(sandbox)[id] for id in taken} == {id: before[id] for id in taken}


def test_starting_a_plan_whose_mailboxes_were_taken_meanwhile_is_refused_with_the_run(
    sandbox, domain, groups
):
    first = plan_delivery(domain, actor="test", group_ids=groups[:1])
    second = plan_delivery(domain, actor="test", group_ids=groups)
    start_delivery(first, actor="test")
    sandbox.requests.clear()

    with pytest.raises(DeliveryBlocked, match=f"in delivery {first.pk}, which is running already"):
        start_delivery(second, actor="test")

    second.refresh_from_db()
    assert second.state == DeliveryRunState.PLANNED
    assert not second.deliveries.exclude(active_key=None).exists()
    assert get_writes(sandbox) == []


def test_run_that_is_given_up_frees_its_mailboxes(sandbox, domain, groups):
    first = plan_delivery(domain, actor="test", group_ids=groups[:1])
    second = plan_delivery(domain, actor="test", group_ids=groups[:1])
    start_delivery(first, actor="test")

    give_up([first.pk], "Over.")

    assert not Delivery.objects.exclude(active_key=None).exists()
    start_delivery(second, actor="test")
    assert carry_out(second.pk).state == DeliveryRunState.COMPLETE


def test_halted_run_of_the_same_mailboxes_is_given_up_and_one_of_others_stays(sandbox, domain, groups):
    runs = [plan_delivery(domain, actor="test", group_ids=[pk]) for pk in groups]
    again = plan_delivery(domain, actor="test", group_ids=groups[:1])
    for run in runs:
        start_delivery(run, actor="test")
        DeliveryRun.objects.filter(pk=run.pk).update(state=DeliveryRunState.HALTED)

    start_delivery(again, actor="test")

    states = [DeliveryRun.objects.get(pk=run.pk).state for run in runs]
    assert states == [DeliveryRunState.SKIPPED, DeliveryRunState.HALTED]


def test_run_that_starts_automatically_gives_no_halted_run_up(sandbox, domain, groups):
    planned = plan_delivery(domain, actor=AUTOMATIC, group_ids=groups[:1])
    halted = start_delivery(plan_delivery(domain, actor="test", group_ids=groups[:1]), actor="test")
    DeliveryRun.objects.filter(pk=halted.pk).update(state=DeliveryRunState.HALTED)
    other = plan_delivery(domain, actor=AUTOMATIC, group_ids=groups[1:])

    with pytest.raises(DeliveryBlocked):
        start_delivery(planned, actor=AUTOMATIC)
    started = start_delivery(other, actor=AUTOMATIC)

    halted.refresh_from_db()
    assert (halted.state, started.state) == (DeliveryRunState.HALTED, DeliveryRunState.QUEUED)


def test_restore_waits_for_a_running_delivery_of_other_mailboxes_and_no_delivery_starts_beside_it(
    sandbox, ready, domain, groups
):
    first = plan_delivery(domain, actor="test", group_ids=groups[:1])
    start_delivery(first, actor="test")
    carry_out(first.pk)
    second = start_delivery(plan_delivery(domain, actor="test", group_ids=groups[1:]), actor="test")
    DeliveryRun.objects.filter(pk=second.pk).update(
        state=DeliveryRunState.RUNNING, lease_until="2100-01-01T00:00Z"
    )

    with pytest.raises(DeliveryBlocked, match="A delivery is running"):
        start_restore(ready, actor="test")

    DeliveryRun.objects.filter(pk=second.pk).update(lease_until="2020-01-01T00:00Z")
    restore = start_restore(ready, actor="test")
    plan = plan_delivery(domain, actor="test", group_ids=groups[1:])
    with pytest.raises(DeliveryBlocked, match="being restored"):
        start_delivery(plan, actor="test")
    assert carry_out_restore(restore.pk).state == DeliveryRunState.COMPLETE
    start_delivery(plan, actor="test")
