"""What goes wrong at single sign-on by OpenID Connect has a sentence for the person and one line in the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from integrations.crypto.sealing import seal
from portal.models import Domain, IdentityProvider, Role, User
from tests.support.oidc_provider import CONFIGURATION, STRANGE_KEY, Provider, Reply, make_jwk, running
from tests.support.page_text import words_of
from tests.support.sso_sign_in import (
    CALLBACK,
    DANA,
    LOGIN,
    SECRET,
    come_back,
    go_out,
    is_in,
    read_log,
    set_up,
)

GOOD = {"email": DANA, "email_verified": True}
HTML = Reply(b"<html>Sign in</html>", content_type="text/html")
NESTED = b"[" * 200_000


@pytest.fixture
def idp() -> Iterator[Provider]:
    with running() as provider:
        provider.claims = dict(GOOD)
        yield provider


@pytest.fixture(autouse=True)
def row(idp: Provider, domain: Domain, make_member: Callable[..., User], settings: Any) -> IdentityProvider:
    make_member(domain, Role.EDITOR, DANA)
    return set_up(idp, domain, settings)


@pytest.fixture(autouse=True)
def bystander(other_domain: Domain, make_member: Callable[..., User]) -> User:
    return make_member(other_domain, Role.OWNER)


def at(seconds: float) -> int:
    return int(time.time() + seconds)


def bend_answers(idp: Provider, reply: Reply, path: str = "/token") -> None:
    idp.replies[path] = reply


CASES: dict[str, tuple[Callable[[Provider], object], str, str]] = {
    "unknown key": (
        lambda p: p.header.update(kid="ninth"),
        "a key the provider does not publish",
        "unknown key",
    ),
    "another's signature": (
        lambda p: setattr(p, "signing_key", STRANGE_KEY),
        "Its signature is not valid",
        "signature does not hold",
    ),
    "no signature": (
        lambda p: (setattr(p, "algorithm", "none"), setattr(p, "signing_key", None)),
        "not signed with a supported algorithm",
        "ID token signed by an algorithm that is not taken",
    ),
    "a shared secret": (
        lambda p: (setattr(p, "algorithm", "HS256"), setattr(p, "signing_key", SECRET * 3)),
        "not signed with a supported algorithm",
        "ID token signed by an algorithm that is not taken",
    ),
    "wrong secret": (
        lambda p: bend_answers(p, Reply({"error": "invalid_client"}, 401)),
        "The client ID or the client secret set up here is wrong, or the secret has expired",
        "token endpoint answered invalid_client",
    ),
    "wrong secret without a word": (
        lambda p: bend_answers(p, Reply(b"", 401)),
        "The client ID or the client secret set up here is wrong",
        "token endpoint answered with status 401",
    ),
    "code refused": (
        lambda p: bend_answers(p, Reply({"error": "invalid_grant"}, 400)),
        "says that its answer was used or is too old",
        "token endpoint answered invalid_grant",
    ),
    "not allowed the flow": (
        lambda p: bend_answers(p, Reply({"error": "unauthorized_client"}, 400)),
        "may not use the authorization code flow",
        "token endpoint answered unauthorized_client",
    ),
    "an error of its own": (
        lambda p: bend_answers(p, Reply({"error": DANA}, 400)),
        "Its token endpoint answered without tokens (status 400)",
        "token endpoint answered without tokens, status 400",
    ),
    "token endpoint fails": (
        lambda p: bend_answers(p, Reply({"error": "server_error"}, 500)),
        "It answered with a server error. Try again in a few minutes",
        "token endpoint answered with status 500",
    ),
    "token endpoint sends a page": (
        lambda p: bend_answers(p, HTML),
        "answered with something that is no JSON (status 200)",
        "token endpoint answered with something that is no JSON, status 200",
    ),
    "token endpoint redirects": (
        lambda p: bend_answers(p, Reply(b"", 302, headers={"Location": "/elsewhere"})),
        "answered with a redirect, which is not followed",
        "provider not usable: redirect",
    ),
    "token endpoint nests": (
        lambda p: bend_answers(p, Reply(NESTED)),
        "answered with something that is no JSON (status 200)",
        "token endpoint answered with something that is no JSON, status 200",
    ),
    "token endpoint too large": (
        lambda p: bend_answers(p, Reply(b"x" * 1_000_001)),
        "answer was too large",
        "provider not usable: answer too large",
    ),
    "no ID token": (lambda p: p.tokens.update(id_token=None), "It contains no ID token", "no ID token"),
    "an ID token that is none": (
        lambda p: p.tokens.update(id_token="a.b.c"),
        "Its ID token could not be read",
        "ID token could not be read",
    ),
    "clock ahead": (
        lambda p: p.claims.update(iat=at(121), exp=at(500)),
        "By it, the clock there is 2 minutes ahead of the portal’s",
        "clocks apart: the clock there is 2 minutes ahead of the portal’s",
    ),
    "clock behind": (
        lambda p: p.claims.update(iat=at(-3_600), exp=at(-3_300)),
        "the clock there is 60 minutes behind the portal’s",
        "clocks apart, or an old token: the clock there is 60 minutes behind the portal’s",
    ),
    "wrong issuer": (
        lambda p: p.claims.update(iss="https://evil.example"),
        "a different issuer than the one set up here",
        "wrong issuer",
    ),
    "wrong audience": (
        lambda p: p.claims.update(aud="other"),
        "It was issued for another application",
        "wrong audience",
    ),
    "another authorized party": (
        lambda p: p.claims.update(aud=["countersign", "other"], azp="other"),
        "It was issued for another application",
        "wrong audience",
    ),
    "no subject": (
        lambda p: p.claims.update(sub=None),
        "does not name you by an identifier",
        "no usable sub",
    ),
    "no address": (
        lambda p: p.claims.update(email=None),
        "has no address in the claim email",
        "no address at all",
    ),
    "address unverified": (
        lambda p: p.claims.update(email_verified=False),
        "Your address is not verified",
        "address not verified",
    ),
    "another domain": (
        lambda p: p.claims.update(email="dana@evil.example"),
        "This sign-in is for another domain",
        "address at another domain",
    ),
    "keys are a page": (
        lambda p: bend_answers(p, HTML, "/keys"),
        "The identity provider's keys could not be read",
        "provider not usable: keys could not be read (status 200)",
    ),
    "keys fail": (
        lambda p: bend_answers(p, Reply({}, 503), "/keys"),
        "The identity provider's keys could not be read",
        "provider not usable: keys could not be read (status 503)",
    ),
    "signed in tomorrow": (
        lambda p: p.claims.update(auth_time=at(86_400 * 9 + 60)),
        "the clock there is 9 days ahead of the portal’s",
        "authentication in the future: the clock there is 9 days ahead of the portal’s",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_cause_has_a_sentence_of_its_own_and_one_line_in_the_log(client, idp, caplog, name):
    bend, sentence, cause = CASES[name]
    asked = go_out(client)
    bend(idp)

    answer: Any = client.get(CALLBACK, {"code": "code", "state": asked["state"]})

    words = words_of(answer).replace("`", "")
    assert (answer.status_code, sentence in words) == (403, True), words
    assert "Outreach was not connected" not in words
    assert "Nobody was signed in, and nothing was changed" in words
    assert not is_in(client)
    assert read_log(caplog) == [("WARNING", f"single sign-on for acme.example refused: {cause}")]
    assert not any(secret in caplog.text for secret in (DANA, SECRET, asked["state"], "eyJ"))


@pytest.mark.parametrize(
    ("answered", "sentence", "cause"),
    [
        (
            {"error": "access_denied", "error_description": "AADSTS50105: Your administrator has configured"},
            "You are not assigned to this application there (AADSTS50105)",
            "provider answered access_denied AADSTS50105",
        ),
        (
            {"error": "access_denied", "error_description": "AADSTS65004: User declined"},
            "You cancelled, or you may not use this portal (access_denied AADSTS65004)",
            "provider answered access_denied AADSTS65004",
        ),
        (
            {"error": "access_denied", "error_description": "<script>alert(1)</script>"},
            "You cancelled, or you may not use this portal (access_denied)",
            "provider answered access_denied",
        ),
        ({"error": "login_required"}, "denied access", "provider answered login_required"),
        ({"error": "server_error"}, "had an error", "provider answered server_error"),
        (
            {"error": "temporarily_unavailable"},
            "had an error",
            "provider answered temporarily_unavailable",
        ),
        (
            {"error": f"made up {DANA}"},
            "It answered an error of its own",
            "provider answered an error of its own",
        ),
        ({"error": ""}, "It answered an error of its own", "provider answered an error of its own"),
        ({"nothing": ""}, "It sent you back without a code", "no code in the answer"),
        ({"code": "c" * 9_000}, "It sent you back without a code", "no code in the answer"),
        ({"code": "c\x00"}, "It sent you back without a code", "no code in the answer"),
        (
            {"code": "code", "iss": "https://evil.example"},
            "a different issuer than the one set up here",
            "wrong issuer in the answer's address",
        ),
    ],
)
def test_what_the_provider_answers_instead_of_a_code_is_told(client, idp, caplog, answered, sentence, cause):
    answer = come_back(client, **answered)

    assert (answer.status_code, sentence in words_of(answer)) == (403, True), words_of(answer)
    assert "<script>" not in answer.content.decode().replace('<script src="', "")
    assert read_log(caplog) == [("WARNING", f"single sign-on for acme.example refused: {cause}")]
    assert idp.asked["/token"] == 0


def test_a_state_that_is_too_old_or_not_this_sessions_is_told_apart(client, caplog):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        asked = go_out(client)
        clock.shift(timedelta(minutes=10, seconds=1))
        old: Any = client.get(CALLBACK, {"code": "code", "state": asked["state"]})
    foreign: Any = Client().get(CALLBACK, {"code": "code", "state": asked["state"]})
    none: Any = client.get(CALLBACK)

    assert "This sign-in took too long" in words_of(old)
    assert "was not started in this browser" in words_of(foreign)
    assert "was not started in this browser" in words_of(none)
    assert [words.partition("refused: ")[2] for _, words in read_log(caplog)] == [
        "state too old",
        "state not begun in this session, or used before",
        "state not begun in this session, or used before",
    ]


@pytest.mark.parametrize(
    ("reply", "sentence", "cause"),
    [
        (
            Reply({}, 404),
            "cannot be used: it answered with status 404",
            "configuration answered with status 404",
        ),
        (HTML, "its configuration is not JSON", "configuration is not JSON"),
        (Reply(NESTED), "its configuration is not JSON", "configuration is not JSON"),
        (Reply([1]), "its configuration is not JSON", "configuration is not JSON"),
        (
            Reply({"issuer": "https://evil.example"}),
            "names another issuer",
            "configuration names another issuer",
        ),
    ],
)
def test_a_provider_that_does_not_publish_itself_is_told(client, idp, caplog, reply, sentence, cause):
    idp.replies[CONFIGURATION] = reply

    answer: Any = client.post(LOGIN)

    assert (answer.status_code, sentence in words_of(answer)) == (403, True), words_of(answer)
    assert [words.partition("refused: ")[2] for _, words in read_log(caplog)] == [
        f"provider not usable: {cause}"
    ]


def test_a_provider_that_nobody_reaches_is_told(client, idp, row, domain, caplog):
    gone = "http://127.0.0.1:1"
    IdentityProvider.objects.update(
        issuer=gone, client_secret_sealed=seal(SECRET, bound_to=f"sso:{domain.pk}:{gone}")
    )

    answer: Any = client.post(LOGIN)

    assert "cannot be used: no connection could be made" in words_of(answer)
    assert read_log(caplog)[0][0] == "WARNING"


def test_a_provider_that_was_replaced_meanwhile_gets_no_code_of_the_former_one(client, idp, row, caplog):
    asked = go_out(client)
    IdentityProvider.objects.update(client_id="another")

    answer: Any = client.get(CALLBACK, {"code": "code", "state": asked["state"]})

    assert "settings have changed" in words_of(answer)
    assert idp.asked["/token"] == 0
    assert not is_in(client)


def test_a_key_that_the_provider_changed_is_read_anew(client, idp):
    come_back(Client())
    idp.signing_key = STRANGE_KEY
    idp.header = {"kid": "second"}
    idp.replies["/keys"] = Reply({"keys": [make_jwk(), make_jwk(STRANGE_KEY, kid="second")]})

    come_back(client)

    assert is_in(client)
    assert (idp.asked["/keys"], idp.asked[CONFIGURATION]) == (2, 1)


@pytest.mark.parametrize(
    "keys",
    [
        [make_jwk(kid=None)],
        [make_jwk(use=None, alg=None)],
        [make_jwk(STRANGE_KEY), make_jwk()],  # two of one name
        [make_jwk(use="enc"), {"kty": "EC", "kid": "first"}, "no key", None, make_jwk(x5c=["MII"])],
    ],
)
def test_keys_as_providers_publish_them_are_found(client, idp, keys):
    idp.replies["/keys"] = Reply({"keys": keys})
    if keys[0].get("kid") is None:
        idp.header = {"kid": None}

    come_back(client)

    assert is_in(client)


def test_the_published_configuration_is_kept_for_five_minutes(idp):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(5):
            go_out(Client())
        kept = idp.asked[CONFIGURATION]
        clock.shift(timedelta(minutes=5, seconds=1))
        go_out(Client())

    assert (kept, idp.asked[CONFIGURATION]) == (1, 2)
