"""Plans: a mailbox that was left out gets nothing, whatever is planned again; people are chosen by a search."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from integrations.connection.lifecycle import get_connection
from integrations.models import LedgerEntry
from portal.models import Domain
from signatures.delivery.automatic import plan_automatic_delivery
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.deliver import carry_out
from signatures.delivery.plan_choice import leave_out
from signatures.delivery.planning import plan_changed_again, plan_delivery
from signatures.models import DeliveryRun, Sender
from tests.support.deliveries import get_delivered, get_held, get_writes

pytestmark = pytest.mark.django_db(transaction=True)

DELIVERIES = "/domains/acme.example/deliveries/"


def get_planned(run: DeliveryRun) -> set[str]:
    return set(run.deliveries.filter(state="planned").values_list("mailbox_remote_id", flat=True))


def test_a_mailbox_left_out_of_a_plan_gets_nothing_and_everybody_else_theirs(
    sandbox, ready, domain, admin: Client
):
    run = plan_delivery(domain, actor="test")
    before, planned = get_held(sandbox), get_planned(run)
    out, kept = list(run.deliveries.filter(state="planned")[:2])
    ids = {out.mailbox_remote_id}

    page = admin.post(
        f"{DELIVERIES}{run.pk}/choose/?state=planned", {"mailbox": [out.pk]}, follow=True
    ).content.decode()
    admin.post(f"{DELIVERIES}{run.pk}/start/", {"stages": "3"})
    carry_out(run.pk)
    for _ in range(3):  # the stages after the first
        admin.post(f"{DELIVERIES}{run.pk}/resume/")
        carry_out(run.pk)

    run.refresh_from_db()
    assert "1 mailbox left out. The delivery does not write to them." in page
    assert f"Deliver to {len(planned) - 1} mailboxes</button>" in page
    assert (run.state, run.planned, run.delivered) == ("complete", len(planned) - 1, len(planned) - 1)
    assert set(get_writes(sandbox)) == get_delivered(run) == planned - ids
    assert get_held(sandbox)[out.mailbox_remote_id] == before[out.mailbox_remote_id]
    assert kept.mailbox_remote_id in get_writes(sandbox)
    out.refresh_from_db()
    assert (out.state, out.reason_code) == ("skipped", "left_out")
    after = admin.get(f"{DELIVERIES}{run.pk}/").content.decode()
    assert "1 left out by choice" in after and "Left out" in after
    entry = LedgerEntry.objects.get(action="mailboxes left out of a plan")
    assert (entry.actor_label, entry.detail) == ("admin@acme.example", out.mailbox_email)


def test_automatic_delivery_does_not_bring_what_was_left_out(sandbox, ready, domain, admin: Client):
    run = plan_delivery(domain, actor="test")
    out = run.deliveries.filter(state="planned").first()
    admin.post(f"{DELIVERIES}{run.pk}/choose/", {"mailbox": [out.pk]})
    admin.post(f"{DELIVERIES}{run.pk}/start/", {"stages": ""})
    carry_out(run.pk)

    Domain.objects.filter(pk=domain.pk).update(automatic_delivery=True)
    automatic = plan_automatic_delivery(get_connection(domain))

    assert automatic is None
    assert out.mailbox_remote_id not in get_writes(sandbox)


@pytest.mark.parametrize("scope", [{}, {"first": 4}])
def test_planning_again_leaves_out_what_was_left_out(ready, domain, scope: dict[str, int]):
    run = plan_delivery(domain, actor="test", **scope)
    out = run.deliveries.filter(state="planned").first()
    leave_out(run, [out.pk], actor="test")
    Sender.objects.filter(pk=out.sender_id).update(changed_at="2030-01-01T00:00Z")

    run = plan_changed_again(run)

    row = run.deliveries.get(mailbox_remote_id=out.mailbox_remote_id)
    assert (row.state, row.reason_code) == ("skipped", "left_out")
    assert run.planned == len(get_planned(run)) and out.mailbox_remote_id not in get_planned(run)


def test_what_was_left_out_is_taken_back_in(ready, domain, admin: Client):
    run = plan_delivery(domain, actor="test")
    planned, covers = get_planned(run), run.covers_until
    one, two = list(run.deliveries.filter(state="planned")[:2])
    admin.post(f"{DELIVERIES}{run.pk}/choose/", {"mailbox": [one.pk, two.pk]})
    admin.post(f"{DELIVERIES}{run.pk}/choose/", {"mailbox": [one.pk], "act": "take_in"})

    run.refresh_from_db()
    assert get_planned(run) == planned - {two.mailbox_remote_id}
    assert (run.covers_until, run.scope) == (None, {"without": [two.mailbox_remote_id]})

    admin.post(f"{DELIVERIES}{run.pk}/choose/", {"mailbox": [two.pk], "act": "take_in"})

    run.refresh_from_db()
    assert (get_planned(run), run.planned, run.scope) == (planned, len(planned), {})
    assert covers is not None and run.covers_until == run.created_at


def test_nothing_is_left_out_of_a_started_run_or_by_who_may_not_deliver(
    ready, domain, admin: Client, editor: Client
):
    run = plan_delivery(domain, actor="test")
    rows = list(run.deliveries.filter(state="planned"))
    other = plan_delivery(domain, actor="test", first=1)

    forbidden = editor.post(f"{DELIVERIES}{run.pk}/choose/", {"mailbox": [rows[0].pk]})
    nothing = admin.post(f"{DELIVERIES}{other.pk}/choose/", {"mailbox": [rows[1].pk, "x"]}, follow=True)
    admin.post(f"{DELIVERIES}{run.pk}/start/", {"stages": ""})
    late = admin.post(f"{DELIVERIES}{run.pk}/choose/", {"mailbox": [rows[0].pk]}, follow=True)

    assert forbidden.status_code == 403
    assert "Choose at least one mailbox of this plan. Nothing was changed." in nothing.content.decode()
    assert "This plan was started or replaced meanwhile. Nothing was changed." in late.content.decode()
    assert get_planned(run) == {row.mailbox_remote_id for row in rows}
    with pytest.raises(DeliveryBlocked):
        leave_out(run, [rows[0].pk], actor="test")


def test_people_are_searched_ticked_and_planned_for(sandbox, ready, domain, admin: Client, editor: Client):
    rows = plan_delivery(domain, actor="test").deliveries.filter(state="planned")
    one, two = [row.sender for row in rows.order_by("pk")[:2]]
    people = f"{DELIVERIES}people/"

    found = admin.get(people, {"q": one.name}).content.decode()
    chosen = admin.get(people, {"q": two.email, "person": [one.pk]}).content.decode()
    both = admin.get(people, {"person": [one.pk, two.pk, "zero"]}).content.decode()
    admin.post(f"{DELIVERIES}plan/", {"person": [one.pk, two.pk]})

    assert f'type="checkbox" name="person" value="{one.pk}"' in found
    assert "Preview changes" not in found
    assert f'type="hidden" name="person" value="{one.pk}"' in chosen
    assert f'type="checkbox" name="person" value="{two.pk}"' in chosen
    assert "Preview changes for 2 people" in both
    assert re.search(rf'href="\?q=&amp;person={two.pk}"', both)
    run = DeliveryRun.objects.latest("pk")
    assert set(run.deliveries.values_list("sender", flat=True)) == {one.pk, two.pk}
    assert get_writes(sandbox) == []
    assert editor.get(people).status_code == 403


def test_the_search_shows_and_plans_nobody_of_another_domain(ready, bystander, admin: Client):
    bea = Sender.objects.get(domain=bystander.domain)

    page = admin.get(f"{DELIVERIES}people/", {"q": "Bea Bystander", "person": [bea.pk]}).content.decode()
    refused = admin.post(f"{DELIVERIES}plan/", {"person": [bea.pk]}, follow=True).content.decode()

    assert "No matching people" in page and "bea@bystander.example" not in page
    assert "Nothing was planned." in refused
    assert not DeliveryRun.objects.exists()
