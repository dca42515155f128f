"""The mail about edits: each edit listed once, at most one mail a day, and one when all are decided."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from integrations.notices.sending import send_notice
from integrations.notices.watch import watch_connections
from portal.models import Role
from tests.support.deliveries import get_delivered
from tests.support.hand_edits import edit, get_state, pick_mailboxes, sync_mailboxes

pytestmark = pytest.mark.django_db(transaction=True)


def mail_what_is_owed(*, days: int = 0) -> list:
    """What the schedule does each five minutes, so many days from now; the mails it sent."""
    before = len(mail.outbox)
    with time_machine.travel(timezone.now() + timedelta(days=days), tick=True):
        for notice_id in watch_connections():
            send_notice(notice_id)
        watch_connections()
    return [sent for sent in mail.outbox[before:] if "edited in Outreach" in sent.subject]


def test_an_edit_is_mailed_once_to_owners_and_admins_and_another_one_the_next_day(
    sandbox, ready, deliver, domain, owner, make_member
):
    admin, editor = make_member(domain, Role.ADMIN), make_member(domain, Role.EDITOR)
    mine, theirs = pick_mailboxes(get_delivered(deliver()))
    edit(sandbox, mine)
    sync_mailboxes(ready)

    [first] = mail_what_is_owed()
    again = mail_what_is_owed()
    edit(sandbox, theirs, "")
    sync_mailboxes(ready)
    same_day = mail_what_is_owed()
    [second] = mail_what_is_owed(days=2)
    [reminder] = mail_what_is_owed(days=30)

    assert sorted(first.to) == sorted([admin.email, owner.email])
    assert editor.email not in first.to
    assert "1 mailbox was edited" in first.body
    assert get_state(mine).mailbox.email in first.body
    assert reverse("signatures:drift", args=[domain.name]) in first.body
    assert (again, same_day) == ([], [])
    assert "2 mailboxes were edited" in reminder.body
    assert get_state(theirs).mailbox.email not in reminder.body  # each edit is listed once
    assert get_state(theirs).mailbox.email in second.body
    assert get_state(mine).mailbox.email not in second.body


def test_what_is_resolved_before_the_mail_needs_none(sandbox, ready, deliver, owner):
    mine, _ = pick_mailboxes(get_delivered(deliver()))
    html = {str(id): box.email_signature for id, box in sandbox.directory.mailboxes.items()}[mine]
    edit(sandbox, mine)
    sync_mailboxes(ready)
    edit(sandbox, mine, html)
    sync_mailboxes(ready)

    assert mail_what_is_owed() == []


def test_once_every_edit_is_decided_the_notice_is_over_and_says_so(sandbox, ready, deliver, owner):
    mine, _ = pick_mailboxes(get_delivered(deliver()))
    html = {str(id): box.email_signature for id, box in sandbox.directory.mailboxes.items()}[mine]
    edit(sandbox, mine)
    sync_mailboxes(ready)
    [first] = mail_what_is_owed()
    edit(sandbox, mine, html)
    sync_mailboxes(ready)

    [over] = mail_what_is_owed()

    assert "resolved" not in first.subject and "resolved" in over.subject
    assert mail_what_is_owed() == []
