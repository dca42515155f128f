"""Senders by single sign-on: off by default, for verified addresses of active senders, and for their domain alone."""

from __future__ import annotations

import pytest

from integrations.models import Connection
from portal.models import Domain, IdentityProvider, Membership, Role, User
from portal.sso.identity import Identity
from portal.sso.login import find_person, say_password_is_closed
from portal.sso.refusals import Refusal
from signatures.models import Sender, SenderAccount
from tests.support.company import Company
from tests.support.furnished_domain import make_user
from tests.support.self_service import switch_on
from tests.support.senders import add_sender

PRIYA = "priya@acme.example"


def identify(email: str = PRIYA, **fields: object) -> Identity:
    return Identity(
        **{"uid": f"uid of {email}", "email": email, "is_verified": True, "authenticated_at": None} | fields
    )


@pytest.fixture
def provider(domain: Domain) -> IdentityProvider:
    return IdentityProvider.objects.create(domain=domain, issuer="https://login.acme.example", client_id="c")


@pytest.fixture
def priya(domain: Domain) -> Sender:
    switch_on(domain, allows_sso=True)
    return add_sender(Company(domain, Connection.objects.create(domain=domain)), "Priya")


def list_accounts() -> list[tuple[str, str]]:
    return list(SenderAccount.objects.values_list("sender__email", "user__email"))


def refuse(provider: IdentityProvider, identity: Identity) -> str:
    with pytest.raises(Refusal) as refusal:
        find_person(provider, identity)
    assert list_accounts() == []
    return refusal.value.title


def test_a_verified_sender_becomes_a_sender_and_no_member(provider, priya):
    user = find_person(provider, identify())

    assert list_accounts() == [(PRIYA, PRIYA)]
    assert not Membership.objects.filter(user=user).exists()
    assert find_person(provider, identify()) == user


def test_it_comes_before_the_default_role(provider, priya):
    IdentityProvider.objects.update(default_role=Role.AUDITOR)
    provider.refresh_from_db()

    for _ in range(2):
        find_person(provider, identify())

    assert list_accounts() == [(PRIYA, PRIYA)]
    assert not Membership.objects.exists()


def test_it_is_off_by_default(provider, priya, domain):
    switch_on(domain, allows_sso=False)

    assert refuse(provider, identify()) == "You are not a member of this domain"


def test_an_address_that_is_not_verified_opens_nothing(provider, priya):
    assert refuse(provider, identify(is_verified=False)) == "Your address is not verified"
    assert not User.objects.exists()


def test_a_sender_who_is_locked_and_an_address_of_nobody_open_nothing(provider, priya):
    assert refuse(provider, identify("nobody@acme.example")) == "You are not a member of this domain"
    Sender.objects.update(is_active=False)
    assert refuse(provider, identify()) == "You are not a member of this domain"


def test_an_address_that_two_senders_have_opens_nothing(provider, priya, domain):
    other = add_sender(Company(domain, Connection.objects.get(domain=domain)), "Pri")
    Sender.objects.filter(pk=other.pk).update(email=PRIYA)

    assert refuse(provider, identify()) == "You are not a member of this domain"


def test_a_sender_of_another_domain_signs_in_by_password(provider, priya, other_domain):
    switch_on(other_domain)
    bo = add_sender(Company(other_domain, Connection.objects.create(domain=other_domain)), "Bo")
    SenderAccount.objects.create(sender=bo, user=make_user(PRIYA))

    with pytest.raises(Refusal, match="Sign in with your password"):
        find_person(provider, identify())
    assert list_accounts() == [(bo.email, PRIYA)]


def test_enforced_sso_closes_passwords_of_senders_too(provider, priya, domain):
    user = find_person(provider, identify())
    assert say_password_is_closed(user) is None

    IdentityProvider.objects.update(is_required=True)

    assert say_password_is_closed(user) == domain
