"""Changing and removing members, by those who may."""

from __future__ import annotations

import pytest
from django.urls import reverse

from integrations.models import LedgerEntry
from portal.models import Membership, Role, User
from tests.support.furnished_domain import make_user


def add(domain, role, email) -> Membership:
    return Membership.objects.create(domain=domain, user=make_user(email), role=role)


@pytest.fixture
def page(domain) -> str:
    return reverse("portal:members", args=[domain.name])


@pytest.fixture
def as_owner(client, domain, other_domain) -> Membership:
    """Signs an owner in; another domain's owner is in the room."""
    add(other_domain, Role.OWNER, "other@bystander.example")
    membership = add(domain, Role.OWNER, "dana@acme.example")
    client.force_login(membership.user)
    return membership


@pytest.fixture
def as_admin(client, as_owner, domain) -> Membership:
    membership = add(domain, Role.ADMIN, "ari@acme.example")
    client.force_login(membership.user)
    return membership


def list_members() -> set[tuple[str, str, str]]:
    return set(Membership.objects.values_list("domain__name", "user__email", "role"))


BYSTANDER = ("bystander.example", "other@bystander.example", "owner")
OWNER = ("acme.example", "dana@acme.example", "owner")


def get_address(membership: Membership) -> str:
    return reverse("portal:member", args=[membership.domain.name, membership.pk])


def get_errors(response) -> dict[str, list[str]]:
    return dict(response.context["form"].errors)


# ── Changing and removing ────────────────────────────────────────────────────────────────────────
def test_a_role_is_changed_and_told_to_the_ledger(client, as_owner, domain):
    editor = add(domain, Role.EDITOR, "eve@acme.example")

    client.post(get_address(editor), {"act": "role", "role": "admin"})

    assert list_members() == {BYSTANDER, OWNER, ("acme.example", "eve@acme.example", "admin")}
    assert list(LedgerEntry.objects.values_list("action", "actor_label", "detail")) == [
        ("role changed", "dana@acme.example", "eve@acme.example from editor to admin")
    ]


def test_a_removed_member_keeps_the_account_and_nothing_else(client, as_owner, domain):
    editor = add(domain, Role.EDITOR, "eve@acme.example")

    response = client.post(get_address(editor), {"act": "remove"})

    assert response["Location"] == reverse("portal:members", args=[domain.name])
    assert list_members() == {BYSTANDER, OWNER}
    assert User.objects.filter(email="eve@acme.example", is_active=True).exists()
    assert list(LedgerEntry.objects.values_list("action", "detail")) == [
        ("member removed", "eve@acme.example")
    ]


@pytest.mark.parametrize("typed", [{"act": "remove"}, {"act": "role", "role": "admin"}])
def test_the_last_owner_stays_an_owner(client, as_owner, typed):
    response = client.post(get_address(as_owner), typed)

    assert response.context["refused"] == (
        "acme.example would have no owner left. Make somebody else an owner first."
    )
    assert list_members() == {BYSTANDER, OWNER}


def test_an_owner_whose_account_is_closed_does_not_count_as_the_other_owner(client, as_owner, domain):
    closed = add(domain, Role.OWNER, "gone@acme.example")
    User.objects.filter(pk=closed.user_id).update(is_active=False)

    response = client.post(get_address(as_owner), {"act": "remove"})

    assert "would have no owner left" in response.context["refused"]


def test_an_owner_leaves_once_there_is_another(client, as_owner, domain):
    add(domain, Role.OWNER, "second@acme.example")

    response = client.post(get_address(as_owner), {"act": "remove"})

    assert response["Location"] == reverse("portal:home")
    assert list_members() == {BYSTANDER, ("acme.example", "second@acme.example", "owner")}


@pytest.mark.parametrize("typed", [{"act": "remove"}, {"act": "role", "role": "auditor"}])
def test_an_admin_changes_no_owner(client, as_admin, as_owner, typed):
    response = client.post(get_address(as_owner), typed)

    assert response.status_code == 200
    assert OWNER in list_members()
    assert "Only an owner changes an owner" in client.get(get_address(as_owner)).content.decode()


def test_a_made_up_role_changes_nothing(client, as_owner, domain):
    editor = add(domain, Role.EDITOR, "eve@acme.example")

    response = client.post(get_address(editor), {"act": "role", "role": "emperor"})

    assert list(get_errors(response)) == ["role"]
    assert ("acme.example", "eve@acme.example", "editor") in list_members()


def test_members_of_the_domain_are_listed_and_no_others(
    client, as_owner, domain, page, django_assert_max_num_queries
):
    with django_assert_max_num_queries(50) as one:
        client.get(page)
    add(domain, Role.EDITOR, "eve@acme.example")
    add(domain, Role.AUDITOR, "<b>ina</b>@acme.example")

    with django_assert_max_num_queries(len(one)):
        response = client.get(page)

    assert [member.user.email for member in response.context["page_obj"]] == [
        "<b>ina</b>@acme.example",
        "dana@acme.example",
        "eve@acme.example",
    ]
    assert "<b>ina</b>" not in response.content.decode()
