"""The one table of who may do what, asked directly; `test_access` asks it through every address."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser

from portal.access import (
    PERMISSIONS,
    Permission,
    get_permissions,
    get_role,
    get_visible_domains,
    may_change_membership,
)
from portal.models import Membership, Role

EXPECTED = {
    Role.OWNER: set(Permission),
    Role.ADMIN: set(Permission) - {Permission.MANAGE_SIGN_IN},
    Role.APPROVER: {
        Permission.VIEW,
        Permission.EDIT_SIGNATURES,
        Permission.MANAGE_GROUPS,
        Permission.PUBLISH,
        Permission.DELIVER,
        Permission.INVITE_SENDERS,
    },
    Role.EDITOR: {
        Permission.VIEW,
        Permission.EDIT_SIGNATURES,
        Permission.MANAGE_GROUPS,
        Permission.MANAGE_CAMPAIGNS,
    },
    Role.AUDITOR: {Permission.VIEW, Permission.VIEW_LEDGER},
    "staff": {Permission.VIEW, Permission.VIEW_LEDGER},
}


@pytest.mark.parametrize("role", list(Role))
def test_a_member_may_what_the_role_says_here_and_nothing_elsewhere(domain, other_domain, make_member, role):
    member = make_member(domain, role)

    assert (get_role(member, domain), get_role(member, other_domain)) == (role, "")
    assert get_permissions(member, domain) == EXPECTED[role]
    assert get_permissions(member, other_domain) == set()
    assert list(get_visible_domains(member)) == [domain]


def test_the_table_names_every_role_and_nobody_else():
    assert {str(role): set(granted) for role, granted in PERMISSIONS.items()} == {
        str(role): granted for role, granted in EXPECTED.items()
    }


def test_staff_see_every_domain_and_change_nothing_there(domain, other_domain, make_member):
    staff = make_member(domain, Role.EDITOR)
    staff.is_staff = True
    staff.save()

    assert set(get_visible_domains(staff)) == {domain, other_domain}
    assert get_permissions(staff, domain) == EXPECTED[Role.EDITOR]
    assert get_permissions(staff, other_domain) == EXPECTED["staff"]


@pytest.mark.parametrize("is_staff", [True, False])
def test_a_deactivated_person_sees_nothing(domain, make_member, is_staff):
    member = make_member(domain, Role.OWNER)
    member.is_staff, member.is_active = is_staff, False
    member.save()

    assert (list(get_visible_domains(member)), get_permissions(member, domain)) == ([], set())


def test_somebody_unknown_sees_nothing(domain):
    assert (list(get_visible_domains(AnonymousUser())), get_permissions(AnonymousUser(), domain)) == (
        [],
        set(),
    )


def test_a_role_taken_away_holds_from_the_next_question_on(domain, make_member):
    member = make_member(domain, Role.ADMIN)
    assert Permission.CONNECT in get_permissions(member, domain)

    Membership.objects.filter(user=member).update(role=Role.AUDITOR)

    assert get_permissions(member, domain) == EXPECTED[Role.AUDITOR]


@pytest.mark.parametrize(
    ("actor", "old", "new", "may"),
    [
        (Role.OWNER, Role.OWNER, None, True),
        (Role.OWNER, Role.EDITOR, Role.OWNER, True),
        (Role.ADMIN, Role.EDITOR, Role.ADMIN, True),
        (Role.ADMIN, Role.ADMIN, None, True),
        (Role.ADMIN, Role.OWNER, None, False),
        (Role.ADMIN, Role.OWNER, Role.EDITOR, False),
        (Role.ADMIN, Role.EDITOR, Role.OWNER, False),
        (Role.EDITOR, Role.AUDITOR, None, False),
        (Role.AUDITOR, Role.AUDITOR, Role.OWNER, False),
    ],
)
def test_owners_are_made_and_unmade_by_owners(domain, make_member, actor, old, new, may):
    changing = make_member(domain, actor, "actor@acme.example")
    changed = make_member(domain, old, "subject@acme.example")

    assert may_change_membership(changing, changed.memberships.get(), new) is may


def test_an_owner_of_another_domain_changes_nobody_here(domain, other_domain, make_member):
    stranger = make_member(other_domain, Role.OWNER)
    member = make_member(domain, Role.EDITOR)

    assert not may_change_membership(stranger, member.memberships.get(), None)
