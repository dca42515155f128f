"""createdomain: a domain with its owner, whole or not at all."""

from __future__ import annotations

import getpass

import pytest
from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection as database

from integrations.models import LedgerEntry
from portal.accounts.domains import found_domain
from portal.models import Domain, Membership, Role, User

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def password(monkeypatch):
    monkeypatch.setenv("OWNER_PASSWORD", PASSWORD)


@pytest.fixture(autouse=True)
def bystander(other_domain, make_member):
    return make_member(other_domain, Role.OWNER)


def count():
    return (
        Domain.objects.count(),
        User.objects.count(),
        Membership.objects.count(),
        LedgerEntry.objects.count(),
    )


def create(name="acme.example", owner="dana@acme.example", **options):
    call_command("createdomain", name, owner=owner, **options)


def test_it_makes_a_domain_and_an_owner_who_can_sign_in(client, capsys):
    create(" ACME.example ", " Dana@Acme.example ")

    domain, owner = Domain.objects.get(name="acme.example"), User.objects.get(email="dana@acme.example")
    assert Membership.objects.get(domain=domain).role == Role.OWNER
    assert (owner.is_staff, owner.is_superuser) == (False, False)
    assert capsys.readouterr().out == "acme.example is ready. The account of dana@acme.example made.\n"
    [entry] = LedgerEntry.objects.filter(domain=domain, action="domain made")
    assert (entry.actor_label, entry.object_ref) == ("command", owner.email)
    response = client.post("/accounts/login/", {"login": owner.email, "password": PASSWORD})
    assert (response.status_code, response["Location"]) == (302, "/")


def test_an_operator_runs_the_portal_too():
    create(operator=True)

    owner = User.objects.get(email="dana@acme.example")
    assert (owner.is_staff, owner.is_superuser) == (True, True)


def test_an_owner_who_is_here_already_keeps_the_password(bystander, capsys, monkeypatch):
    monkeypatch.delenv("OWNER_PASSWORD")
    before = bystander.password

    create(owner=bystander.email.upper())

    bystander.refresh_from_db()
    assert bystander.password == before
    assert "already existed and keeps its password" in capsys.readouterr().out
    assert bystander.memberships.count() == 2


def test_an_owner_kept_in_other_letters_is_the_same_person(make_member, other_domain):
    user = make_member(other_domain, Role.EDITOR, "dana@acme.example")
    User.objects.filter(pk=user.pk).update(email="Dana@acme.example")

    create()

    assert user.memberships.count() == 2


def test_an_address_that_was_not_verified_is_vouched_for(bystander):
    EmailAddress.objects.filter(user=bystander).update(verified=False)

    create(owner=bystander.email)

    assert EmailAddress.objects.get(user=bystander).verified


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("acme", "dana@acme.example"),
        ("acme_corp.example", "dana@acme.example"),
        ("https://acme.example", "dana@acme.example"),
        ("-acme.example", "dana@acme.example"),
        ("acme.example/..", "dana@acme.example"),
        ("", "dana@acme.example"),
        ("bystander.example", "dana@acme.example"),
        ("acme.example", "dana"),
        ("acme.example", ""),
    ],
)
def test_a_bad_name_or_address_makes_nothing(name, owner):
    before = count()

    with pytest.raises(CommandError):
        create(name, owner)

    assert count() == before


@pytest.mark.parametrize("weak", ["short", "123456789012345", "qwerty123456", "dana@acme.example"])
def test_a_weak_password_makes_nothing(monkeypatch, weak):
    monkeypatch.setenv("OWNER_PASSWORD", weak)
    before = count()

    with pytest.raises(CommandError) as refused:
        create()

    assert weak not in str(refused.value) or weak == "short"
    assert count() == before


def test_a_deactivated_owner_is_refused(bystander):
    User.objects.filter(pk=bystander.pk).update(is_active=False)
    before = count()

    with pytest.raises(CommandError, match="deactivated"):
        create(owner=bystander.email)

    assert count() == before


def test_twice_is_refused_and_changes_nothing():
    create()
    before = count()

    with pytest.raises(CommandError, match="exists"):
        create()

    assert count() == before


@pytest.mark.parametrize("answers", [[PASSWORD, PASSWORD], [PASSWORD, "another one entirely"]])
def test_the_password_is_asked_for_twice(monkeypatch, answers):
    monkeypatch.delenv("OWNER_PASSWORD")
    said = iter(answers)
    monkeypatch.setattr(getpass, "getpass", lambda prompt: next(said))
    before = count()

    if answers[0] == answers[1]:
        create()
        assert User.objects.get(email="dana@acme.example").check_password(PASSWORD)
    else:
        with pytest.raises(CommandError, match="differ"):
            create()
        assert count() == before


def test_without_a_terminal_it_says_how_to_give_a_password(monkeypatch):
    monkeypatch.delenv("OWNER_PASSWORD")

    def refuse(prompt):
        raise EOFError

    monkeypatch.setattr(getpass, "getpass", refuse)
    with pytest.raises(CommandError, match="OWNER_PASSWORD"):
        create()


@pytest.mark.django_db(transaction=True)
def test_no_lock_is_held_while_somebody_types():
    held = []

    def type_slowly():
        held.append(database.in_atomic_block)
        return PASSWORD

    found_domain("acme.example", owner_email="dana@acme.example", get_password=type_slowly)

    assert held == [False]


def test_what_is_wrong_is_said_before_anybody_types():
    def never():
        raise AssertionError("asked for a password")

    for name, owner in (("bystander.example", "new@acme.example"), ("acme.example", "nobody")):
        with pytest.raises(ValidationError):
            found_domain(name, owner_email=owner, get_password=never)
