"""The second step: one-time passwords, recovery codes and security keys, none of them readable in the database."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from integrations.crypto.sealing import Unsealable, open_sealed
from portal.models import Domain, Role, User
from tests.support.database_text import dump_database

PASSWORD = "correct horse battery"  # the one `make_member` gives
LOGIN = "/accounts/login/"
SECOND_STEP = "/accounts/2fa/authenticate/"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def bystander(other_domain: Domain, make_member: Callable[..., User]) -> User:
    return make_member(other_domain, Role.OWNER)


def make_code(seed: str) -> str:
    """What an authenticator app shows now."""
    return format_hotp_value(hotp_value(seed, int(time.time()) // 30))


def give_password(client: Client, user: User) -> str:
    """Where the right password leads."""
    response = client.post(LOGIN, {"login": user.email, "password": PASSWORD})
    assert response.status_code == 302
    return response["Location"].partition("?")[0]


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def enrol(client: Client, user: User) -> str:
    """The user signs in, says the password once more and sets an authenticator app up; its seed."""
    give_password(client, user)
    assert client.get("/accounts/2fa/totp/activate/").status_code == 302
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = client.get("/accounts/2fa/totp/activate/")
    seed: str = page.context["form"].secret
    with time_machine.travel(timezone.now(), tick=False):  # a code is good for its thirty seconds alone
        done = client.post("/accounts/2fa/totp/activate/", {"code": make_code(seed)})
    assert done.status_code == 302, done.context["form"].errors
    return seed


def read_recovery_codes(client: Client) -> list[str]:
    page = client.get("/accounts/2fa/recovery-codes/")
    assert page.status_code == 200
    return list(page.context["unused_codes"])


def test_an_authenticator_app_is_set_up_and_then_asked_for(client, owner, bystander):
    seed = enrol(client, owner)
    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
        fresh = Client()
        assert give_password(fresh, owner) == SECOND_STEP
        assert not is_in(fresh)
        assert fresh.get("/domains/acme.example/").status_code == 302

        wrong = fresh.post(SECOND_STEP, {"code": "000000" if make_code(seed) != "000000" else "000001"})
        assert wrong.status_code == 200 and not is_in(fresh)

        fresh.post(SECOND_STEP, {"code": make_code(seed)})
        assert is_in(fresh)
        assert give_password(other := Client(), bystander) == "/" and is_in(other)


def test_a_code_that_was_used_opens_nothing_again(client, owner):
    seed = enrol(client, owner)
    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
        first, second = Client(), Client()
        for visitor in (first, second):
            give_password(visitor, owner)
            visitor.post(SECOND_STEP, {"code": make_code(seed)})

    assert (is_in(first), is_in(second)) == (True, False)


def test_codes_are_not_guessed_for_long(client, owner):
    enrol(client, owner)
    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
        thief = Client()
        give_password(thief, owner)
        answers = [thief.post(SECOND_STEP, {"code": f"{number:06}"}) for number in range(12)]

    assert not is_in(thief)
    refusals = [answer for answer in answers if b"Too many failed login attempts" in answer.content]
    assert len(refusals) >= 2


def test_neither_seed_nor_recovery_code_stands_anywhere_in_the_database(client, owner):
    seed = enrol(client, owner)
    codes = read_recovery_codes(client)
    held = dump_database()

    assert len(codes) == 10
    assert [secret for secret in (seed, *codes) if secret in held] == []
    sealed = {row.type: row.data for row in Authenticator.objects.filter(user=owner)}
    assert set(sealed) == {"totp", "recovery_codes"}
    assert open_sealed(sealed["totp"]["secret"], bound_to="mfa") == seed


def test_a_sealed_seed_opens_as_nothing_but_a_seed(client, owner):
    enrol(client, owner)
    sealed = Authenticator.objects.get(user=owner, type="totp").data["secret"]

    with pytest.raises(Unsealable):
        open_sealed(sealed, bound_to="somebody:refresh")


def test_a_recovery_code_opens_the_account_once(client, owner):
    enrol(client, owner)
    codes = read_recovery_codes(client)
    first, second = Client(), Client()
    for visitor in (first, second):
        assert give_password(visitor, owner) == SECOND_STEP
        visitor.post(SECOND_STEP, {"code": codes[0]})

    assert (is_in(first), is_in(second)) == (True, False)
    assert read_recovery_codes(client) == codes[1:]


def test_new_recovery_codes_end_the_old_ones(client, owner):
    enrol(client, owner)
    old = read_recovery_codes(client)
    client.post("/accounts/2fa/recovery-codes/generate/")
    new = read_recovery_codes(client)

    give_password(visitor := Client(), owner)
    visitor.post(SECOND_STEP, {"code": old[0]})

    assert not set(old) & set(new)
    assert not is_in(visitor)


def test_the_second_step_is_neither_set_up_nor_taken_away_on_an_old_login(client, owner):
    enrol(client, owner)
    with time_machine.travel(timezone.now() + timedelta(minutes=6), tick=False):
        asked = [
            client.get(path)
            for path in (
                "/accounts/2fa/totp/deactivate/",
                "/accounts/2fa/recovery-codes/",
                "/accounts/2fa/webauthn/add/",
            )
        ]
        client.post("/accounts/2fa/totp/deactivate/")

    assert ["reauthenticate" in answer["Location"] for answer in asked] == [True, True, True]
    assert Authenticator.objects.filter(user=owner, type="totp").exists()


# ── what a change of the second step asks for ─────────────────────────────────────────────────────
CONFIRM, CONFIRM_BY_CODE = "/accounts/reauthenticate/", "/accounts/2fa/reauthenticate/"
CHANGES = [
    ("post", "/accounts/2fa/totp/deactivate/"),
    ("get", "/accounts/2fa/totp/deactivate/"),
    ("post", "/accounts/2fa/webauthn/keys/{key}/remove/"),
    ("post", "/accounts/2fa/webauthn/keys/{key}/edit/"),
    ("get", "/accounts/2fa/webauthn/add/"),
    ("post", "/accounts/2fa/webauthn/add/"),
    ("get", "/accounts/2fa/recovery-codes/"),
    ("get", "/accounts/2fa/recovery-codes/download/"),
    ("post", "/accounts/2fa/recovery-codes/generate/"),
]


@pytest.fixture
def both_steps(client: Client, owner: User) -> tuple[Client, str, list[str]]:
    """A fresh session of the owner, in with password and app, who has a key too; the app's seed; recovery codes."""
    seed = enrol(client, owner)
    codes = read_recovery_codes(client)
    Authenticator.objects.create(user=owner, type="webauthn", data={"name": "Blue key", "credential": {}})
    fresh = Client()
    give_password(fresh, owner)
    fresh.post(SECOND_STEP, {"code": codes[0]})
    assert is_in(fresh)
    return fresh, seed, codes[1:]


def list_factors(user: User) -> list[tuple[str, str]]:
    rows = Authenticator.objects.filter(user=user).order_by("pk")
    return [(row.type, json.dumps(row.data, sort_keys=True)) for row in rows]


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_a_password_alone_changes_no_second_step_and_shows_no_recovery_code(
    both_steps, owner, bystander, method, path
):
    session, _, codes = both_steps
    key = Authenticator.objects.get(user=owner, type="webauthn").pk
    before = list_factors(owner)

    session.post(CONFIRM, {"password": PASSWORD})
    answer = getattr(session, method)(path.format(key=key), {"name": "Mine"})

    assert answer.status_code == 302
    assert answer["Location"].startswith(f"{CONFIRM_BY_CODE}?next=")
    assert list_factors(owner) == before
    assert not any(code in answer.content.decode() for code in codes)


def test_a_second_step_or_a_recovery_code_takes_one_away_for_five_minutes(both_steps, owner):
    session, seed, codes = both_steps
    key = Authenticator.objects.get(user=owner, type="webauthn")

    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False) as clock:
        wrong = session.post(CONFIRM_BY_CODE, {"code": "not a code"})
        session.post(CONFIRM_BY_CODE, {"code": codes[0]})
        removed = session.post(f"/accounts/2fa/webauthn/keys/{key.pk}/remove/")
        clock.shift(timedelta(minutes=5, seconds=1))
        late = session.post("/accounts/2fa/totp/deactivate/")
        session.post(CONFIRM_BY_CODE, {"code": make_code(seed)})
        gone = session.post("/accounts/2fa/totp/deactivate/")

    assert wrong.status_code == 200
    assert removed["Location"] == "/accounts/2fa/webauthn/"
    assert late["Location"].startswith(CONFIRM_BY_CODE)
    assert gone["Location"] == "/accounts/2fa/"
    assert list_factors(owner) == []


def test_setting_one_up_shows_its_recovery_codes_and_takes_nothing_away(client, owner):
    enrol(client, owner)

    codes = read_recovery_codes(client)
    client.post(CONFIRM, {"password": PASSWORD})
    answer = client.post("/accounts/2fa/totp/deactivate/")

    assert len(codes) == 10
    assert answer["Location"].startswith(CONFIRM_BY_CODE)
    assert [kind for kind, _ in list_factors(owner)] == ["totp", "recovery_codes"]


def test_the_code_that_set_the_app_up_opens_nothing_in_its_thirty_seconds(client, owner, bystander):
    give_password(client, owner)
    client.post(CONFIRM, {"password": PASSWORD})
    with time_machine.travel(timezone.now(), tick=False) as clock:
        page = client.get("/accounts/2fa/totp/activate/")
        seed = page.context["form"].secret
        code = make_code(seed)
        client.post("/accounts/2fa/totp/activate/", {"code": code})
        thief = Client()
        give_password(thief, owner)
        refused = thief.post(SECOND_STEP, {"code": code})
        confirmed = client.post(CONFIRM_BY_CODE, {"code": code})
        clock.shift(timedelta(seconds=31))
        thief.post(SECOND_STEP, {"code": make_code(seed)})

    assert (refused.status_code, confirmed.status_code) == (200, 200)
    assert is_in(thief), "The next code is taken, so the first one failed for having been used."


def test_a_mistyped_code_sets_nothing_up_and_the_right_one_still_does(client, owner):
    give_password(client, owner)
    client.post(CONFIRM, {"password": PASSWORD})
    with time_machine.travel(timezone.now(), tick=False):
        seed = client.get("/accounts/2fa/totp/activate/").context["form"].secret
        wrong = client.post("/accounts/2fa/totp/activate/", {"code": "000000x"})
        done = client.post("/accounts/2fa/totp/activate/", {"code": make_code(seed)})

    assert (wrong.status_code, done.status_code) == (200, 302)
    assert [kind for kind, _ in list_factors(owner)] == ["totp", "recovery_codes"]


# ── security keys, in a real browser ─────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        # Playwright keeps an event loop on this thread; Django would refuse the ORM beside it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, live_server: LiveServer, settings: Any) -> Iterator[Page]:
    """A browser with a security key plugged in that somebody touches whenever it asks."""
    settings.MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True  # this machine speaks no TLS to itself
    context = chromium.new_context(base_url=live_server.url)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "usb",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    yield page
    context.close()


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_security_key_is_added_and_asked_for_within_the_policy(page: Page, owner: User) -> None:
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def sign_in() -> None:
        page.goto(LOGIN)
        page.get_by_label("E-mail address").fill(owner.email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()

    sign_in()
    page.wait_for_url(lambda url: LOGIN not in url)
    page.goto("/accounts/2fa/webauthn/add/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm", exact=True).click()
    page.get_by_label("Name").fill("Blue key")
    page.get_by_role("button", name="Add the key").click()
    page.wait_for_url(re.compile(r"/accounts/2fa/(webauthn/|recovery-codes/)?$"))
    page.goto("/accounts/2fa/webauthn/")
    expect(page.get_by_role("rowheader", name="Blue key")).to_be_visible()

    page.context.clear_cookies()
    sign_in()
    page.wait_for_url(re.compile(SECOND_STEP))
    page.goto("/accounts/2fa/webauthn/")
    expect(page).to_have_url(re.compile(SECOND_STEP))  # half signed in is not signed in
    page.get_by_role("button", name="Use a security key").click()
    page.wait_for_url(lambda url: "/accounts/" not in url)

    page.goto("/accounts/2fa/webauthn/")
    expect(page.get_by_role("row", name="Blue key")).not_to_contain_text("never")
    key = Authenticator.objects.get(user=owner, type="webauthn")
    assert "private" not in json.dumps(key.data).lower()
    assert complaints == []
