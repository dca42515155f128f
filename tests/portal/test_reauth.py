"""What cannot be taken back is done only by somebody who said within five minutes who they are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from integrations.models import Connection, LedgerEntry
from portal.models import Role, User

CONFIRM = "/accounts/reauthenticate/"
PASSWORD = "correct horse battery"  # the one `make_member` gives
PRESS_AGAIN = "Nothing was done yet: press the button again."

# Every view that asks. One that is missing here was forgotten, or its decorator was.
ASKING = {
    "integrations:ledger_export",
    "integrations:notices",
    "integrations:notices_remove",
    "integrations:notices_secret",
    "integrations:outreach_connect",
    "integrations:outreach_disconnect",
    "integrations:outreach_leave_originals",
    "integrations:outreach_request",
    "integrations:outreach_switch",
    "integrations:receipt_file",
    "portal:invitation_resend",
    "portal:invitation_withdraw",
    "portal:member",
    "portal:members",
    "portal:self_service",
    "portal:self_service_act",
    "portal:sign_in",
    "portal:sign_in_oidc",
    "portal:sign_in_remove",
    "portal:sign_in_saml",
    "signatures:carriers_export",
    "signatures:delivery_export",
    "signatures:drift_export",
    "signatures:key_make",
    "signatures:key_revoke",
    "signatures:originals",
    "signatures:person_erase",
    "signatures:person_export",
    "signatures:result_export",
    "signatures:results_export",
    "signatures:value_export_file",
    "signatures:value_import_rows",
}


def list_asking(resolver: URLResolver, namespace: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            if getattr(pattern.callback, "needs_recent_authentication", False):
                yield f"{namespace}:{pattern.name}"
        else:
            yield from list_asking(pattern, pattern.namespace or namespace)


@pytest.fixture
def later() -> Iterator[time_machine.Traveller]:
    """Six minutes after whatever was done before."""
    with time_machine.travel(timezone.now() + timedelta(minutes=5, seconds=1), tick=False) as clock:
        yield clock


@pytest.fixture
def logged_in(client: Client, owner: User) -> Client:
    client.post("/accounts/login/", {"login": owner.email, "password": PASSWORD})
    return client


def confirm(client: Client, location: str, password: str = PASSWORD):
    """Answer the page somebody was sent to, as its form would."""
    assert location.startswith(CONFIRM), location
    return client.post(location, {"password": password})


def test_these_views_ask_who_it_is_and_no_others_are_forgotten():
    assert set(list_asking(get_resolver())) == ASKING


def test_a_fresh_login_counts(logged_in, domain):
    done = logged_in.post(
        reverse("portal:members", args=[domain.name]), {"email": "new@acme.example", "role": "auditor"}
    )

    assert done["Location"] == reverse("portal:members", args=[domain.name])
    assert domain.invitations.count() == 1


def test_after_five_minutes_nothing_is_done_and_what_was_typed_is_there_again(logged_in, domain, later):
    page = reverse("portal:members", args=[domain.name])

    asked = logged_in.post(page, {"email": "new@acme.example", "role": "editor"})
    assert not domain.invitations.exists()
    back = confirm(logged_in, asked["Location"])

    assert back["Location"] == page
    shown = logged_in.get(page)
    assert PRESS_AGAIN in shown.content.decode()
    assert shown.context["form"].initial == {"email": "new@acme.example", "role": "editor"}
    assert not domain.invitations.exists()
    again = logged_in.get(page)
    assert again.context["form"].initial == {"role": "auditor"}
    assert PRESS_AGAIN not in again.content.decode()
    logged_in.post(page, {"email": "new@acme.example", "role": "editor"})
    assert domain.invitations.get(role=Role.EDITOR).email == "new@acme.example"


def test_a_wrong_password_confirms_nothing(logged_in, domain, later):
    page = reverse("portal:members", args=[domain.name])
    asked = logged_in.post(page, {"email": "new@acme.example", "role": "editor"})

    answer = confirm(logged_in, asked["Location"], "wrong horse battery")

    assert answer.status_code == 200
    assert logged_in.post(page, {"email": "new@acme.example", "role": "editor"})["Location"].startswith(
        CONFIRM
    )


def test_a_confirmation_counts_for_five_minutes(logged_in, domain, later):
    page = reverse("portal:member", args=[domain.name, domain.memberships.get().pk])
    confirm(logged_in, logged_in.post(page, {"role": "owner"})["Location"])

    later.shift(timedelta(minutes=4, seconds=59))
    assert not logged_in.post(page, {"role": "owner"})["Location"].startswith(CONFIRM)
    later.shift(timedelta(seconds=2))
    assert logged_in.post(page, {"role": "owner"})["Location"].startswith(CONFIRM)


@pytest.mark.parametrize(
    ("name", "method", "returns_to"),
    [
        ("integrations:outreach_connect", "post", "integrations:outreach"),
        ("integrations:outreach_disconnect", "post", "integrations:outreach_disconnect"),
        ("signatures:originals", "get", "signatures:deliveries"),
    ],
)
def test_whoever_is_asked_comes_back_to_the_page_with_the_button(
    logged_in, domain, later, name, method, returns_to
):
    Connection.objects.create(domain=domain, state="connected")

    asked = getattr(logged_in, method)(reverse(name, args=[domain.name]))
    back = confirm(logged_in, asked["Location"])

    assert back["Location"] == reverse(returns_to, args=[domain.name])
    assert PRESS_AGAIN in logged_in.get(back["Location"]).content.decode()
    assert Connection.objects.get().state == "connected"
    assert not LedgerEntry.objects.exists()


def test_a_page_that_is_only_read_asks_nobody(logged_in, domain, later):
    assert logged_in.get(reverse("portal:members", args=[domain.name])).status_code == 200


def test_only_who_may_do_it_is_asked(client, domain, other_domain, make_member, later):
    client.force_login(make_member(domain, Role.EDITOR))
    later.shift(timedelta(minutes=6))

    assert client.post(reverse("integrations:outreach_connect", args=[domain.name])).status_code == 403
    assert client.post(reverse("integrations:outreach_connect", args=[other_domain.name])).status_code == 404


def test_a_piece_of_a_page_sends_the_whole_page_to_confirm(logged_in, domain, later):
    asked = logged_in.post(
        reverse("portal:members", args=[domain.name]),
        {"email": "new@acme.example"},
        headers={"hx-request": "true"},
    )

    assert (asked.status_code, asked["HX-Redirect"].startswith(CONFIRM)) == (204, True)


def test_what_speaks_of_secrets_is_not_kept_in_the_session(logged_in, domain, later):
    logged_in.post(
        reverse("portal:members", args=[domain.name]),
        {"email": "new@acme.example", "role": "editor", "client_secret": "canary", "new_password": "canary"},
    )

    assert "canary" not in str(dict(logged_in.session))


@pytest.mark.parametrize("page", ["change/", "delete/"])
def test_operators_are_asked_before_they_change_who_may_do_what(client, owner, domain, later, page):
    User.objects.filter(pk=owner.pk).update(is_staff=True, is_superuser=True)
    client.post("/accounts/login/", {"login": owner.email, "password": PASSWORD})
    later.shift(timedelta(minutes=6))
    paths = [
        f"/admin/portal/membership/{domain.memberships.get().pk}/{page}",
        f"/admin/portal/user/{owner.pk}/change/",
        f"/admin/portal/user/{owner.pk}/password/",
        f"/admin/portal/domain/{domain.pk}/change/",
    ]

    asked = [client.post(path, {"post": "yes", "role": "auditor"}) for path in paths]

    assert [answer["Location"].partition("?")[0] for answer in asked] == [CONFIRM] * 4
    assert confirm(client, asked[0]["Location"])["Location"] == paths[0]
    assert domain.memberships.get().role == Role.OWNER
