"""Who must have a second step lands on its set-up and nowhere else, is told why, and goes on once it is there."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import reverse

from integrations.models import LedgerEntry
from portal.models import Domain, Role, User
from tests.support.furnished_domain import make_user

SET_UP = "/accounts/2fa/"


@pytest.fixture(autouse=True)
def require_mfa(settings):
    settings.REQUIRE_MFA = True


def give_second_step(user: User) -> None:
    Authenticator.objects.create(user=user, type="totp", data={"secret": "sealed"})


def is_sent_to_set_up(client: Client, path: str) -> bool:
    response = client.get(path)
    return response.status_code == 302 and response["Location"] == SET_UP


@pytest.mark.parametrize(
    ("role", "must"), [("owner", True), ("admin", False), ("editor", False), ("auditor", False)]
)
def test_owners_must_have_one_and_others_need_not(client, domain, make_member, role, must):
    client.force_login(make_member(domain, role))

    assert is_sent_to_set_up(client, reverse("portal:overview", args=[domain.name])) is must


@pytest.mark.parametrize("name", ["operator", "superuser"])
def test_operators_get_neither_into_the_admin_nor_into_a_domain(client, request, domain, name):
    client.force_login(request.getfixturevalue(name))
    pages = [
        "/",
        "/admin/",
        "/admin/portal/domain/",
        "/admin/logout/",
        reverse("portal:overview", args=[domain.name]),
    ]

    assert [is_sent_to_set_up(client, page) for page in pages] == [True] * 5
    assert "so your account needs multi-factor authentication (MFA)." in client.get(SET_UP).content.decode()


def test_the_set_up_says_why_and_has_its_pages_open(client, domain, owner):
    client.post("/accounts/login/", {"login": owner.email, "password": "correct horse battery"})

    page = client.get(SET_UP).content.decode()

    assert "You own acme.example, so your account needs multi-factor authentication (MFA)." in page
    assert client.get("/accounts/2fa/totp/activate/")["Location"].startswith("/accounts/reauthenticate/")
    assert [is_sent_to_set_up(client, path) for path in ("/accounts/email/", "/accounts/sessions/")] == [
        True,
        True,
    ]
    assert client.get("/accounts/logout/").status_code == 200


def test_nothing_is_done_for_somebody_who_must_have_one_first(client, domain, owner):
    client.force_login(owner)

    response = client.post(reverse("portal:settings", args=[domain.name]), {"time_zone": "Europe/London"})
    piece = client.get(reverse("portal:overview", args=[domain.name]), headers={"hx-request": "true"})

    assert response["Location"] == SET_UP
    assert (piece.status_code, piece["HX-Redirect"]) == (204, SET_UP)
    assert Domain.objects.get().time_zone == "UTC"


def test_once_it_is_there_the_way_is_open_and_recovery_codes_alone_are_none(client, domain, owner):
    client.force_login(owner)
    path = reverse("portal:overview", args=[domain.name])
    Authenticator.objects.create(user=owner, type="recovery_codes", data={})
    assert is_sent_to_set_up(client, path)

    give_second_step(owner)

    assert client.get(path).status_code == 200


def test_what_is_public_stays_so(client, domain, owner):
    client.force_login(owner)

    assert client.get("/healthz").status_code == 200


def test_a_domain_may_require_it_of_every_member_whatever_the_setting(
    client, domain, other_domain, make_member, settings
):
    settings.REQUIRE_MFA = False
    auditor, neighbour = make_member(domain, Role.AUDITOR), make_member(other_domain, Role.OWNER)
    owner = make_member(domain, Role.OWNER)
    give_second_step(owner)
    client.force_login(owner)
    other = Client()
    other.force_login(neighbour)
    reader = Client()
    reader.force_login(auditor)
    assert reader.get("/").status_code == 302

    client.post(reverse("portal:sign_in", args=[domain.name]), {"require_mfa": "on"})

    assert is_sent_to_set_up(reader, reverse("portal:overview", args=[domain.name]))
    assert (
        "acme.example requires multi-factor authentication (MFA) of all its members."
        in reader.get(SET_UP).content.decode()
    )
    assert other.get(reverse("portal:overview", args=[other_domain.name])).status_code == 200
    assert list(LedgerEntry.objects.values_list("action", "actor_label", "detail")) == [
        ("settings changed", owner.email, "require_mfa: True")
    ]


def test_an_operator_may_require_it_in_the_admin(client, domain):
    operator = make_user("operator@portal.example", is_staff=True)
    give_second_step(operator)
    client.force_login(operator)
    members = {f"memberships-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")}

    client.post(
        f"/admin/portal/domain/{domain.pk}/change/", {"time_zone": "UTC", "require_mfa": "on", **members}
    )

    assert Domain.objects.get().require_mfa is True
