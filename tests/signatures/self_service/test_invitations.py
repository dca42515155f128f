"""Sender invitations: to the address in Outreach alone, by a link that works once, and what ends it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations.models import Connection, LedgerEntry
from portal.accounts.sender_invitations import ask_for_reminders, send_invitation_mails
from portal.models import Domain, Membership, Role, User
from portal.tasks import invite_senders
from signatures.models import SelfService, Sender, SenderAccount, SenderInvitation
from tests.support.company import Company
from tests.support.database_text import dump_database
from tests.support.furnished_domain import make_user
from tests.support.page_text import words_of
from tests.support.self_service import get_me, switch_on
from tests.support.senders import add_sender

PASSWORD = "seven green kettles"
JOIN = "/invitations/"


@pytest.fixture
def priya(domain: Domain) -> Sender:
    return add(domain, "Priya")


@pytest.fixture
def dan(domain: Domain) -> Sender:
    """Another sender of the same domain, who must not be let in."""
    return add(domain, "Dan")


@pytest.fixture
def bo(other_domain: Domain) -> Sender:
    return add(other_domain, "Bo")


def add(domain: Domain, name: str) -> Sender:
    """Return a new sender of a domain with self-service."""
    switch_on(domain)
    connection = Connection.objects.filter(domain=domain).first() or Connection.objects.create(domain=domain)
    return add_sender(Company(domain, connection), name)


@pytest.fixture
def boss(client: Client, domain: Domain) -> User:
    user = make_user("dana@acme.example")
    Membership.objects.create(domain=domain, user=user, role=Role.ADMIN)
    client.force_login(user)
    return user


def act(client: Client, sender: Sender, **typed: Any) -> str:
    """Press a button of the page; what it says then."""
    path = reverse("portal:self_service_act", args=[sender.domain.name])
    return words_of(client.post(path, {"sender": sender.pk} | typed, follow=True))


def read_link(mail: EmailMessage) -> str:
    found = re.search(r"http\S+(/invitations/\S+/)", str(mail.body))
    assert found, mail.body
    return found[1]


@pytest.fixture
def link(client: Client, boss: User, priya: Sender, dan: Sender, mailoutbox: list[EmailMessage]) -> str:
    act(client, priya, act="invite")
    invite_senders()
    return read_link(mailoutbox[-1])


def follow(link: str, **typed: str) -> tuple[Client, Any]:
    browser = Client()
    browser.get(link)
    return browser, browser.post(JOIN, typed or {"password1": PASSWORD, "password2": PASSWORD})


def list_accounts() -> set[tuple[str, str]]:
    return set(SenderAccount.objects.values_list("sender__email", "user__email"))


# ── from invitation to page ──────────────────────────────────────────────────────────────────────
def test_the_link_leads_to_a_password_and_to_ones_own_signature(link, priya, dan, mailoutbox):
    assert [mail.to for mail in mailoutbox] == [["priya@acme.example"]]

    browser, answer = follow(link)

    assert answer["Location"] == get_me(priya)
    assert browser.get(answer["Location"]).status_code == 200
    assert list_accounts() == {("priya@acme.example", "priya@acme.example")}
    assert not Membership.objects.filter(user__email="priya@acme.example").exists()
    assert list(
        LedgerEntry.objects.filter(action__startswith="sender")
        .order_by("pk")
        .values_list("action", "actor_label", "detail")
    ) == [
        ("senders invited", "dana@acme.example", "1: priya@acme.example"),
        ("sender account opened", "priya@acme.example", "invited by dana@acme.example"),
    ]


def test_no_row_holds_what_the_link_holds(link):
    token = link.removeprefix("/invitations/").rstrip("/")

    assert token not in dump_database()


def test_a_link_works_once(link, priya):
    follow(link)

    _, again = follow(link)

    assert (again.status_code, "This invitation was used" in words_of(again)) == (410, True)
    assert len(list_accounts()) == 1


def test_somebody_else_who_is_signed_in_cannot_accept(link, boss, client):
    client.get(link)

    assert client.post(JOIN).status_code == 403
    assert list_accounts() == set()


def test_a_person_with_a_login_signs_in_with_it(link, priya):
    user = make_user(priya.email)
    browser = Client()
    browser.get(link)
    assert "You have an account with this address" in words_of(browser.get(JOIN))
    browser.force_login(user)
    browser.get(link)

    assert browser.post(JOIN)["Location"] == get_me(priya)


# ── what ends it ─────────────────────────────────────────────────────────────────────────────────
def withdraw(client: Client, priya: Sender) -> None:
    act(client, priya, act="withdraw")


def lock(client: Client, priya: Sender) -> None:
    Sender.objects.filter(pk=priya.pk).update(is_active=False)


def give_another_address(client: Client, priya: Sender) -> None:
    Sender.objects.filter(pk=priya.pk).update(email="priya.khan@acme.example")


def switch_off(client: Client, priya: Sender) -> None:
    SelfService.objects.update(is_on=False)


def take_the_role(client: Client, priya: Sender) -> None:
    Membership.objects.update(role=Role.AUDITOR)


@pytest.mark.parametrize("end", [withdraw, lock, give_another_address, switch_off, take_the_role])
def test_a_link_opens_nothing_any_more(link, client, priya, end):
    end(client, priya)

    _, answer = follow(link)

    assert answer.status_code == 410
    assert list_accounts() == set()
    assert not User.objects.filter(email=priya.email).exists()


def test_a_link_expires_after_the_days_of_the_setting(client, boss, priya, mailoutbox):
    SelfService.objects.update(valid_days=2)
    act(client, priya, act="invite")
    invite_senders()

    with time_machine.travel(timezone.now() + timedelta(days=2, minutes=1), tick=True):
        _, answer = follow(read_link(mailoutbox[-1]))

    assert (answer.status_code, "has expired" in words_of(answer)) == (410, True)


def test_access_ends_with_a_button(link, client, priya, dan):
    browser, answer = follow(link)
    SenderAccount.objects.create(sender=dan, user=make_user(dan.email))

    assert "Access ended: 1 sender." in act(client, priya, act="end")

    assert browser.get(answer["Location"]).status_code == 404
    assert list_accounts() == {(dan.email, dan.email)}


# ── many, again, reminders ───────────────────────────────────────────────────────────────────────
def test_everybody_of_a_list_is_invited_once(client, boss, priya, dan, bo, mailoutbox):
    gone = add(priya.domain, "Gone")
    Sender.objects.filter(pk=gone.pk).update(is_active=False)

    for _ in range(2):
        act(client, priya, act="invite", all="1", state="none")
    invite_senders()

    assert sorted(mail.to[0] for mail in mailoutbox) == ["dan@acme.example", "priya@acme.example"]
    assert SenderInvitation.objects.count() == 2


def test_a_link_that_is_sent_again_takes_the_place_of_the_former(link, client, priya, mailoutbox):
    act(client, priya, act="again")
    invite_senders()

    assert follow(link)[1].status_code == 410
    assert follow(read_link(mailoutbox[-1]))[1]["Location"] == get_me(priya)


def test_one_reminder_goes_out_after_the_days_of_the_setting(link, priya, mailoutbox):
    assert ask_for_reminders() == 0
    with time_machine.travel(timezone.now() + timedelta(days=3, minutes=1), tick=True):
        invite_senders()
        invite_senders()
        assert len(mailoutbox) == 2
        assert "A reminder" in mailoutbox[1].body
        assert follow(read_link(mailoutbox[1]))[1]["Location"] == get_me(priya)
    with time_machine.travel(timezone.now() + timedelta(days=8), tick=True):
        invite_senders()
    assert len(mailoutbox) == 2


def test_a_mail_that_is_not_taken_is_tried_again(client, boss, priya, mailoutbox, settings):
    act(client, priya, act="invite")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1  # nobody listens
    assert send_invitation_mails() == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert send_invitation_mails() == 0

    with time_machine.travel(timezone.now() + timedelta(minutes=11), tick=True):
        assert send_invitation_mails() == 1
        assert follow(read_link(mailoutbox[-1]))[1]["Location"] == get_me(priya)


def test_nothing_is_sent_once_self_service_is_off(client, boss, priya, mailoutbox):
    act(client, priya, act="invite")
    SelfService.objects.update(is_on=False)

    invite_senders()

    assert mailoutbox == []
    assert "Self-service is off" in act(client, priya, act="invite")


# ── who may ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("role", [Role.EDITOR, Role.AUDITOR])
def test_roles_that_may_not_invite_are_refused(client, boss, priya, role):
    Membership.objects.filter(user=boss).update(role=role)
    path = reverse("portal:self_service_act", args=[priya.domain.name])

    assert client.post(path, {"sender": priya.pk, "act": "invite"}).status_code == 403
    assert not SenderInvitation.objects.exists()


def test_a_sender_of_another_domain_is_not_invited(client, boss, priya, bo):
    path = reverse("portal:self_service_act", args=[priya.domain.name])

    client.post(path, {"sender": bo.pk, "act": "invite"})

    assert not SenderInvitation.objects.exists()


def test_the_page_shows_how_far_each_has_come(link, client, priya, dan):
    path = reverse("portal:self_service", args=[priya.domain.name])
    assert "Priya Invited priya@acme.example" in words_of(client.get(path))
    Client().get(link)
    browser = Client()
    browser.get(link)
    browser.get(JOIN)
    assert "Priya Invitation opened" in words_of(client.get(path, {"state": "opened"}))
    follow(link)

    words = words_of(client.get(path))

    assert "Priya Signed in" in words
    assert "Dan Not invited" in words
    assert "Dan" not in words_of(client.get(path, {"state": "signed_in"})).partition("Address")[2]


def test_the_page_of_a_sender_invites_them(client, boss, priya, dan):
    page = reverse("signatures:sender", args=[priya.domain.name, priya.pk])
    assert "Invite Priya" in words_of(client.get(page))

    words = act(client, priya, act="invite", one="1")

    assert "Self-service Invitation queued Send again Withdraw invitation" in words
    assert list(SenderInvitation.objects.values_list("sender", flat=True)) == [priya.pk]
