"""Planned restores: one person, a group or a delivery goes back to the original or to an earlier signature."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from integrations.models import Connection
from integrations.outreach.sandbox import Sandbox
from portal.models import Domain, Role
from signatures.authoring.templates import save_template
from signatures.delivery.planning import plan_delivery
from signatures.delivery.restore_plan import describe_target
from signatures.delivery.runs import start_delivery
from signatures.delivery.status import refresh_domain
from signatures.models import (
    Delivery,
    DeliveryRun,
    Group,
    LeftAlone,
    MailboxState,
    Placement,
    Snapshot,
    Template,
)
from signatures.senders import company_size
from signatures.tasks import deliver_signatures, sweep_deliveries
from signatures.tasks import plan_delivery as fill_opened_plan
from tests.support.deliveries import get_held, get_writes, publish_drafts, read_directory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def admin(domain: Domain, make_member) -> Client:
    client = Client()
    client.force_login(make_member(domain, Role.ADMIN))
    return client


@pytest.fixture
def twice(sandbox: Sandbox, ready: Connection, deliver: Callable[..., DeliveryRun]) -> list[dict[str, str]]:
    """What every mailbox held before us, after the first delivery, and after the second one."""
    held = [get_held(sandbox)]
    deliver()
    held.append(get_held(sandbox))
    for template in Template.objects.filter(domain=ready.domain):
        save_template(
            ready.domain,
            name=template.name,
            source="<p>New: {{ sender.name }}</p>",
            actor="x",
            template=template,
        )
    publish_drafts(ready.domain)
    deliver()
    held.append(get_held(sandbox))
    sandbox.requests.clear()
    return held


def restore(client: Client, domain: Domain, **asked: object) -> DeliveryRun:
    """Plan on the page, look at the plan, start it there, and let the worker carry it out."""
    page = client.post(reverse("signatures:restore_plan", args=[domain.name]), asked)
    assert page.status_code == 302, page.content.decode()
    run = DeliveryRun.objects.filter(domain=domain, kind="restore").latest("pk")
    assert page["Location"] == reverse("signatures:delivery_run", args=[domain.name, run.pk])
    shown = client.get(page["Location"]).content.decode()
    assert f"go back to {describe_target(run)}" in shown
    client.post(reverse("signatures:delivery_start", args=[domain.name, run.pk]))
    deliver_signatures(run_id=run.pk)
    run.refresh_from_db()
    return run


def get_delivered(run: DeliveryRun) -> Delivery:
    return run.deliveries.filter(state="delivered").select_related("sender").order_by("pk").first()


def test_one_person_goes_back_to_an_earlier_delivery_and_nobody_else(sandbox, ready, domain, twice, admin):
    first = DeliveryRun.objects.filter(domain=domain, kind="deliver").earliest("pk")
    row = get_delivered(first)

    run = restore(admin, domain, delivery=row.pk)

    assert (run.state, run.delivered, run.scope) == ("complete", 1, {"delivery": row.pk})
    assert get_writes(sandbox) == [row.mailbox_remote_id]
    assert get_held(sandbox) == twice[2] | {row.mailbox_remote_id: twice[1][row.mailbox_remote_id]}
    assert (
        Placement.objects.get(mailbox_remote_id=row.mailbox_remote_id).rendered_sha256 == row.rendered_sha256
    )
    assert [each.mailbox_remote_id for each in LeftAlone.objects.all()] == [row.mailbox_remote_id]
    assert Snapshot.objects.get(mailbox_remote_id=row.mailbox_remote_id).restored_at is None


def test_restore_of_a_large_domain_is_planned_in_the_background_and_its_page_becomes_the_plan(
    sandbox, domain, twice, admin, monkeypatch
):
    monkeypatch.setattr(company_size, "AT_ONCE", 1)
    first = DeliveryRun.objects.filter(domain=domain, kind="deliver").earliest("pk")
    OrmQ.objects.all().delete()

    asked = admin.post(
        reverse("signatures:restore_plan", args=[domain.name]), {"run": first.pk, "to": "before"}
    )

    run = DeliveryRun.objects.get(kind="restore")
    address = reverse("signatures:delivery_progress", args=[domain.name, run.pk])
    opened, moving = admin.get(asked["Location"]).content.decode(), admin.get(address)
    queued = [(row.task["func"], row.task["kwargs"]) for row in OrmQ.objects.all()]
    assert (run.state, run.deliveries.count()) == ("planning", 0)
    assert "Planning a restore" in opened
    assert "Comparing every mailbox with what it goes back to. Nothing is written." in opened
    assert f'hx-get="{address}"' in opened and "HX-Refresh" not in moving
    assert queued == [("signatures.tasks.plan_delivery", {"run_id": run.pk})]

    fill_opened_plan(run_id=run.pk)
    fill_opened_plan(run_id=run.pk)

    run.refresh_from_db()
    planned = admin.get(asked["Location"]).content.decode()
    assert admin.get(address)["HX-Refresh"] == "true"
    assert (run.state, run.planned) == ("planned", len(get_changed(twice[2], twice[0])))
    assert f"Restore {run.planned} mailboxes</button>" in planned
    assert get_writes(sandbox) == []


def test_opened_restore_whose_task_was_lost_is_planned_after_a_sweep_and_one_replaced_is_not(
    domain, twice, admin, monkeypatch
):
    monkeypatch.setattr(company_size, "AT_ONCE", 1)
    for _ in range(2):
        admin.post(reverse("signatures:restore_plan", args=[domain.name]), {"to": "original"})
    (run,) = DeliveryRun.objects.filter(kind="restore")
    DeliveryRun.objects.filter(pk=run.pk).update(queued_at=timezone.now() - timedelta(minutes=1))
    OrmQ.objects.all().delete()

    sweep_deliveries()

    queued = [(row.task["func"], row.task["kwargs"]) for row in OrmQ.objects.all()]
    assert queued == [("signatures.tasks.plan_delivery", {"run_id": run.pk})]
    fill_opened_plan(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.planned) == ("planned", len(get_changed(twice[2], twice[0])))


def get_changed(held: dict[str, str], target: dict[str, str]) -> list[str]:
    return [mailbox_id for mailbox_id, html in held.items() if target[mailbox_id] != html]


def test_a_mailbox_left_out_of_a_restore_keeps_what_it_holds_and_the_others_go_back(
    sandbox, ready, domain, twice, admin
):
    first = DeliveryRun.objects.filter(domain=domain, kind="deliver").earliest("pk")
    admin.post(reverse("signatures:restore_plan", args=[domain.name]), {"run": first.pk, "to": "before"})
    run = DeliveryRun.objects.get(kind="restore")
    scope, address = run.scope, reverse("signatures:delivery_run", args=[domain.name, run.pk])
    out, back, *others = run.deliveries.filter(state="planned")

    shown = admin.get(address).content.decode()
    said = admin.post(f"{address}choose/", {"mailbox": [out.pk, back.pk]}, follow=True).content.decode()
    admin.post(f"{address}choose/", {"mailbox": [back.pk], "act": "take_in"})
    admin.post(f"{address}start/")
    deliver_signatures(run_id=run.pk)

    run.refresh_from_db()
    ids = {back.mailbox_remote_id, *(row.mailbox_remote_id for row in others)}
    assert f'name="mailbox" value="{out.pk}"' in shown
    assert "2 mailboxes left out. The restore does not write to them." in said
    assert (run.state, run.planned, run.delivered) == ("complete", len(ids), len(ids))
    assert run.scope == scope | {"without": [out.mailbox_remote_id]} and run.covers_until is None
    assert set(get_writes(sandbox)) == ids
    assert get_held(sandbox) == twice[2] | {id: twice[0][id] for id in ids}
    assert not LeftAlone.objects.filter(mailbox_remote_id=out.mailbox_remote_id).exists()


def test_no_delivery_touches_what_was_restored(sandbox, ready, domain, twice, admin):
    row = get_delivered(DeliveryRun.objects.filter(domain=domain, kind="deliver").latest("pk"))
    restore(admin, domain, sender=row.sender.email, to="original")
    read_directory(ready)
    refresh_domain(domain)
    sandbox.requests.clear()

    plan = plan_delivery(domain, actor="test")

    assert not plan.deliveries.filter(mailbox_remote_id=row.mailbox_remote_id, state="planned").exists()
    status = MailboxState.objects.get(mailbox__remote_id=row.mailbox_remote_id).status
    assert status == "left_alone"
    assert get_held(sandbox)[row.mailbox_remote_id] == twice[0][row.mailbox_remote_id]


def test_a_delivery_is_put_back_to_what_each_mailbox_held_before_it(sandbox, ready, domain, twice, admin):
    second = DeliveryRun.objects.filter(domain=domain, kind="deliver").latest("pk")
    edited = get_delivered(second).mailbox_remote_id
    sandbox.directory.set_signature(int(edited), "<p>Mine</p>")

    run = restore(admin, domain, run=second.pk, to="before")

    assert run.state == "complete"
    assert run.deliveries.get(mailbox_remote_id=edited).reason_code == "conflict"
    assert get_held(sandbox) == twice[1] | {edited: "<p>Mine</p>"}


def test_a_person_may_choose_to_overwrite_an_edit_which_is_kept(sandbox, ready, domain, twice, admin):
    second = DeliveryRun.objects.filter(domain=domain, kind="deliver").latest("pk")
    row = get_delivered(second)
    sandbox.directory.set_signature(int(row.mailbox_remote_id), "<p>Mine</p>")

    run = restore(admin, domain, sender=row.sender.email, to="original", overwrite_edits="on")

    assert get_held(sandbox) == twice[2] | {row.mailbox_remote_id: twice[0][row.mailbox_remote_id]}
    page = admin.get(
        reverse(
            "signatures:delivery_frame", args=[domain.name, run.pk, run.deliveries.get(state="delivered").pk]
        )
        + "?side=before"
    )
    assert "<p>Mine</p>" in page.content.decode()


def test_the_command_takes_a_group_back_to_a_date_and_tries_it_first(sandbox, ready, domain, twice):
    first = DeliveryRun.objects.filter(domain=domain, kind="deliver").earliest("pk")
    group = Group.objects.filter(senders__deliveries__run=first).exclude(is_default=True).first()
    ours = set(
        first.deliveries.filter(state="delivered", sender__group=group).values_list(
            "mailbox_remote_id", flat=True
        )
    )
    options = {"domain": domain.name, "group": group.name, "to_date": first.finished_at.isoformat()}

    said = io.StringIO()
    call_command("restoresignatures", dry_run=True, stdout=said, **options)
    assert f"{len(ours)} mailboxes would change" in said.getvalue()
    assert get_held(sandbox) == twice[2]

    call_command("restoresignatures", stdout=said, **options)
    assert get_held(sandbox) == twice[2] | {id: twice[1][id] for id in ours}
    assert ours != set(twice[2])


def test_before_any_delivery_the_date_means_the_original(sandbox, ready, domain, twice):
    call_command("restoresignatures", domain=domain.name, to_date="2020-01-01T00:00", stdout=io.StringIO())

    assert get_held(sandbox) == twice[0]
    assert not Placement.objects.filter(domain=domain).exists()


def test_a_plan_of_another_domain_or_without_the_right_is_refused(
    ready, domain, other_domain, twice, admin, make_member
):
    row = get_delivered(DeliveryRun.objects.filter(domain=domain, kind="deliver").earliest("pk"))
    stranger, auditor = Client(), Client()
    stranger.force_login(make_member(other_domain, Role.OWNER, "owner@bystander.example"))
    auditor.force_login(make_member(domain, Role.AUDITOR, "auditor@acme.example"))

    theirs = stranger.post(reverse("signatures:restore_plan", args=[other_domain.name]), {"delivery": row.pk})
    unknown = admin.post(reverse("signatures:restore_plan", args=[domain.name]), {"to": "at"})
    refused = auditor.post(reverse("signatures:restore_plan", args=[domain.name]), {"delivery": row.pk})

    assert (theirs.status_code, unknown.status_code, refused.status_code) == (422, 422, 403)
    assert not DeliveryRun.objects.filter(kind="restore").exists()


def test_a_restore_does_not_begin_beside_a_delivery(ready, domain, twice, admin):
    row = get_delivered(DeliveryRun.objects.filter(domain=domain, kind="deliver").earliest("pk"))
    template = Template.objects.filter(domain=domain).first()
    save_template(domain, name=template.name, source="<p>Newer</p>", actor="x", template=template)
    publish_drafts(domain)
    start_delivery(plan_delivery(domain, actor="test"), actor="test")
    admin.post(reverse("signatures:restore_plan", args=[domain.name]), {"delivery": row.pk})
    run = DeliveryRun.objects.get(kind="restore")

    answer = admin.post(reverse("signatures:delivery_start", args=[domain.name, run.pk]), follow=True)

    run.refresh_from_db()
    assert run.state == "planned"
    assert "A delivery is running" in answer.content.decode()
