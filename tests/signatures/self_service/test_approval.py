"""Waiting changes: who approves them, what that changes, and who is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations.models import Connection, LedgerEntry
from portal.models import Domain, Membership, Role, User
from signatures.models import EditedBy, FieldSetting, Sender, SenderAccount, SenderChange
from signatures.self_service.change_mails import send_change_mails
from signatures.self_service.changes import save_changes
from tests.support.company import Company
from tests.support.furnished_domain import make_user
from tests.support.page_text import words_of
from tests.support.self_service import switch_on
from tests.support.senders import add_sender, get_own

URL = "https://www.linkedin.com/in/priya"
FIELD = "sender.linkedin_url"


def add(domain: Domain, name: str) -> Sender:
    """Return a sender with a login, of a domain with self-service."""
    switch_on(domain)
    connection = Connection.objects.filter(domain=domain).first() or Connection.objects.create(domain=domain)
    sender = add_sender(Company(domain, connection), name)
    SenderAccount.objects.create(sender=sender, user=make_user(sender.email))
    return sender


def ask(sender: Sender, value: str = URL) -> int:
    """The sender asks for this value; the id of the change."""
    return save_changes(sender, {FIELD: value}, actor=sender.email)[0].pk


@pytest.fixture
def priya(domain: Domain) -> Sender:
    return add(domain, "Priya")


@pytest.fixture
def dan(domain: Domain) -> Sender:
    """Another sender, with a change that nobody decides."""
    dan = add(domain, "Dan")
    ask(dan, "https://www.linkedin.com/in/dan")
    return dan


@pytest.fixture
def bo(other_domain: Domain) -> Sender:
    bo = add(other_domain, "Bo")
    ask(bo, "https://www.linkedin.com/in/bo")
    return bo


@pytest.fixture
def boss(client: Client, domain: Domain) -> User:
    user = make_user("ruth@acme.example")
    Membership.objects.create(domain=domain, user=user, role=Role.APPROVER)
    client.force_login(user)
    return user


def decide(client: Client, domain: Domain, *ids: int, **typed: Any) -> Any:
    path = reverse("signatures:sender_changes_decide", args=[domain.name])
    return client.post(path, {"change": ids} | typed, follow=True)


def list_states() -> dict[str, str]:
    return {change.sender.name: change.state for change in SenderChange.objects.select_related("sender")}


def test_an_approved_change_becomes_the_senders_value(client, boss, domain, priya, dan, bo):
    pk = ask(priya)
    assert URL in words_of(client.get(reverse("signatures:sender_changes", args=[domain.name])))

    answer = decide(client, domain, pk, decision="approve")

    assert "1 change approved." in words_of(answer)
    assert get_own() == {priya.email: {FIELD: URL}, dan.email: {}, bo.email: {}}
    assert list_states() == {"Priya": "approved", "Dan": "waiting", "Bo": "waiting"}
    assert LedgerEntry.objects.get(action="sender change approved").actor_label == boss.email
    assert Sender.objects.get(pk=priya.pk).value_origins[FIELD]["kind"] == "self-service"


def test_a_declined_change_is_told_to_its_sender_with_the_comment(
    client, boss, domain, priya, dan, mailoutbox
):
    decide(client, domain, ask(priya), decision="decline", comment="Use the company page.")
    send_change_mails()
    send_change_mails()

    assert get_own()[priya.email] == {}
    assert [(mail.to, "Use the company page." in mail.body) for mail in mailoutbox] == [([priya.email], True)]


def test_declining_asks_for_a_comment(client, boss, domain, priya):
    answer = decide(client, domain, ask(priya), decision="decline")

    assert (answer.status_code, "Write why" in words_of(answer)) == (422, True)
    assert list_states() == {"Priya": "waiting"}


def test_many_are_decided_at_once_and_those_of_another_domain_never(client, boss, domain, priya, dan, bo):
    ask(priya)

    answer = decide(client, domain, *SenderChange.objects.values_list("pk", flat=True), decision="approve")

    assert "2 changes approved." in words_of(answer)
    assert list_states() == {"Priya": "approved", "Dan": "approved", "Bo": "waiting"}
    assert get_own()[bo.email] == {}


def test_what_was_decided_or_replaced_meanwhile_stays_as_it_is(client, boss, domain, priya):
    seen = ask(priya)
    ask(priya, f"{URL}-raman")

    answer = decide(client, domain, seen, decision="approve")

    assert "Some were decided or replaced meanwhile" in words_of(answer)
    assert get_own() == {priya.email: {}}


def test_a_value_that_no_longer_fits_is_not_approved(client, boss, domain, priya):
    pk = ask(priya)
    SenderChange.objects.update(value="javascript:alert(1)")

    assert decide(client, domain, pk, decision="approve").status_code == 422
    assert get_own() == {priya.email: {}}


@pytest.mark.parametrize("role", [Role.EDITOR, Role.AUDITOR])
def test_roles_that_may_not_publish_decide_nothing(client, boss, domain, priya, role):
    Membership.objects.update(role=role)

    assert decide(client, domain, ask(priya), decision="approve").status_code == 403
    assert list_states() == {"Priya": "waiting"}


def test_the_sender_does_not_approve_their_own(domain, priya):
    client = Client()
    client.force_login(User.objects.get(email=priya.email))

    assert decide(client, domain, ask(priya), decision="approve").status_code == 404
    assert get_own() == {priya.email: {}}


def test_approvers_are_told_once_and_together(client, boss, priya, dan, bo, mailoutbox):
    ask(priya)
    assert send_change_mails() == 0  # others may follow within ten minutes

    with time_machine.travel(timezone.now() + timedelta(minutes=11), tick=True):
        send_change_mails()
        send_change_mails()

    assert [mail.to for mail in mailoutbox] == [[boss.email]]
    assert ("Priya" in mailoutbox[0].body, "Dan" in mailoutbox[0].body, "Bo" in mailoutbox[0].body) == (
        True,
        True,
        False,
    )


def test_a_field_that_is_locked_meanwhile_can_still_be_decided(client, boss, domain, priya):
    pk = ask(priya)
    FieldSetting.objects.filter(name=FIELD).update(edited_by=EditedBy.ADMINS)

    decide(client, domain, pk, decision="decline", comment="Set by the company now.")

    assert list_states() == {"Priya": "declined"}
