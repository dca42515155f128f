"""What is decided ahead of its turn is not written by once it is old."""

from __future__ import annotations

import threading

import pytest

from signatures.delivery import executor, read_back
from signatures.delivery.deliver import carry_out
from signatures.delivery.planning import plan_delivery
from signatures.delivery.runs import start_delivery
from signatures.models import DeliveryRunState, DeliveryState, Snapshot
from tests.support.deliveries import get_held, get_writes

pytestmark = pytest.mark.django_db(transaction=True)

MINE = "<p>Written while the mailbox before was sent</p>"


def test_an_edit_after_an_old_look_ahead_is_kept_as_the_original(sandbox, ready, domain, monkeypatch):
    for module in (executor, read_back):
        monkeypatch.setattr(module, "PEOPLE_PER_READ", 1)
    monkeypatch.setattr(executor, "AHEAD_SECONDS", 0.0)
    run = start_delivery(plan_delivery(domain, actor="test"), actor="test")
    planned = run.deliveries.filter(state=DeliveryState.PLANNED).order_by("id")
    second = list(dict.fromkeys(planned.values_list("person_remote_id", flat=True)))[1]
    edited = planned.filter(person_remote_id=second).values_list("mailbox_remote_id", flat=True)[0]
    looked_ahead = threading.Event()

    def watch(request) -> None:
        if request.method == "GET" and second in request.query:
            looked_ahead.set()
        elif request.method == "PATCH" and not get_writes(sandbox)[1:]:
            assert looked_ahead.wait(20)
            sandbox.directory.set_signature(int(edited), MINE)

    sandbox.watchers.append(watch)

    run = carry_out(run.pk)

    assert run.state == DeliveryRunState.COMPLETE
    assert Snapshot.objects.get(mailbox_remote_id=edited).original_html == MINE
    assert get_held(sandbox)[edited] != MINE
    assert MINE not in Snapshot.objects.exclude(mailbox_remote_id=edited).values_list(
        "original_html", flat=True
    )
