"""Deliveries in Django admin: planned, started and resumed by its actions, and never in one go."""

from __future__ import annotations

import pytest
from django.test import Client
from django_q.models import OrmQ

from integrations.models import Connection
from integrations.outreach.sandbox import Sandbox
from signatures import tasks
from signatures.authoring.templates import install_starters
from signatures.models import (
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    DeliveryState,
)
from signatures.senders import company_size
from tests.support.admin_acts import BY, act, get_acts
from tests.support.company import Company
from tests.support.deliveries import publish_drafts


def test_planning_writes_nothing_and_says_what_would_change(
    staff: Client, sandbox: Sandbox, ready: Connection
) -> None:
    told = act(staff, "/admin/integrations/connection/", "plan", ready)

    run = DeliveryRun.objects.get()
    assert told == [
        f"outreach for acme.example: {run.planned} mailboxes would change, 0 unchanged, "
        f"{run.refused} blocked. Start it on the Deliveries page."
    ]
    assert (run.state, run.started_by_label) == (DeliveryRunState.PLANNED, BY)
    assert list(sandbox.requests) == []


@pytest.mark.django_db(transaction=True)
def test_planning_for_a_large_domain_is_queued_and_a_small_one_is_planned_at_once(
    staff: Client, ready: Connection, bystanders: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    bystanders.add("Bea Bystander")
    install_starters(bystanders.domain, actor="test")
    publish_drafts(bystanders.domain)
    monkeypatch.setattr(company_size, "AT_ONCE", 1)
    OrmQ.objects.all().delete()

    told = act(staff, "/admin/integrations/connection/", "plan", ready, bystanders.connection)

    large = DeliveryRun.objects.get(domain=ready.domain)
    assert (
        f"outreach for acme.example: delivery {large.pk} is being planned. See the Deliveries page." in told
    )
    assert (large.state, large.deliveries.count()) == (DeliveryRunState.PLANNING, 0)
    queued = [(row.task["func"], row.task["kwargs"]) for row in OrmQ.objects.all()]
    assert queued == [("signatures.tasks.plan_delivery", {"run_id": large.pk})]
    assert DeliveryRun.objects.get(domain=bystanders.domain).state == DeliveryRunState.PLANNED

    tasks.plan_delivery(run_id=large.pk)

    large.refresh_from_db()
    assert large.state == DeliveryRunState.PLANNED and large.planned > 0


@pytest.mark.django_db(transaction=True)
def test_a_planned_delivery_is_started_and_reaches_the_mailboxes(
    staff: Client, sandbox: Sandbox, ready: Connection
) -> None:
    act(staff, "/admin/integrations/connection/", "plan", ready)
    run = DeliveryRun.objects.get()

    told = act(staff, "/admin/signatures/deliveryrun/", "start", run)

    assert told == [f"{run}: delivery {run.pk} to {run.planned} mailboxes is queued."]
    assert get_acts(ready.domain, "delivery started") == [
        ("delivery started", BY, f"{run.planned} mailboxes")
    ]
    tasks.deliver_signatures(run_id=run.pk)
    run.refresh_from_db()
    assert (run.stages, run.state, run.delivered) == ([5, None], DeliveryRunState.WAITING, 5)
    act(staff, "/admin/signatures/deliveryrun/", "resume", run)
    tasks.deliver_signatures(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.delivered) == (DeliveryRunState.COMPLETE, run.planned)
    assert sum(entry.method == "PATCH" for entry in sandbox.requests) == run.planned


def test_no_action_plans_and_writes_in_one_go(staff: Client, ready: Connection) -> None:
    page = staff.get("/admin/integrations/connection/").content.decode()

    act(staff, "/admin/integrations/connection/", "deliver", ready)

    assert 'value="plan"' in page
    assert 'value="deliver"' not in page
    assert not DeliveryRun.objects.exists()


def test_a_paused_connection_delivers_nothing_and_says_so(staff: Client, ready: Connection) -> None:
    act(staff, "/admin/integrations/connection/", "plan", ready)
    act(staff, "/admin/integrations/connection/", "pause_writing", ready)
    run = DeliveryRun.objects.get()

    told = act(staff, "/admin/signatures/deliveryrun/", "start", run)

    assert told == [f"{run}: Deliveries are paused. Resume them on the Integrations page."]
    assert DeliveryRun.objects.get().state == DeliveryRunState.PLANNED


def test_a_stopped_delivery_is_resumed(staff: Client, ready: Connection) -> None:
    act(staff, "/admin/integrations/connection/", "plan", ready)
    DeliveryRun.objects.update(state=DeliveryRunState.HALTED)
    run = DeliveryRun.objects.get()

    told = act(staff, "/admin/signatures/deliveryrun/", "resume", run)

    assert told == [f"{run}: continues with the remaining mailboxes."]
    assert DeliveryRun.objects.get().state == DeliveryRunState.QUEUED


def test_a_delivery_leads_to_its_mailboxes(staff: Client, ready: Connection) -> None:
    act(staff, "/admin/integrations/connection/", "plan", ready)
    run = DeliveryRun.objects.get()

    page = staff.get(f"/admin/signatures/deliveryrun/{run.pk}/change/")
    address = f"/admin/signatures/delivery/?run__id__exact={run.pk}"
    rows = staff.get(address, {"state__exact": DeliveryState.PLANNED} | {"run__id__exact": run.pk})

    assert f'href="{address}"' in page.content.decode()
    assert rows.context["cl"].result_count == Delivery.objects.filter(run=run, state="planned").count()
