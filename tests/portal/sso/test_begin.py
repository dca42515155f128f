"""Single sign-on begins by a button, asks before it changes who is signed in, and proves a confirmation."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.models import Domain, IdentityProvider, Invitation, Membership, Role, User
from tests.support.oidc_provider import Provider, running
from tests.support.page_text import words_of
from tests.support.sso_sign_in import CALLBACK, DANA, LOGIN, come_back, go_out, is_in, read_log, set_up

SWITCH = "/accounts/sso/acme.example/switch/"
GOOD = {"email": DANA, "email_verified": True}


@pytest.fixture
def idp() -> Iterator[Provider]:
    with running() as provider:
        provider.claims = dict(GOOD)
        yield provider


@pytest.fixture
def dana(domain: Domain, make_member: Callable[..., User]) -> User:
    return make_member(domain, Role.ADMIN, DANA)


@pytest.fixture(autouse=True)
def row(idp: Provider, domain: Domain, dana: User, settings: Any) -> IdentityProvider:
    return set_up(idp, domain, settings)


@pytest.fixture
def bystander(other_domain: Domain, make_member: Callable[..., User]) -> User:
    return make_member(other_domain, Role.OWNER)


def get_user(client: Client) -> str | None:
    return client.session.get("_auth_user_id")


# ── how it begins ────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("path", [LOGIN, f"{LOGIN}?next=/&process=login", f"{LOGIN}?iss=x&login_hint=y"])
def test_an_address_alone_begins_nothing_and_calls_nobody(client, idp, path):
    shown = client.get(path)
    head = client.head(path)

    assert (shown.status_code, head.status_code) == (200, 200)
    assert "Continue to 127.0.0.1" in words_of(shown)
    assert "socialaccount_states" not in client.session
    assert sum(idp.asked.values()) == 0


def test_a_form_of_another_page_begins_nothing(idp):
    stranger = Client(enforce_csrf_checks=True)

    refused = stranger.post(LOGIN)
    page = stranger.get(LOGIN).content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token is not None
    begun = stranger.post(LOGIN, {"csrfmiddlewaretoken": token[1]})

    assert (refused.status_code, begun.status_code) == (403, 302)
    assert begun["Location"].startswith(f"{idp.issuer}/authorize?")
    assert begun["Referrer-Policy"] == "no-referrer"


def test_the_page_with_the_button_lets_its_form_be_redirected_to_a_provider_and_no_other_page_does(
    client, settings
):
    settings.DEBUG = False
    shown = client.get(LOGIN)["Content-Security-Policy"]
    other = client.get("/accounts/login/")["Content-Security-Policy"]

    assert re.search(r"form-action 'self' \S+ https:( http://127\.0\.0\.1:\d+)?(;|$)", shown), shown
    assert " https:" not in re.sub(r" https?://\S+", "", other)


def test_where_one_wanted_to_go_is_kept_through_the_page_and_nowhere_else_is(client):
    page = client.get(f"{LOGIN}?next=/domains/acme.example/").content.decode()
    evil = client.get(f"{LOGIN}?next=//evil.example/").content.decode()

    assert 'name="next" value="/domains/acme.example/"' in page
    assert "evil.example" not in evil
    assert (
        come_back(client, start=f"{LOGIN}?next=/domains/acme.example/")["Location"]
        == "/domains/acme.example/"
    )


# ── somebody else is signed in ───────────────────────────────────────────────────────────────────
def test_somebody_who_is_signed_in_is_asked_before_they_become_another(client, idp, dana, bystander):
    client.force_login(bystander)
    idp.claims["auth_time"] = int(time.time())

    asked = come_back(client)
    page = client.get(asked["Location"])
    still = get_user(client)
    stayed = client.post(SWITCH, {"act": "stay"})
    late = client.post(SWITCH, {"act": "switch"})

    assert asked["Location"] == SWITCH
    assert f"You are signed in here as {bystander.email}" in words_of(page)
    assert f"sent you back as {DANA}" in words_of(page)
    assert page["Cache-Control"] == "no-store"
    assert (stayed["Location"], late["Location"]) == ("/", "/")
    assert still == get_user(client) == str(bystander.pk)


def test_somebody_who_says_so_goes_on_as_whom_they_came_back(client, idp, dana, bystander):
    client.force_login(bystander)
    idp.claims["auth_time"] = int(time.time())
    come_back(client, start=f"{LOGIN}?next=/domains/acme.example/")

    done = client.post(SWITCH, {"act": "switch"})
    again = client.post(SWITCH, {"act": "switch"})

    assert (done["Location"], get_user(client)) == ("/domains/acme.example/", str(dana.pk))
    assert again["Location"] == "/"


def test_the_question_needs_a_token_of_its_own_page_and_stands_for_two_minutes(idp, dana, bystander):
    session = Client(enforce_csrf_checks=True)
    session.force_login(bystander)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        idp.claims["auth_time"] = int(time.time())
        asking = Client()
        asking.cookies = session.cookies
        come_back(asking)
        forged = session.post(SWITCH, {"act": "switch"})
        clock.shift(timedelta(seconds=121))
        late = asking.post(SWITCH, {"act": "switch"})

    assert (forged.status_code, late["Location"]) == (403, "/")
    assert get_user(asking) == str(bystander.pk)


def test_nobody_is_made_a_member_by_being_asked(client, idp, domain, dana, bystander):
    client.force_login(bystander)
    idp.claims |= {"email": "new@acme.example", "sub": "new", "auth_time": int(time.time())}
    IdentityProvider.objects.update(default_role="auditor")
    Invitation.objects.create(
        domain=domain, email="new@acme.example", role="editor", token_sha256="d", invited_by=dana,
        expires_at=timezone.now() + timedelta(days=1),
    )  # fmt: skip
    before = (User.objects.count(), Membership.objects.count())

    come_back(client)
    client.get(SWITCH)

    assert (User.objects.count(), Membership.objects.count()) == before
    assert Invitation.objects.get().accepted_at is None


def test_the_provider_that_asked_must_still_be_there_when_it_is_answered(client, idp, dana, bystander):
    client.force_login(bystander)
    idp.claims["auth_time"] = int(time.time())
    come_back(client)
    IdentityProvider.objects.update(client_id="another")

    assert client.post(SWITCH, {"act": "switch"})["Location"] == "/"
    assert get_user(client) == str(bystander.pk)


def test_somebody_who_signed_in_meanwhile_is_asked_too(client, idp, dana, bystander):
    asked = go_out(client)
    client.force_login(bystander)
    states = client.session
    other = Client()
    kept = go_out(other)
    states["socialaccount_states"] = other.session["socialaccount_states"]
    states.save()

    back: Any = client.get(CALLBACK, {"code": "code", "state": kept["state"]})

    assert asked["state"] != kept["state"]
    assert (back["Location"], get_user(client)) == (SWITCH, str(bystander.pk))


# ── a confirmation ───────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def signed_in(client: Client, idp: Provider) -> Client:
    """Dana, in by single sign-on an hour ago."""
    with time_machine.travel(timezone.now() - timedelta(hours=1), tick=False):
        idp.claims["auth_time"] = int(time.time())
        come_back(client)
    assert is_in(client)
    return client


def may_invite(client: Client) -> bool:
    page = reverse("portal:members", args=["acme.example"])
    answer: Any = client.post(page, {"email": f"{uuid.uuid4().hex}@acme.example", "role": "auditor"})
    return bool(answer["Location"] == page)


def test_whoever_confirms_is_asked_for_a_login_that_is_new(signed_in, idp):
    asked = go_out(signed_in)
    first = go_out(Client())

    assert (asked["max_age"], asked["prompt"]) == ("0", "login")
    assert "max_age" not in first and "prompt" not in first


@pytest.mark.parametrize(
    ("auth_time", "cause"),
    [
        (lambda now: None, "no usable auth_time though it was asked for"),
        (lambda now: now - 86_400, "re-authentication answered with an earlier one"),
        (lambda now: now - 61, "re-authentication answered with an earlier one"),
        (lambda now: 0, "re-authentication answered with an earlier one"),
        (lambda now: -1e300, "re-authentication answered with an earlier one"),
        (lambda now: str(now), "no usable auth_time though it was asked for"),
        (lambda now: True, "no usable auth_time though it was asked for"),
        (lambda now: [now], "no usable auth_time though it was asked for"),
        (lambda now: float("inf"), "no usable auth_time though it was asked for"),
        (lambda now: float("nan"), "no usable auth_time though it was asked for"),
        (lambda now: 10**400, "no usable auth_time though it was asked for"),
        (
            lambda now: now + 62,
            "authentication in the future: the clock there is 1 minute ahead of the portal’s",
        ),
        (lambda now: now + 10**9, None),
    ],
)
def test_a_silent_answer_confirms_nothing(signed_in, idp, caplog, auth_time, cause):
    with time_machine.travel(timezone.now(), tick=False):
        idp.claims["auth_time"] = auth_time(int(time.time()))
        answer = come_back(signed_in)

    assert answer.status_code == 403
    assert not may_invite(signed_in)
    [(level, words)] = read_log(caplog)
    assert level == "WARNING"
    assert cause is None or words.endswith(cause)


@pytest.mark.parametrize("seconds", [0, -59, 59])
def test_a_new_answer_confirms_for_five_minutes_by_the_providers_clock(signed_in, idp, seconds):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        before = may_invite(signed_in)
        idp.claims["auth_time"] = int(time.time()) + seconds
        answer = come_back(signed_in)
        after = may_invite(signed_in)
        clock.shift(timedelta(seconds=300 + min(seconds, 0) - 2))
        late = may_invite(signed_in)
        clock.shift(timedelta(seconds=4))
        over = may_invite(signed_in)

    assert (answer.status_code, before, after, late, over) == (302, False, True, True, False)


@pytest.mark.parametrize(
    ("auth_time", "expected"),
    [
        (lambda now: now, True),
        (lambda now: now - 299, True),
        (lambda now: now - 301, False),
        (lambda now: None, False),
    ],
)
def test_a_login_is_as_fresh_as_the_provider_says(client, idp, auth_time, expected):
    with time_machine.travel(timezone.now(), tick=False):
        idp.claims["auth_time"] = auth_time(int(time.time()))
        come_back(client)
        assert is_in(client)

        assert may_invite(client) is expected


def test_a_second_step_is_not_set_up_on_the_word_of_a_silent_login(client, idp, dana):
    dana.set_unusable_password()
    dana.save()
    with time_machine.travel(timezone.now(), tick=False):
        idp.claims["auth_time"] = int(time.time()) - 3_600
        come_back(client)
        asked: Any = client.get("/accounts/2fa/totp/activate/")
        idp.claims["auth_time"] = int(time.time())
        back = come_back(client, start=asked["Location"])
        page: Any = client.get(back["Location"])

    assert asked["Location"].startswith(LOGIN)
    assert (back["Location"], page.status_code) == ("/accounts/2fa/totp/activate/", 200)


def test_whoever_their_company_cannot_confirm_chooses_a_password_and_confirms_with_it(
    client, idp, dana, mailoutbox
):
    dana.set_unusable_password()
    dana.save()
    IdentityProvider.objects.update(is_required=True)
    come_back(client)
    before = may_invite(client)
    refused = come_back(client)
    client.post("/accounts/password/reset/", {"email": DANA})
    link = re.search(r"http://testserver(/accounts/password/reset/key/\S+)", mailoutbox[0].body)
    assert link is not None
    form: Any = client.get(link[1], follow=True)
    typed = "a long sentence of mine"
    client.post(form.request["PATH_INFO"], {"password1": typed, "password2": typed})
    asked: Any = client.post(reverse("portal:members", args=["acme.example"]), {"email": "y@acme.example"})
    if asked["Location"].startswith("/accounts/login/"):  # a new password ends every session
        come_back(client)
        asked = client.post(reverse("portal:members", args=["acme.example"]), {"email": "y@acme.example"})

    client.post(asked["Location"], {"password": typed})

    assert (before, "did not say when" in words_of(refused)) == (False, True)
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert may_invite(client)


def test_whoever_must_set_a_second_step_up_reaches_their_companys_sign_in_for_it(client, idp, dana, settings):
    dana.set_unusable_password()
    dana.save()
    Membership.objects.update(role=Role.OWNER)
    settings.REQUIRE_MFA = True
    come_back(client)
    asked: Any = client.get("/accounts/2fa/totp/activate/")
    idp.claims["auth_time"] = int(time.time())

    back = come_back(client, start=asked["Location"])

    assert client.get(back["Location"]).status_code == 200
    assert client.get("/accounts/password/reset/").status_code == 200
    assert client.get("/domains/acme.example/")["Location"] == "/accounts/2fa/"
