"""One person's mailboxes, read back from their page."""

from __future__ import annotations

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from signatures.models import MailboxState, Placement, Sender
from tests.support.deliveries import get_held, get_writes


@pytest.fixture
def delivered(ready, deliver):
    return deliver()


@pytest.fixture
def check(client, owner, domain):
    """Press the button on a sender's page; return what the portal answers."""
    client.force_login(owner)

    def press(remote_id: str) -> list[str]:
        sender = Sender.objects.get(domain=domain, person__remote_id=remote_id)
        response = client.post(reverse("signatures:sender_check", args=[domain.name, sender.pk]))
        assert response.status_code == 302
        return [str(message) for message in get_messages(response.wsgi_request)]

    return press


pytestmark = pytest.mark.django_db(transaction=True)


def test_a_signature_in_place_is_said_to_be(sandbox, delivered, check):
    before, sandbox_writes = get_held(sandbox), get_writes(sandbox)

    assert check("1") == ["Checked in Outreach: every delivered signature is up to date."]
    assert (get_held(sandbox), get_writes(sandbox)) == (before, sandbox_writes)


def test_an_edit_is_named_with_its_mailbox_and_nobody_elses(sandbox, delivered, check):
    placed = set(Placement.objects.values_list("mailbox_remote_id", flat=True))
    mine = next(box for box in sandbox.directory.mailboxes_of(1) if str(box.id) in placed)
    sandbox.directory.set_signature(mine.id, "<p>My own words</p>")

    assert check("1") == [
        f"{mine.email} was edited in Outreach since the last delivery. "
        "Deliveries do not change that, except with “Overwrite manual edits”."
    ]
    assert check("3")[-1] == "Checked in Outreach: every delivered signature is up to date."


def test_nothing_delivered_yet_is_said_so(sandbox, ready, check):
    assert check("1") == ["Checked in Outreach: nothing was delivered there yet."]


def test_a_mailbox_that_is_gone_is_said_to_be(sandbox, delivered, check):
    sandbox.directory.remove_mailbox(sandbox.directory.mailboxes_of(1)[0].id)

    assert check("1") == ["Outreach no longer lists one of these mailboxes. The next sync removes it here."]


def test_an_outreach_that_does_not_answer_is_said_in_words(sandbox, delivered, check):
    sandbox.faults.add("status", status=404, path="/api/v2/mailboxes", times=None)

    (said,) = check("1")

    assert "Outreach" in said
    assert "Traceback" not in said


def test_a_check_leaves_page_list_and_overview_saying_the_same(
    client, sandbox, delivered, check, domain, bystanders
):
    mailbox = sandbox.directory.mailboxes_of(1)[0]
    elsewhere = sandbox.directory.mailboxes_of(3)[0]
    others = list(MailboxState.objects.exclude(mailbox__person_remote_id="1").values_list("pk", "status"))
    sandbox.directory.set_signature(mailbox.id, "<p>My own words</p>")
    sandbox.directory.set_signature(elsewhere.id, "<p>Not asked about</p>")

    check("1")

    sender = Sender.objects.get(domain=domain, person__remote_id="1")
    page = client.get(reverse("signatures:sender", args=[domain.name, sender.pk]))
    listed = client.get(reverse("signatures:senders", args=[domain.name]), {"state": "edited"})
    assert page.context["status"] == "edited"
    assert [row.sender for row in listed.context["rows"]] == [sender]
    assert list(MailboxState.objects.filter(status="edited").values_list("sender", flat=True)) == [sender.pk]
    found = MailboxState.objects.exclude(mailbox__person_remote_id="1").values_list("pk", "status")
    assert list(found) == others
