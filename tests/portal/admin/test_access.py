"""Who gets into the Django admin: operators alone, and only while they are active."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from portal.models import Domain, Role, User


def test_a_visitor_is_sent_to_the_portals_own_sign_in_page(client: Client, db: None) -> None:
    response = client.get("/admin/portal/domain/", follow=True)

    assert response.redirect_chain[-1][0].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("role", list(Role))
def test_a_member_of_whatever_role_gets_in_nowhere(
    client: Client, domain: Domain, make_member: Any, role: Role
) -> None:
    client.force_login(make_member(domain, role))

    statuses = {client.get(path, follow=True).status_code for path in ("/admin/", "/admin/portal/domain/")}

    assert statuses == {403}


def test_an_operator_who_was_made_inactive_gets_in_no_more(staff: Client, operator: User) -> None:
    User.objects.filter(pk=operator.pk).update(is_active=False)

    assert staff.get("/admin/").status_code == 302
