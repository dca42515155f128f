"""Plan, start, carry out: what reaches mailboxes over real HTTP, and what never does."""

from __future__ import annotations

import pytest

from integrations.models import LedgerEntry
from signatures.authoring.templates import assign_template, save_template
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.deliver import carry_out
from signatures.delivery.digest import digest
from signatures.delivery.planning import plan_delivery
from signatures.delivery.runs import start_delivery
from signatures.models import (
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    DeliveryState,
    Group,
    Placement,
    Sender,
    Snapshot,
    Template,
)
from signatures.releases.compose import Composer
from signatures.releases.live import get_live_content
from tests.support.deliveries import change_template, get_delivered, get_held, get_writes, publish_drafts

pytestmark = pytest.mark.django_db(transaction=True)


def pick_delivered(run: DeliveryRun) -> str:
    return min(get_delivered(run), key=int)


def get_row(run: DeliveryRun, mailbox_id: str) -> Delivery:
    return Delivery.objects.get(run=run, mailbox_remote_id=mailbox_id)


def test_first_delivery_writes_each_changed_mailbox_once_and_no_other(sandbox, ready, deliver):
    before = get_held(sandbox)

    run = deliver()

    assert (run.state, run.cause, run.failed, run.skipped) == (DeliveryRunState.COMPLETE, "", 0, 0)
    assert run.delivered == run.planned == run.settled > 0
    assert sorted(get_writes(sandbox)) == sorted(get_delivered(run))
    held = get_held(sandbox)
    rows = {row.mailbox_remote_id: row for row in Delivery.objects.filter(run=run)}
    for id, html in held.items():
        if id in get_delivered(run):
            assert digest(html) == rows[id].rendered_sha256 == rows[id].returned_sha256
        else:
            assert html == before[id]


def test_each_written_mailbox_has_its_original_stored_byte_for_byte(sandbox, ready, deliver):
    before = get_held(sandbox)

    run = deliver()

    kept = dict(Snapshot.objects.values_list("mailbox_remote_id", "original_html"))
    assert kept == {id: before[id] for id in get_delivered(run)}


def test_every_write_is_in_the_ledger_once_with_its_mailbox_and_run(sandbox, ready, deliver):
    run = deliver()

    writes = LedgerEntry.objects.filter(verb="write", job=f"delivery {run.pk}", times=1, status=200)
    assert sorted(writes.values_list("object_ref", flat=True)) == sorted(get_writes(sandbox))


def test_second_delivery_of_the_same_sends_nothing(sandbox, ready, deliver, domain):
    first = deliver()
    sandbox.requests.clear()

    again = plan_delivery(domain, actor="test")

    assert (again.planned, again.unchanged) == (0, first.delivered)
    assert list(sandbox.requests) == []


def test_delivery_after_a_sync_sends_nothing(sandbox, ready, deliver, resync, domain):
    first = deliver()
    resync()

    again = plan_delivery(domain, actor="test")

    assert (again.planned, again.unchanged) == (0, first.delivered)


def test_changed_title_reaches_its_mailboxes_and_no_other(sandbox, ready, deliver, resync):
    mailbox_id = pick_delivered(deliver())
    owner = sandbox.directory.mailboxes[int(mailbox_id)].user_id
    sandbox.directory.set_title(owner, "Chief Lamplighter")
    resync()
    sandbox.requests.clear()

    run = deliver()

    assert set(get_writes(sandbox)) == {str(mailbox.id) for mailbox in sandbox.directory.mailboxes_of(owner)}
    assert run.delivered == len(get_writes(sandbox))
    assert "Chief Lamplighter" in get_held(sandbox)[mailbox_id]


def test_locked_people_are_left_out_and_keep_what_they_hold(sandbox, ready, resync, deliver):
    owner = next(user for user in sandbox.directory.users.values() if sandbox.directory.mailboxes_of(user.id))
    sandbox.directory.set_locked(owner.id)
    mailboxes = [str(mailbox.id) for mailbox in sandbox.directory.mailboxes_of(owner.id)]
    before = get_held(sandbox)
    resync()

    run = deliver()

    assert run.left_out >= len(mailboxes)
    assert not Delivery.objects.filter(run=run, mailbox_remote_id__in=mailboxes).exists()
    assert {id: get_held(sandbox)[id] for id in mailboxes} == {id: before[id] for id in mailboxes}


def test_mailbox_that_is_not_editable_is_refused_without_a_request(sandbox, ready, domain, resync, deliver):
    refused = int(plan_delivery(domain, actor="test").deliveries.filter(state="planned")[0].mailbox_remote_id)
    sandbox.directory.set_editable(refused, False)
    resync()

    run = deliver()

    row = get_row(run, str(refused))
    assert (row.state, row.reason_code) == (DeliveryState.REFUSED, "not_editable")
    assert "not shared with the integration user" in row.reason
    assert str(refused) not in get_writes(sandbox)


def test_mailbox_that_stopped_being_editable_after_the_plan_is_not_written(sandbox, ready, domain):
    run = plan_delivery(domain, actor="test")
    taken = run.deliveries.filter(state=DeliveryState.PLANNED).first()
    sandbox.directory.set_editable(int(taken.mailbox_remote_id), False)

    start_delivery(run, actor="test")
    run = carry_out(run.pk)

    assert get_row(run, taken.mailbox_remote_id).reason_code == "not_editable"
    assert taken.mailbox_remote_id not in get_writes(sandbox)
    assert run.delivered == run.planned - 1


def test_edit_in_outreach_is_kept_and_named(sandbox, ready, deliver, resync, domain):
    mailbox_id = pick_delivered(deliver())
    sandbox.directory.set_signature(int(mailbox_id), "<p>My own words</p>")
    resync()
    sandbox.requests.clear()

    plan = plan_delivery(domain, actor="test")

    row = get_row(plan, mailbox_id)
    assert (plan.planned, plan.refused, row.reason_code) == (0, 1 + count_uneditable(plan), "edited")
    assert get_held(sandbox)[mailbox_id] == "<p>My own words</p>"


def count_uneditable(run: DeliveryRun) -> int:
    return run.deliveries.filter(reason_code="not_editable").count()


def test_edit_between_plan_and_write_is_kept(sandbox, ready, deliver, domain):
    first = deliver()
    mailbox_id = pick_delivered(first)
    save_template(domain, name="New", source="<p>New: {{ sender.name }}</p>", actor="test")
    everyone = Group.objects.get(domain=domain, is_default=True)
    assign_template(domain, template=Template.objects.get(name="New"), group=everyone, actor="test")
    publish_drafts(domain)
    run = plan_delivery(domain, actor="test")
    sandbox.directory.set_signature(int(mailbox_id), "<p>Typed just now</p>")

    start_delivery(run, actor="test")
    run = carry_out(run.pk)

    assert get_row(run, mailbox_id).reason_code == "edited"
    assert get_held(sandbox)[mailbox_id] == "<p>Typed just now</p>"
    assert run.delivered == first.delivered - 1


def test_overwriting_edits_writes_and_keeps_the_first_original(sandbox, ready, deliver, resync):
    before = get_held(sandbox)
    first = deliver()
    mailbox_id = pick_delivered(first)
    sandbox.directory.set_signature(int(mailbox_id), "<p>My own words</p>")
    resync()
    sandbox.requests.clear()

    run = deliver(overwrite_edits=True)

    assert get_writes(sandbox) == [mailbox_id]
    assert digest(get_held(sandbox)[mailbox_id]) == get_row(first, mailbox_id).rendered_sha256
    assert run.delivered == 1
    assert Snapshot.objects.get(mailbox_remote_id=mailbox_id).original_html == before[mailbox_id]


@pytest.mark.parametrize("normaliser", ["wrap", "quotes"])
def test_rewritten_signatures_are_not_written_again(sandbox, ready, deliver, resync, domain, normaliser):
    sandbox.settings.signature_normaliser = normaliser
    first = deliver()

    plans = []
    for _ in range(3):
        resync()
        plans.append(plan_delivery(domain, actor="test"))

    assert Placement.objects.exclude(returned_sha256="").count() == first.delivered
    assert [(plan.planned, plan.unchanged) for plan in plans] == [(0, first.delivered)] * 3


def test_signature_that_would_be_empty_is_never_sent(sandbox, ready, domain, deliver):
    version = save_template(domain, name="Mobile", source="<p>{{ sender.mobile }}</p>", actor="test")
    everyone = Group.objects.get(domain=domain, is_default=True)
    assign_template(domain, template=version.template, group=everyone, actor="test")
    sender = Sender.objects.filter(is_active=True, group__is_default=False).first()
    other = Template.objects.get(name="Plain line")
    assign_template(domain, template=other, sender=sender, actor="test")
    publish_drafts(domain)

    plan = plan_delivery(domain, actor="test")

    codes = set(plan.deliveries.filter(state=DeliveryState.REFUSED).values_list("reason_code", flat=True))
    assert codes <= {"empty", "not_editable"}
    assert "empty" in codes
    planned = plan.deliveries.filter(state=DeliveryState.PLANNED)
    assert set(planned.values_list("sender", flat=True)) == {sender.pk}


def test_sender_without_a_template_is_refused_with_the_way_out(sandbox, ready, domain):
    everyone = Group.objects.get(domain=domain, is_default=True)
    assign_template(domain, template=None, group=everyone, actor="test")
    publish_drafts(domain)

    plan = plan_delivery(domain, actor="test")

    row = plan.deliveries.filter(reason_code="no_template").first()
    assert plan.planned == 0
    assert row.reason.startswith("No template is assigned. Assign one to “")


def test_template_saved_after_the_plan_is_a_draft_and_what_was_published_arrives(sandbox, ready, domain):
    template = Group.objects.get(domain=domain, is_default=True).assignment.template
    run = plan_delivery(domain, actor="test")
    source = "<p>Second thoughts, {{ sender.name }}</p>"
    newest = save_template(domain, name=template.name, template=template, source=source, actor="test")

    start_delivery(run, actor="test")
    run = carry_out(run.pk)

    versions = run.deliveries.filter(state=DeliveryState.DELIVERED).values_list("template_version", flat=True)
    assert run.delivered == run.planned > 0
    assert template.current_id in versions and newest.pk not in versions
    assert not any("Second thoughts" in html for html in get_held(sandbox).values())


def test_release_published_after_the_plan_ends_the_delivery_before_it_writes(sandbox, ready, domain):
    before = get_held(sandbox)
    run = start_delivery(plan_delivery(domain, actor="test"), actor="test")
    change_template(domain, "<p>Second thoughts, {{ sender.name }}</p>")

    run = carry_out(run.pk)

    assert (run.state, run.cause) == (DeliveryRunState.SKIPPED, "Release 2 was published meanwhile.")
    assert run.skipped == run.planned > 0
    assert get_held(sandbox) == before


def test_mailbox_that_changed_owner_after_the_plan_is_not_written(sandbox, ready, domain):
    run = plan_delivery(domain, actor="test")
    taken, other = run.deliveries.filter(state=DeliveryState.PLANNED).order_by("id")[:2]
    sandbox.directory.update("mailboxes", int(taken.mailbox_remote_id), user_id=int(other.person_remote_id))
    before = get_held(sandbox)[taken.mailbox_remote_id]

    start_delivery(run, actor="test")
    run = carry_out(run.pk)

    assert get_row(run, taken.mailbox_remote_id).reason_code == "moved"
    assert get_held(sandbox)[taken.mailbox_remote_id] == before
    assert get_row(run, other.mailbox_remote_id).state == DeliveryState.DELIVERED


def test_person_locked_after_the_plan_is_not_written(sandbox, ready, domain, resync):
    run = plan_delivery(domain, actor="test")
    taken = run.deliveries.filter(state=DeliveryState.PLANNED).first()
    sandbox.directory.set_locked(int(taken.person_remote_id))
    resync()
    sandbox.requests.clear()

    start_delivery(run, actor="test")
    run = carry_out(run.pk)

    assert get_row(run, taken.mailbox_remote_id).reason_code == "person_gone"
    assert taken.mailbox_remote_id not in get_writes(sandbox)


def test_mailbox_that_already_holds_its_signature_is_not_written(sandbox, ready, domain):
    run = plan_delivery(domain, actor="test")
    planned = list(run.deliveries.filter(state=DeliveryState.PLANNED).select_related("sender__person"))
    composer = Composer(domain, get_live_content(domain))
    composer.load([row.sender for row in planned])
    for row in planned:  # pasted by hand after the plan, so the mirror still shows what was there before
        html = composer.compose(row.sender).rendered.html
        sandbox.directory.set_signature(int(row.mailbox_remote_id), html)
    start_delivery(run, actor="test")
    sandbox.requests.clear()

    run = carry_out(run.pk)

    assert run.planned == len(planned) > 0
    assert (run.state, run.delivered, run.unchanged) == (DeliveryRunState.COMPLETE, 0, len(planned))
    assert get_writes(sandbox) == []
    assert {get_row(run, row.mailbox_remote_id).reason_code for row in planned} == {"unchanged"}
    assert not Snapshot.objects.exists()


def test_second_start_is_blocked_while_one_is_unfinished(sandbox, ready, domain):
    first = plan_delivery(domain, actor="test")
    senders = list(first.deliveries.exclude(sender=None).values_list("sender", flat=True))
    second = plan_delivery(domain, actor="test", sender_ids=senders)
    start_delivery(first, actor="test")

    with pytest.raises(DeliveryBlocked, match="running already"):
        start_delivery(second, actor="test")
    with pytest.raises(DeliveryBlocked, match="started or replaced"):
        carry_out(first.pk)
        start_delivery(first, actor="test")


def test_planning_again_replaces_the_earlier_plan_and_leaves_another_domains(
    sandbox, ready, domain, other_domain, connection
):
    theirs = DeliveryRun.objects.create(domain=other_domain, connection=connection, started_by_label="them")
    first = plan_delivery(domain, actor="test")

    second = plan_delivery(domain, actor="test")

    assert set(DeliveryRun.objects.values_list("pk", flat=True)) == {second.pk, theirs.pk}
    assert not Delivery.objects.filter(run=first.pk).exists()


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"scopes_granted": ["users.all"]}, "The permission mailboxes.all is not granted"),
        ({"scopes_switched_off": ["mailboxes.all"]}, "was switched off here"),
        ({"state": "lost", "state_reason": "Revoked over there."}, "Revoked over there."),
        ({"state": "disconnecting"}, "is being disconnected"),
        ({"state": "disconnected"}, "is not connected"),
    ],
)
def test_planning_is_blocked_with_the_reason_and_without_a_request(sandbox, ready, domain, columns, sentence):
    type(ready).objects.filter(pk=ready.pk).update(**columns)

    with pytest.raises(DeliveryBlocked, match=sentence):
        plan_delivery(domain, actor="test")

    assert list(sandbox.requests) == []


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [({"mode": "dry_run"}, "dry run"), ({"paused_at": "2026-01-01T00:00:00Z"}, "paused")],
)
def test_starting_is_blocked_in_dry_run_and_while_paused(sandbox, ready, domain, columns, sentence):
    run = plan_delivery(domain, actor="test")
    type(ready).objects.filter(pk=ready.pk).update(**columns)

    with pytest.raises(DeliveryBlocked, match=sentence):
        start_delivery(run, actor="test")

    run.refresh_from_db()
    assert (run.state, list(sandbox.requests)) == (DeliveryRunState.PLANNED, [])
