"""Invitations: who may send them, what the link does, once, for seven days, and for one address alone."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations.models import LedgerEntry
from portal.models import Domain, Invitation, Membership, Role, User
from tests.support.database_text import dump_database
from tests.support.furnished_domain import make_user
from tests.support.page_text import words_of

NEW = "new@acme.example"
PASSWORD = "seven green kettles"
JOIN = "/invitations/"


def add(domain: Domain, role: Role, email: str) -> User:
    user = make_user(email)
    Membership.objects.create(domain=domain, user=user, role=role)
    return user


@pytest.fixture
def page(domain) -> str:
    return reverse("portal:members", args=[domain.name])


@pytest.fixture
def boss(client, domain, other_domain) -> User:
    """An owner, signed in; another domain's owner is in the room, and must stay alone there."""
    add(other_domain, Role.OWNER, "other@bystander.example")
    user = add(domain, Role.OWNER, "dana@acme.example")
    client.force_login(user)
    return user


@pytest.fixture
def link(client, boss, page, mailoutbox) -> str:
    """Where the mail of a new editor's invitation leads."""
    client.post(page, {"email": " New@Acme.example ", "role": "editor"})
    return read_link(mailoutbox)


def read_link(mailoutbox) -> str:
    found = re.search(r"http\S+(/invitations/\S+/)", mailoutbox[-1].body)
    assert found, mailoutbox[-1].body
    return found[1]


def list_members() -> set[tuple[str, str]]:
    return set(
        Membership.objects.exclude(role=Role.OWNER, domain__name="bystander.example").values_list(
            "user__email", "role"
        )
    )


def list_acts() -> list[tuple[str, str, str]]:
    return list(LedgerEntry.objects.order_by("pk").values_list("action", "actor_label", "detail"))


def join(client: Client, link: str, **typed: str):
    """Follow the link and send the page's form; the last answer."""
    client.get(link)
    return client.post(JOIN, typed)


OWNER = ("dana@acme.example", "owner")


# ── sending ──────────────────────────────────────────────────────────────────────────────────────
def test_an_invitation_is_mailed_and_makes_nobody_a_member_yet(client, boss, link, page, mailoutbox):
    assert [mail.to for mail in mailoutbox] == [[NEW]]
    assert mailoutbox[0].subject == "You are invited to acme.example in Countersign"
    assert list_members() == {OWNER}
    assert not User.objects.filter(email=NEW).exists()
    assert list_acts() == [("member invited", "dana@acme.example", f"{NEW} as editor")]
    assert NEW in words_of(client.get(page))


def test_the_link_is_in_the_mail_alone_and_not_in_the_database(client, boss, link):
    token = link.removeprefix(JOIN).strip("/")
    client.get(link)

    assert len(token) >= 43
    assert token not in dump_database()


def test_the_link_leads_to_the_configured_address_whatever_the_host_header_says(
    client, boss, page, mailoutbox
):
    client.post(page, {"email": NEW, "role": "editor"}, headers={"host": "evil.example"})

    assert "evil.example" not in mailoutbox[0].body


@pytest.mark.parametrize(
    ("typed", "errors"),
    [
        ({"email": "not an address", "role": "editor"}, {"email": ["Enter a valid email address."]}),
        (
            {"email": f"{NEW}\nBcc: all@acme.example", "role": "editor"},
            {"email": ["Enter a valid email address."]},
        ),
        ({"role": "editor"}, {"email": ["This field is required."]}),
        (
            {"email": "DANA@acme.example", "role": "auditor"},
            {"email": ["dana@acme.example is a member already, as owner."]},
        ),
    ],
)
def test_what_does_not_fit_is_refused_at_its_field(client, boss, page, typed, errors, mailoutbox):
    response = client.post(page, typed)

    assert dict(response.context["form"].errors) == errors
    assert (Invitation.objects.count(), mailoutbox) == (0, [])


def test_nobody_is_invited_twice_at_once(client, boss, link, page):
    response = client.post(page, {"email": NEW, "role": "auditor"})

    assert dict(response.context["form"].errors) == {
        "email": [f"{NEW} is invited already. Send that invitation again, or withdraw it."]
    }
    assert Invitation.objects.get().role == "editor"


def test_an_account_elsewhere_is_answered_like_none(client, boss, page, mailoutbox):
    answers = [
        words_of(client.post(page, {"email": email, "role": "auditor"}, follow=True)).replace(
            email, "somebody"
        )
        for email in ("other@bystander.example", "nobody@bystander.example")
    ]
    first = re.sub(r"Invited .*? Invite member", "", answers[0])

    assert first == re.sub(r"Invited .*? Invite member", "", answers[1])
    assert len(mailoutbox) == 2


def test_an_admin_invites_no_owner_and_touches_no_owners_invitation(client, boss, domain, page, mailoutbox):
    client.post(page, {"email": NEW, "role": "owner"})
    pending = Invitation.objects.get()
    client.force_login(add(domain, Role.ADMIN, "ari@acme.example"))

    refused = client.post(page, {"email": "third@acme.example", "role": "owner"})
    for act in ("resend", "withdraw"):
        client.post(reverse(f"portal:invitation_{act}", args=[domain.name, pending.pk]))

    assert list(refused.context["form"].errors) == ["role"]
    pending.refresh_from_db()
    assert pending.is_open and len(mailoutbox) == 1


def test_a_mail_server_that_is_down_is_said_and_the_invitation_can_be_sent_again(
    client, boss, page, domain, settings, mailoutbox
):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    response = client.post(page, {"email": NEW, "role": "editor"}, follow=True)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

    again = reverse("portal:invitation_resend", args=[domain.name, Invitation.objects.get().pk])
    client.post(again)

    assert "the mail could not be sent" in words_of(response)
    assert [mail.to for mail in mailoutbox] == [[NEW]]


# ── joining ──────────────────────────────────────────────────────────────────────────────────────
def test_somebody_new_chooses_a_password_and_is_a_member(boss, link):
    browser = Client()
    followed = browser.get(link)
    assert (followed["Location"], followed["Referrer-Policy"]) == (JOIN, "no-referrer")
    before = browser.session.session_key

    done = browser.post(JOIN, {"password1": PASSWORD, "password2": PASSWORD})

    assert done["Location"] == "/domains/acme.example/"
    assert list_members() == {OWNER, (NEW, "editor")}
    user = User.objects.get(email=NEW)
    assert user.check_password(PASSWORD)
    assert list(EmailAddress.objects.filter(user=user).values_list("email", "verified", "primary")) == [
        (NEW, True, True)
    ]
    assert browser.session["_auth_user_id"] == str(user.pk)
    assert browser.session.session_key != before
    assert list_acts()[1:] == [("member added", NEW, f"{NEW} as editor, invited by dana@acme.example")]


@pytest.mark.parametrize(
    ("first", "second", "field"),
    [
        ("short", "short", "password1"),
        (PASSWORD, "another green kettle", "password2"),
        (NEW, NEW, "password1"),
    ],
)
def test_a_password_that_does_not_do_is_refused_at_its_field(boss, link, first, second, field):
    response = join(Client(), link, password1=first, password2=second)

    assert list(response.context["form"].errors) == [field]
    assert list_members() == {OWNER}
    assert not User.objects.filter(email=NEW).exists()


def test_somebody_with_an_account_signs_in_and_is_asked_to_join(boss, link):
    make_user(NEW)
    browser = Client()
    asked = browser.get(link, follow=True)
    assert f"/accounts/login/?next={JOIN}" in asked.content.decode()
    assert browser.post(JOIN, {"password1": PASSWORD, "password2": PASSWORD}).status_code == 200
    assert list_members() == {OWNER}

    landed = browser.post(
        "/accounts/login/", {"login": NEW, "password": "correct horse battery", "next": JOIN}, follow=True
    )
    assert "Join as new@acme.example" in words_of(landed)
    browser.post(JOIN)

    assert list_members() == {OWNER, (NEW, "editor")}
    assert User.objects.get(email=NEW).check_password("correct horse battery")


def test_somebody_signed_in_as_another_is_told_so_and_joins_nothing(client, boss, link):
    answer = join(client, link)

    assert answer.status_code == 403
    assert (
        "This invitation was sent to new@acme.example . You are signed in as dana@acme.example."
        in words_of(answer)
    )
    assert list_members() == {OWNER}
    assert Invitation.objects.get().is_open


def test_a_link_works_once(boss, link):
    join(Client(), link, password1=PASSWORD, password2=PASSWORD)

    again = Client()
    answer = join(again, link, password1="another green kettle", password2="another green kettle")

    assert (answer.status_code, "This invitation was used" in words_of(answer)) == (410, True)
    assert "_auth_user_id" not in again.session
    assert User.objects.get(email=NEW).check_password(PASSWORD)


def test_a_link_dies_after_seven_days(boss, link):
    with time_machine.travel(timezone.now() + timedelta(days=7, seconds=1), tick=False):
        answer = join(Client(), link, password1=PASSWORD, password2=PASSWORD)

    assert (answer.status_code, "This invitation has expired" in words_of(answer)) == (410, True)
    assert list_members() == {OWNER}


def test_sending_again_kills_the_old_link_even_where_it_is_open_and_the_new_one_works(
    client, boss, domain, link, mailoutbox
):
    early = Client()
    early.get(link)

    client.post(reverse("portal:invitation_resend", args=[domain.name, Invitation.objects.get().pk]))

    assert early.post(JOIN, {"password1": PASSWORD, "password2": PASSWORD}).status_code == 410
    assert join(Client(), link).status_code == 410
    join(Client(), read_link(mailoutbox), password1=PASSWORD, password2=PASSWORD)
    assert list_members() == {OWNER, (NEW, "editor")}


def test_a_withdrawn_invitation_opens_nothing_and_reads_like_one_that_never_was(client, boss, domain, link):
    client.post(reverse("portal:invitation_withdraw", args=[domain.name, Invitation.objects.get().pk]))

    withdrawn, unknown = join(Client(), link), join(Client(), "/invitations/never-was/")

    assert (withdrawn.status_code, unknown.status_code) == (410, 410)
    assert words_of(withdrawn) == words_of(unknown)
    assert [act for act, *_ in list_acts()] == ["member invited", "invitation withdrawn"]


def test_an_invitation_dies_with_the_right_of_whoever_sent_it(boss, link):
    Membership.objects.filter(user=boss).update(role=Role.EDITOR)

    answer = join(Client(), link, password1=PASSWORD, password2=PASSWORD)

    assert "The person who sent it may no longer give this role." in words_of(answer)
    assert not User.objects.filter(email=NEW).exists()


def test_a_closed_account_is_not_opened_by_an_invitation(boss, link):
    User.objects.filter(pk=make_user(NEW).pk).update(is_active=False)

    assert "This account is deactivated" in words_of(
        join(Client(), link, password1=PASSWORD, password2=PASSWORD)
    )
    assert list_members() == {OWNER}


def test_an_invitation_of_another_domain_answers_like_one_that_is_not_there(
    client, boss, other_domain, domain
):
    theirs = Invitation.objects.create(
        domain=other_domain,
        email=NEW,
        role="editor",
        token_sha256="d",
        invited_by=boss,
        expires_at=timezone.now() + timedelta(days=7),
    )

    for act in ("resend", "withdraw"):
        assert (
            client.post(reverse(f"portal:invitation_{act}", args=[domain.name, theirs.pk])).status_code == 404
        )
    theirs.refresh_from_db()
    assert theirs.is_open


def test_an_invitation_and_its_account_are_made_whole_or_not_at_all(boss, link):
    browser = Client()
    browser.get(link)
    Membership.objects.filter(user=boss).delete()

    assert browser.post(JOIN, {"password1": PASSWORD, "password2": PASSWORD}).status_code == 410
    assert (list_members(), User.objects.filter(email=NEW).exists()) == (set(), False)
