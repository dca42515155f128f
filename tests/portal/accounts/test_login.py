"""The front door: who gets in, how often one may try, what a session is, and how a password is got back."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
import time_machine
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import mail
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from portal.models import Domain, Role, User
from tests.support.installation import Installation
from tests.support.portal_process import as_json

PASSWORD = "correct horse battery"  # the one `make_member` gives
GUESS = {"username": "owner@acme.example", "password": PASSWORD}  # what Django's own form would send
NEW_PASSWORD = "quite another staple"
LOGIN = "/accounts/login/"
WRONG = "The email address and/or password you specified are not correct."
TOO_OFTEN = "Too many failed login attempts. Try again later."


@pytest.fixture
def bystander(other_domain: Domain, make_member: Callable[..., User]) -> User:
    return make_member(other_domain, Role.OWNER)


def log_in(client: Client, email: str, password: str = PASSWORD, **headers: str) -> HttpResponse:
    return client.post(LOGIN, {"login": email, "password": password}, headers=headers)  # type: ignore[return-value]


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


class _Errors(HTMLParser):
    """Collects the words of every error list."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._is_error = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_error = self._is_error or "errorlist" in (dict(attrs).get("class") or "")

    def handle_data(self, data: str) -> None:
        if self._is_error and data.strip():
            self.found.append(data.strip())
            self._is_error = False


def read_errors(response: HttpResponse) -> list[str]:
    parser = _Errors()
    parser.feed(response.content.decode())
    return parser.found


# ── in and out ───────────────────────────────────────────────────────────────────────────────────


def test_a_member_signs_in_with_address_and_password_and_lands_where_they_wanted(client, owner, bystander):
    closed = client.get(reverse("portal:overview", args=["acme.example"]))
    assert (closed.status_code, closed["Location"]) == (302, f"{LOGIN}?next=/domains/acme.example/")

    done = client.post(
        LOGIN, {"login": owner.email.upper(), "password": PASSWORD, "next": "/domains/acme.example/"}
    )

    assert (done.status_code, done["Location"]) == (302, "/domains/acme.example/")
    assert client.session["_auth_user_id"] == str(owner.pk)
    assert client.get("/domains/bystander.example/").status_code == 404


def test_signing_in_leads_to_no_other_site(client, owner):
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        done = client.post(LOGIN, {"login": owner.email, "password": PASSWORD, "next": elsewhere})

        assert (done.status_code, done["Location"]) == (302, "/"), elsewhere
        client.post("/accounts/logout/")


def test_a6_a_session_gets_a_new_key_at_login_and_is_dead_on_the_server_after_logout(client, owner):
    client.get(LOGIN)
    client.session["before"] = 1
    before = client.session.session_key
    log_in(client, owner.email)
    key = client.session.session_key
    stolen = Client(headers={})
    stolen.cookies[settings.SESSION_COOKIE_NAME] = key
    assert stolen.get("/accounts/2fa/").status_code == 200

    assert client.get("/accounts/logout/").status_code == 200  # asks first: a link elsewhere ends no session
    assert is_in(client)
    client.post("/accounts/logout/")

    assert key != before
    assert stolen.get("/accounts/2fa/").status_code == 302
    assert not Session.objects.filter(session_key=key).exists()


def test_a6_a_session_in_use_ends_after_twelve_hours(client, owner):
    with time_machine.travel("2026-11-02T10:00:00Z", tick=False) as clock:
        log_in(client, owner.email)
        key = client.session.session_key
        for _ in range(7):
            clock.shift(timedelta(minutes=102))
            assert client.get("/accounts/2fa/").status_code == 200

        clock.shift(timedelta(minutes=7))
        assert client.get("/accounts/2fa/").status_code == 302

    assert not Session.objects.filter(session_key=key).exists()


def test_a6_a_session_nobody_uses_ends_after_two_hours(client, owner):
    with time_machine.travel("2026-11-02T10:00:00Z", tick=False) as clock:
        log_in(client, owner.email)
        clock.shift(timedelta(hours=1, minutes=59))
        assert client.get("/accounts/2fa/").status_code == 200

        clock.shift(timedelta(hours=2, seconds=1))
        assert client.get("/accounts/2fa/").status_code == 302


def test_a6_a_changed_password_ends_every_other_session(client, owner, bystander):
    log_in(client, owner.email)
    log_in(elsewhere := Client(), owner.email)
    log_in(other := Client(), bystander.email)

    client.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    )

    assert [who.get("/accounts/2fa/").status_code for who in (elsewhere, other)] == [302, 200]


def test_somebody_deactivated_gets_in_no_more_and_their_session_is_over(client, owner, bystander):
    other = Client()
    log_in(client, owner.email)
    log_in(other, bystander.email)

    User.objects.filter(pk=owner.pk).update(is_active=False)

    assert client.get("/accounts/2fa/").status_code == 302
    assert other.get("/accounts/2fa/").status_code == 200
    fresh = Client()
    log_in(fresh, owner.email)
    assert not is_in(fresh)


# ── tries ────────────────────────────────────────────────────────────────────────────────────────


def test_a5_a_wrong_password_and_an_unknown_address_get_the_same_answer(client, owner):
    known = log_in(client, owner.email, "wrong horse battery")
    unknown = log_in(client, "nobody@acme.example", "wrong horse battery")

    assert known.status_code == unknown.status_code == 200
    assert read_errors(known) == read_errors(unknown) == [WRONG]
    token = re.compile(r'name="csrfmiddlewaretoken" value="[^"]+"')
    pages = [
        token.sub("", page.content.decode()).replace(owner.email, "nobody@acme.example")
        for page in (known, unknown)
    ]
    assert pages[0] == pages[1]


def test_a5_after_five_wrong_passwords_an_account_waits_five_minutes_and_nobody_else_does(
    client, owner, bystander
):
    with time_machine.travel("2026-11-02T10:00:00Z", tick=False) as clock:
        for _ in range(5):
            assert read_errors(log_in(client, owner.email, "wrong horse battery")) == [WRONG]

        assert read_errors(log_in(client, owner.email)) == [TOO_OFTEN]
        assert not is_in(client)
        other = Client(REMOTE_ADDR="192.0.2.7")
        assert read_errors(log_in(other, owner.email)) == [TOO_OFTEN]
        log_in(other, bystander.email)
        assert is_in(other)

        clock.shift(timedelta(minutes=5, seconds=1))
        log_in(client, owner.email)
        assert is_in(client)


def test_a5_an_unknown_account_is_made_to_wait_as_a_known_one_is(client, owner):
    answers = [read_errors(log_in(client, "nobody@acme.example", "wrong horse battery")) for _ in range(6)]

    assert answers == [[WRONG]] * 5 + [[TOO_OFTEN]]


def test_a5_an_address_on_the_network_may_fail_ten_times_a_minute_over_all_accounts_whatever_it_claims_to_be(
    client, owner
):
    with time_machine.travel("2026-11-02T10:00:00Z", tick=False) as clock:
        answers = [
            read_errors(
                log_in(
                    client, f"guess{number}@acme.example", "x", **{"x-forwarded-for": f"198.51.100.{number}"}
                )
            )
            for number in range(11)
        ]
        assert answers == [[WRONG]] * 10 + [[TOO_OFTEN]]
        assert read_errors(log_in(client, owner.email)) == [TOO_OFTEN]
        elsewhere = Client(REMOTE_ADDR="192.0.2.7")
        log_in(elsewhere, owner.email)
        assert is_in(elsewhere)

        clock.shift(timedelta(minutes=1, seconds=1))
        log_in(client, owner.email)
        assert is_in(client)


def test_the_login_page_itself_is_asked_for_thirty_times_a_minute_and_then_says_so(client, db):
    with time_machine.travel("2026-11-02T10:00:00Z", tick=False):
        answers = [log_in(client, "", "").status_code for _ in range(31)]

    assert answers == [200] * 30 + [429]


# ── the admin ────────────────────────────────────────────────────────────────────────────────────


def test_a5_the_admin_has_no_login_of_its_own(client, owner):
    paths = ("/admin/", "/admin/login/", "/admin/portal/domain/")
    for path in paths:
        for visitor in (Client().get(path, follow=True), Client().post(path, GUESS, follow=True)):
            assert visitor.redirect_chain[-1][0].partition("?")[0] == LOGIN, path

    log_in(client, owner.email)
    assert [client.get(path, follow=True).status_code for path in paths] == [403, 403, 403]

    User.objects.filter(pk=owner.pk).update(is_staff=True, is_superuser=True)
    assert client.get("/admin/").status_code == 200


# ── a password, forgotten ────────────────────────────────────────────────────────────────────────


def ask_for_reset(client: Client, email: str) -> tuple[int, str]:
    response = client.post("/accounts/password/reset/", {"email": email})
    return response.status_code, response["Location"]


def test_a_forgotten_password_is_set_anew_by_a_mailed_link_that_works_once(client, owner, bystander):
    elsewhere = Client()
    log_in(elsewhere, owner.email)
    ask_for_reset(client, owner.email)
    [letter] = mail.outbox
    assert letter.to == [owner.email]
    [link] = re.findall(r"http://testserver(/accounts/password/reset/key/\S+/)", str(letter.body))

    form = client.get(link)
    # The key leaves the address at once, so that no log and no next page learns it.
    assert (form.status_code, form["Location"]) == (302, re.sub(r"-[^/]+/$", "-set-password/", link))
    done = client.post(form["Location"], {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})

    assert done.status_code == 302
    assert elsewhere.get("/accounts/2fa/").status_code == 302  # what was open with the old password is over
    again = Client().get(link, follow=True)
    assert "password1" not in again.content.decode()
    log_in(fresh := Client(), owner.email)
    assert not is_in(fresh)
    log_in(fresh, owner.email, NEW_PASSWORD)
    assert is_in(fresh)
    log_in(other := Client(), bystander.email)
    assert is_in(other)


def test_asking_for_a_reset_answers_the_same_for_an_unknown_address(client, owner):
    known, unknown = ask_for_reset(client, owner.email), ask_for_reset(client, "nobody@acme.example")

    assert known == unknown == (302, "/accounts/password/reset/done/")
    to_unknown = mail.outbox[1]
    assert to_unknown.to == ["nobody@acme.example"]
    assert "/accounts/password/reset/key/" not in str(to_unknown.body)


def test_a_weak_or_twice_different_password_is_not_taken(client, owner):
    log_in(client, owner.email)
    tries = [("short", "short"), ("123456789012", "123456789012"), (NEW_PASSWORD, NEW_PASSWORD + "!")]

    for first, second in tries:
        refused = client.post(
            "/accounts/password/change/", {"oldpassword": PASSWORD, "password1": first, "password2": second}
        )
        assert refused.status_code == 200 and read_errors(refused), first

    log_in(fresh := Client(), owner.email)
    assert is_in(fresh)


def test_nobody_signs_up(client, db):
    typed = {"email": "new@acme.example", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}

    pages = [client.get("/accounts/signup/"), client.post("/accounts/signup/", typed)]

    assert ["password1" in page.content.decode() for page in pages] == [False, False]
    assert (list(User.objects.all()), mail.outbox) == ([], [])


# ── what the browser is told ─────────────────────────────────────────────────────────────────────

OVER_TLS = """
import json
from django.test import Client
from portal.models import User
user = User.objects.create_user("dana@acme.example", "correct horse battery")
user.emailaddress_set.create(email=user.email, verified=True, primary=True)
client = Client(headers={"host": "signatures.example.com"})
plain = client.get("/accounts/login/")
login = client.post("/accounts/login/", {"login": user.email, "password": "correct horse battery"}, secure=True,
    headers={"referer": "https://signatures.example.com/accounts/login/"})
page = client.get("/accounts/2fa/", secure=True)
print(json.dumps({
    "plain": [plain.status_code, plain["Location"]],
    "cookies": {name: {key: morsel[key] for key in ("path", "domain", "samesite", "secure", "httponly")}
        for name, morsel in client.cookies.items()},
    "headers": dict(page.headers),
}))
"""


@pytest.fixture(scope="session")
def over_tls(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> dict:
    """What a portal at an https address sends with its pages."""
    installation = Installation(
        tmp_path_factory.mktemp("tls"), migrated_database, PUBLIC_URL="https://signatures.example.com"
    )
    said: dict = as_json(installation.run(OVER_TLS))
    return said


def test_a6_over_tls_cookies_are_bound_to_the_host_and_out_of_reach_of_scripts(over_tls):
    bound = {"path": "/", "domain": "", "samesite": "Lax", "secure": True, "httponly": True}

    assert over_tls["plain"] == [301, "https://signatures.example.com/accounts/login/"]
    assert over_tls["cookies"] == {"__Host-session": bound, "__Host-csrf": bound}


def test_a7_over_tls_every_page_says_how_it_may_be_used(over_tls):
    told = {name: over_tls["headers"].get(name) for name in (
        "Strict-Transport-Security", "X-Frame-Options", "X-Content-Type-Options", "Referrer-Policy",
        "Cross-Origin-Opener-Policy",
    )}  # fmt: skip

    assert told == {
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    policy = over_tls["headers"]["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_without_tls_the_cookies_keep_what_can_be_kept(client, owner):
    log_in(client, owner.email)

    session = client.cookies["countersign_session"]
    assert (session["httponly"], session["samesite"], session["secure"]) == (True, "Lax", "")
