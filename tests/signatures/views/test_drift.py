"""Edited in Outreach: what the page shows, what each decision does, and what it never touches."""

from __future__ import annotations

import csv
import io

import pytest
from django.contrib.messages import get_messages
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_q.models import OrmQ

from integrations.models import LedgerEntry, SyncRun
from portal.models import Role
from signatures import tasks
from signatures.models import DeliveryRun, LeftAlone, MailboxState, Sender
from tests.support.deliveries import get_delivered, get_held, get_writes
from tests.support.hand_edits import MINE, edit, get_state, pick_mailboxes, set_policy, sync_mailboxes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def boxes(sandbox, ready, deliver):
    """Two delivered mailboxes of different groups; in the first, the title is another one, the second is emptied."""
    mine, theirs = pick_mailboxes(get_delivered(deliver()))
    title = get_state(mine).sender.person.title
    html = get_held(sandbox)[mine]
    assert html.count(title) == 1
    edit(sandbox, mine, html.replace(title, "Chief Lamplighter"))
    edit(sandbox, theirs, "")
    sync_mailboxes(ready)
    sandbox.requests.clear()
    return mine, theirs


@pytest.fixture
def page(client, owner, domain):
    client.force_login(owner)
    return lambda **query: client.get(reverse("signatures:drift", args=[domain.name]), query)


@pytest.fixture
def decide(client, owner, domain):
    """Press a button of the page for these mailboxes; return what the portal says."""
    client.force_login(owner)

    def press(decision: str, *seen: MailboxState, **more: str) -> list[str]:
        body = {"decision": decision, "mailbox": [f"{one.pk}:{one.held_sha256}" for one in seen], **more}
        response = client.post(reverse("signatures:drift_decide", args=[domain.name]), body)
        assert response.status_code == 302
        return [str(message) for message in get_messages(response.wsgi_request)]

    return press


def start(client, domain) -> None:
    run = DeliveryRun.objects.get(state="planned")
    client.post(reverse("signatures:delivery_start", args=[domain.name, run.pk]))
    tasks.deliver_signatures(run_id=run.pk)


def test_the_page_shows_theirs_beside_ours_with_the_words_that_differ(client, sandbox, domain, boxes, page):
    mine, theirs = map(get_state, boxes)

    shown = page(mailbox=mine.pk)

    row = shown.context["shown"]
    [difference] = row.edit.differences
    assert [each.edit.state for each in shown.context["rows"]] == [mine, theirs]
    assert (difference.label, row.edit.takeover.field.name) == ("Job title", "sender.title")
    assert row.edit.takeover.value == "Chief Lamplighter"
    assert "Lamplighter</ins>" in shown.content.decode()
    frame = reverse("signatures:drift_frame", args=[domain.name, mine.pk])
    assert "Chief Lamplighter" in client.get(frame, {"side": "theirs"}).content.decode()
    ours = client.get(frame, {"side": "ours"})
    assert "Chief Lamplighter" not in ours.content.decode()
    assert "sandbox" in ours["Content-Security-Policy"]
    assert (
        "No signature"
        in client.get(
            reverse("signatures:drift_frame", args=[domain.name, theirs.pk]), {"side": "theirs"}
        ).content.decode()
    )


def test_a_domain_without_edits_says_so_and_lists_nobody(sandbox, ready, deliver, page):
    deliver()

    shown = page()

    assert shown.context["rows"] == []
    assert "Nothing to decide" in shown.content.decode()


def test_the_page_asks_as_much_for_three_edits_as_for_one(sandbox, ready, deliver, page):
    delivered = sorted(get_delivered(deliver()), key=int)
    edit(sandbox, delivered[0])
    sync_mailboxes(ready)
    page()
    with CaptureQueriesContext(database) as one:
        page()
    edit(sandbox, delivered[1])
    edit(sandbox, delivered[2])
    sync_mailboxes(ready)
    with CaptureQueriesContext(database) as three:
        page()

    assert len(three) == len(one)


def test_keep_theirs_leaves_exactly_this_edit_alone_and_says_who(sandbox, ready, owner, boxes, decide):
    mine = get_state(boxes[0])

    said = decide("keep", mine)

    kept = LeftAlone.objects.get()
    [act] = LedgerEntry.objects.filter(action="mailbox edit kept")
    assert said == ["Edit kept in 1 mailbox."]
    assert (kept.mailbox_remote_id, kept.decided_by_label, kept.until) == (boxes[0], owner.email, None)
    assert (act.object_ref, act.actor_label) == (kept.mailbox_email, owner.email)
    assert (get_state(boxes[0]).status, get_state(boxes[1]).status) == ("left_alone", "emptied")
    assert get_writes(sandbox) == []


def test_an_edit_is_kept_until_the_day_that_was_entered(boxes, decide, client, domain):
    mine = get_state(boxes[0])
    past = client.post(
        reverse("signatures:drift_decide", args=[domain.name]),
        {"decision": "keep", "mailbox": f"{mine.pk}:{mine.held_sha256}", "until": "2020-01-01"},
    )
    decide("keep", mine, until="2999-12-31")

    assert past.status_code == 422
    assert f"{LeftAlone.objects.get().until:%Y-%m-%d}" == "2999-12-31"


def test_replace_plans_for_exactly_these_and_writes_only_once_a_person_starts_it(
    client, sandbox, domain, owner, boxes, decide
):
    mine, theirs = map(get_state, boxes)

    said = decide("replace", mine, theirs)
    planned = DeliveryRun.objects.get(state="planned")
    before = get_writes(sandbox)
    start(client, domain)

    assert said == ["Delivery planned for 2 mailboxes. Start it to write."]
    assert (planned.planned, planned.started_by, planned.overwrites_edits) == (2, owner, True)
    assert (before, sorted(get_writes(sandbox))) == ([], sorted(boxes))
    assert {get_state(box).status for box in boxes} == {"up_to_date"}
    assert LedgerEntry.objects.filter(action="mailbox edit replaced", actor_label=owner.email).count() == 2


def test_a_value_taken_over_is_their_override_and_written_with_the_rest(
    client, sandbox, domain, boxes, decide
):
    mine, theirs = map(get_state, boxes)

    said = decide("take_over", mine, theirs)

    sender = Sender.objects.get(pk=mine.sender_id)
    assert sender.own_values == {"sender.title": "Chief Lamplighter"}
    assert said[0] == f"{theirs.mailbox.email} has no single value that can be taken over."
    assert get_state(boxes[0]).status == "up_to_date"  # what they wrote is what ours says now
    assert get_state(boxes[1]).status == "emptied"
    assert get_writes(sandbox) == []


def test_more_than_one_replaced_value_is_never_taken_over(sandbox, ready, deliver, page):
    mine, _ = pick_mailboxes(get_delivered(deliver()))
    person = get_state(mine).sender.person
    html = get_held(sandbox)[mine]
    edit(
        sandbox,
        mine,
        html.replace(person.title, "Chief Lamplighter").replace(person.phone, "+44 7700 900142"),
    )
    sync_mailboxes(ready)

    assert page().context["shown"].edit.takeover is None


def test_what_another_decided_meanwhile_is_said_and_nothing_is_planned(
    client, sandbox, domain, make_member, boxes, decide, owner
):
    mine = get_state(boxes[0])
    decide("keep", mine)

    client.force_login(make_member(domain, Role.ADMIN))
    said = decide("replace", mine)[-1]

    assert said.startswith(f"{mine.mailbox.email}: {owner.email} kept it 0\xa0minutes ago.")
    assert DeliveryRun.objects.filter(overwrites_edits=True).count() == 0
    assert LeftAlone.objects.get().decided_by_label == owner.email


def test_an_edit_made_after_the_page_was_loaded_is_not_decided_about(sandbox, ready, boxes, decide):
    seen = get_state(boxes[0])
    edit(sandbox, boxes[0], MINE)
    sync_mailboxes(ready)

    said = decide("replace", seen)

    assert said == [
        f"{seen.mailbox.email} was edited again since this page was loaded. Review it, then decide."
    ]
    assert not DeliveryRun.objects.filter(overwrites_edits=True).exists()


def test_an_edit_kept_after_it_was_planned_is_not_overwritten(client, sandbox, domain, boxes, decide):
    mine = get_state(boxes[0])
    decide("replace", mine)
    decide("keep", mine)

    start(client, domain)

    assert get_writes(sandbox) == []
    assert get_state(boxes[0]).status == "left_alone"


def test_manage_again_hands_the_mailbox_back_and_no_other(client, sandbox, domain, boxes, decide):
    mine, theirs = map(get_state, boxes)
    decide("keep", mine, theirs)
    kept = LeftAlone.objects.get(mailbox_remote_id=boxes[0])
    page = client.get(reverse("signatures:left_alone", args=[domain.name]))

    client.post(reverse("signatures:left_alone_end", args=[domain.name]), {"row": kept.pk})

    assert {row.mailbox_remote_id for row, _ in page.context["rows"]} == set(boxes)
    assert [row.mailbox_remote_id for row in LeftAlone.objects.all()] == [boxes[1]]
    assert (get_state(boxes[0]).status, get_state(boxes[1]).status) == ("edited", "left_alone")


def test_check_now_asks_for_a_reading_of_mailboxes_alone(client, sandbox, domain, owner, boxes):
    client.force_login(owner)

    client.post(reverse("signatures:drift_check", args=[domain.name]))

    run = SyncRun.objects.first()
    assert (run.kind, run.state, run.started_by) == ("mailboxes", "queued", owner)
    assert [entry.task["func"] for entry in OrmQ.objects.all()][-1] == "integrations.tasks.sync_directory"


def test_another_domains_edits_are_neither_listed_nor_decided(
    client, sandbox, boxes, other_domain, make_member
):
    client.force_login(make_member(other_domain, Role.OWNER))
    mine = get_state(boxes[0])

    page = client.get(reverse("signatures:drift", args=[other_domain.name]))
    client.post(
        reverse("signatures:drift_decide", args=[other_domain.name]),
        {"decision": "keep", "mailbox": f"{mine.pk}:{mine.held_sha256}"},
    )

    assert page.context["rows"] == []
    assert (LeftAlone.objects.count(), get_state(boxes[0]).status) == (0, "edited")


def test_a_policy_that_asks_is_an_entry_of_the_overview(client, domain, owner, boxes):
    client.force_login(owner)
    overview = reverse("portal:overview", args=[domain.name])
    before = client.get(overview).context["overview"]
    set_policy(boxes[0], "ask")

    after = client.get(overview).context["overview"]

    [cause] = [each for each in after.causes if each not in before.causes]
    assert (cause.mailboxes, cause.url) == (1, reverse("signatures:drift", args=[domain.name]))
    assert cause.senders == (get_state(boxes[0]).sender,)
    assert after.needs_you_total == before.needs_you_total + 1


def test_what_outreach_only_rewrote_counts_as_up_to_date_and_has_a_filter_of_its_own(
    client, sandbox, domain, owner, ready, deliver, page
):
    sandbox.settings.signature_normaliser = "wrap"
    delivered = get_delivered(deliver())
    client.force_login(owner)
    senders = reverse("signatures:senders", args=[domain.name])

    def count(state: str) -> int:
        return client.get(senders, {"state": state}).context["page_obj"].paginator.count

    assert MailboxState.objects.filter(status="altered").count() == len(delivered)
    overview = client.get(reverse("portal:overview", args=[domain.name])).context["overview"]
    assert overview.up_to_date == len(delivered)
    assert count("up_to_date") == count("altered") > 0
    assert count("edited") == 0
    assert page().context["rows"] == []


def test_the_edits_leave_as_a_table_in_which_nothing_is_a_formula(
    client, sandbox, domain, ready, boxes, page
):
    mine, theirs = boxes
    edit(sandbox, mine, "<p>=HYPERLINK(1)</p>")
    sync_mailboxes(ready)
    state = get_state(mine)

    page()  # signs in
    response = client.get(reverse("signatures:drift_export", args=[domain.name]))

    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))
    assert {row["Mailbox ID"] for row in rows} == {mine, theirs}
    [row] = [row for row in rows if row["Mailbox ID"] == mine]
    assert (row["Sender"], row["Status"]) == (str(state.sender), "Edited in Outreach")
    assert row["In the mailbox"] == "'=HYPERLINK(1)" and str(state.sender) in row["Live release"]
    assert [row["What differs"] for row in rows if row["Mailbox ID"] == theirs] == ["No signature"]
    assert response["Content-Disposition"] == 'attachment; filename="edited-acme.example.csv"'
    entry = LedgerEntry.objects.get(action="edits downloaded")
    assert (entry.actor_label, entry.detail) == (
        Role.OWNER + "@acme.example",
        "2 mailboxes edited in Outreach",
    )


def test_the_edits_are_given_only_to_who_confirmed_lately_who_they_are(client, domain, boxes, page):
    page()
    session = client.session
    session["authenticated_at"] = 0.0
    session.save()

    response = client.get(reverse("signatures:drift_export", args=[domain.name]))

    assert response.status_code == 302 and "reauthenticate" in response["Location"]
    assert not LedgerEntry.objects.filter(action="edits downloaded").exists()
