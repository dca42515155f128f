"""What happens between a lost answer and the next look: a person's edit stays, and ours is still known as ours."""

from __future__ import annotations

import pytest

from signatures.delivery.deliver import carry_out
from signatures.delivery.planning import plan_delivery
from signatures.delivery.restore_originals import carry_out_restore, start_restore
from signatures.delivery.runs import start_delivery
from signatures.models import DeliveryRun, DeliveryRunState
from tests.support.deliveries import change_template, get_delivered, get_held, get_writes

pytestmark = pytest.mark.django_db(transaction=True)


def start(domain) -> DeliveryRun:
    return start_delivery(plan_delivery(domain, actor="test"), actor="test")


@pytest.mark.parametrize("is_first", [True, False])
def test_an_edit_between_a_lost_answer_and_the_second_try_is_not_written_over(
    sandbox, ready, domain, deliver, is_first
):
    if not is_first:
        deliver()
        change_template(domain, "<p>New: {{ sender.name }}</p>")
    started = start(domain)
    planned = list(started.deliveries.filter(state="planned").values_list("mailbox_remote_id", flat=True))
    edited, lost_alone = planned[2], planned[5]
    for mailbox_id in (edited, lost_alone):
        sandbox.faults.add("lost", method="PATCH", path=f"/api/v2/mailboxes/{mailbox_id}", times=1)
    sandbox.requests.clear()

    def edit(now: DeliveryRun) -> None:
        if edited in get_writes(sandbox):
            sandbox.directory.set_signature(int(edited), "<p>Mine</p>")

    run = carry_out(started.pk, progress=edit)

    row = run.deliveries.get(mailbox_remote_id=edited)
    assert (run.state, row.state, row.reason_code) == (DeliveryRunState.COMPLETE, "refused", "edited")
    assert get_held(sandbox)[edited] == "<p>Mine</p>"
    assert get_writes(sandbox).count(edited) == 1
    assert run.deliveries.get(mailbox_remote_id=lost_alone).reason_code == "confirmed"
    assert get_delivered(run) == set(planned) - {edited}


def test_the_second_of_two_deliveries_whose_answer_is_lost_is_known_as_ours_and_the_first_is_not(
    sandbox, ready, domain, deliver
):
    before = get_held(sandbox)
    delivered = sorted(get_delivered(deliver()), key=int)
    first = get_held(sandbox)
    lost, put_back_by_hand = delivered[1], delivered[4]
    change_template(domain, "<p>New: {{ sender.name }}</p>")
    started = start(domain)
    sandbox.faults.add("lost", method="PATCH", path=f"/api/v2/mailboxes/{lost}")
    sandbox.requests.clear()

    def interrupt(now: DeliveryRun) -> None:
        if len(get_writes(sandbox)) >= len(delivered):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(started.pk, progress=interrupt)
    started.refresh_from_db()
    assert (started.state, started.deliveries.get(mailbox_remote_id=lost).attempts) == ("halted", 1)
    assert get_held(sandbox)[lost] != first[lost]
    sandbox.directory.set_signature(int(put_back_by_hand), first[put_back_by_hand])

    run = carry_out_restore(start_restore(ready, actor="test").pk)

    conflicts = run.deliveries.filter(reason_code="conflict").values_list("mailbox_remote_id", flat=True)
    assert (run.state, list(conflicts)) == (DeliveryRunState.COMPLETE, [put_back_by_hand])
    assert get_held(sandbox) == before | {put_back_by_hand: first[put_back_by_hand]}
