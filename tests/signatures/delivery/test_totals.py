"""Totals of deliveries: a retry opens a run again, and no counter of /metrics goes down by it."""

from __future__ import annotations

import pytest
from django.utils import timezone

from signatures.delivery.control import retry_delivery
from signatures.delivery.deliver import carry_out
from signatures.delivery.planning import plan_delivery
from signatures.delivery.retention import remove_old_deliveries
from signatures.delivery.runs import start_delivery
from signatures.models import DeliveryRun
from tests.support.company import found_company
from tests.support.metrics import TOKEN, read_metrics

pytestmark = pytest.mark.django_db(transaction=True)

RUNS, MAILBOXES = "countersign_runs_total", "countersign_delivered_mailboxes_total"


def read_totals() -> dict[tuple[str, ...], float]:
    """Return the counters of deliveries: labels -> number, of runs and of mailboxes."""
    found = read_metrics()
    return {
        labels: number
        for name in (RUNS, MAILBOXES)
        for labels, number in found[name].items()
        if "delivery" in labels
    }


@pytest.mark.parametrize("keeps", [lambda: None, remove_old_deliveries], ids=["before the night", "after it"])
def test_a_retry_adds_to_what_was_counted_and_takes_nothing_from_it(
    sandbox, ready, domain, other_domain, settings, keeps
):
    settings.METRICS_TOKEN = TOKEN
    found_company(other_domain).run("complete", delivered=7, failed=2, finished_at=timezone.now())
    plan = plan_delivery(domain, actor="test")
    refused = [row.mailbox_remote_id for row in plan.deliveries.filter(state="planned")[:2]]
    for mailbox_id in refused:
        sandbox.directory.set_editable(int(mailbox_id), False)
    run = carry_out(start_delivery(plan, actor="test").pk)
    keeps()
    told = [read_totals()]

    for mailbox_id in refused:  # the first retry puts one right, the second the other
        sandbox.directory.set_editable(int(mailbox_id), True)
        retry_delivery(DeliveryRun.objects.get(pk=run.pk), actor="test")
        told.append(read_totals())
        carry_out(run.pk)
        keeps()
        told.append(read_totals())

    name, theirs = domain.name, other_domain.name
    ended, delivered, blocked = (
        [each[name, "delivery", label] for each in told] for label in ("complete", "delivered", "blocked")
    )
    assert ended == [1, 1, 2, 2, 3]
    assert delivered == [
        run.delivered,
        run.delivered,
        run.delivered + 1,
        run.delivered + 1,
        run.delivered + 2,
    ]
    # Of three that are blocked first, one is blocked for good.
    assert blocked == [3, 3, 5, 5, 6]
    assert {
        (each[theirs, "delivery", "complete"], each[theirs, "delivery", "delivered"]) for each in told
    } == {(1, 7)}
