"""Single sign-on against a real OpenID Connect provider on a socket: whom it lets in, and whom never."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oidc_provider_mock import run_server_in_thread

from integrations.crypto.sealing import seal
from integrations.models import LedgerEntry
from portal.accounts.invitations import VALID_FOR
from portal.models import Domain, IdentityProvider, Invitation, Membership, Role, User
from tests.support.furnished_domain import make_user
from tests.support.page_text import words_of

DANA = "dana@acme.example"
SECRET = "canary-of-a-client-secret"


@pytest.fixture(scope="module")
def idp() -> Iterator[str]:
    """A company's identity provider that signs everybody in who says who they are; its issuer."""
    with run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def provider(idp: str, domain: Domain, settings: Any) -> IdentityProvider:
    settings.DEBUG = True  # plain http to this machine
    settings.PUBLIC_URL = "http://testserver"
    made = IdentityProvider(domain=domain, issuer=idp, client_id="countersign")
    made.client_secret_sealed = ""
    made.save()
    made.client_secret_sealed = seal(SECRET, bound_to=made.bound_to)
    made.save()
    return made


@pytest.fixture
def bystander(other_domain: Domain, make_member: Callable[..., User]) -> User:
    return make_member(other_domain, Role.OWNER)


def tell_provider(idp: str, sub: str, **claims: Any) -> None:
    """The identity provider knows this person by these claims."""
    requests.put(f"{idp}/users/{sub}", json=claims, timeout=10).raise_for_status()


def come_back(client: Client, idp: str, sub: str, *, start: str = "/accounts/sso/acme.example/login/") -> str:
    """Go out to the identity provider and sign in there; the address it sends the browser back to."""
    out = client.post(start)
    assert out.status_code == 302, words_of(out)
    allowed = requests.post(out["Location"], data={"sub": sub}, allow_redirects=False, timeout=10)
    assert allowed.status_code == 302, allowed.text
    parts = urlsplit(allowed.headers["Location"])
    assert parts.netloc == "testserver"
    return f"{parts.path}?{parts.query}"


def sign_in(client: Client, idp: str, sub: str = "dana", **claims: Any) -> HttpResponse:
    tell_provider(idp, sub, **({"email": DANA, "email_verified": True} | claims))
    return client.get(come_back(client, idp, sub))  # type: ignore[return-value]


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def count_people() -> tuple[int, int, int]:
    return User.objects.count(), Membership.objects.count(), SocialAccount.objects.count()


def test_a_member_signs_in_and_stays_the_one_person_they_were(
    client, idp, provider, domain, make_member, bystander
):
    dana = make_member(domain, Role.EDITOR, DANA)

    done = sign_in(client, idp)
    sign_in(again := Client(), idp)

    assert (done.status_code, done["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == again.session["_auth_user_id"] == str(dana.pk)
    assert count_people() == (2, 2, 1)
    assert client.get("/domains/acme.example/").status_code == 200
    assert client.get("/domains/bystander.example/").status_code == 404
    assert (SocialToken.objects.count(), SocialApp.objects.count()) == (0, 0)
    assert SocialAccount.objects.get().extra_data == {}


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"email_verified": False}, "Your address is not verified"),
        ({"email_verified": "false"}, "Your address is not verified"),
        ({"email_verified": 1}, "Your address is not verified"),
        ({"email": "owner@bystander.example"}, "This sign-in is for another domain"),
        ({"email": "dana@sub.acme.example"}, "This sign-in is for another domain"),
        ({"email": "dana@evilacme.example"}, "This sign-in is for another domain"),
        ({"email": "nobody@acme.example"}, "You are not a member of this domain"),
        ({"email": "root@acme.example"}, "Operators sign in with their password"),
        ({"email": "both@acme.example"}, "You belong to other domains too"),
        ({"email": "gone@acme.example"}, "This account is deactivated"),
    ],
)
def test_nobody_else_is_let_in_and_nothing_is_made(
    client, idp, provider, domain, other_domain, make_member, bystander, claims, words
):
    make_member(domain, Role.EDITOR, DANA)
    User.objects.filter(pk=make_member(domain, Role.OWNER, "root@acme.example").pk).update(is_staff=True)
    Membership.objects.create(
        domain=other_domain, user=make_member(domain, Role.EDITOR, "both@acme.example"), role=Role.AUDITOR
    )
    User.objects.filter(pk=make_member(domain, Role.EDITOR, "gone@acme.example").pk).update(is_active=False)
    before = count_people()

    refused = sign_in(client, idp, sub=str(claims), **claims)

    assert (refused.status_code, words in words_of(refused)) == (403, True), words_of(refused)
    assert (is_in(client), count_people()) == (False, before)


def test_an_invitation_is_taken_up_and_an_expired_one_is_not(client, idp, provider, domain, owner):
    invitation = Invitation.objects.create(
        domain=domain,
        email=DANA,
        role="editor",
        token_sha256="d",
        invited_by=owner,
        expires_at=timezone.now(),
    )
    assert "This invitation has expired" in words_of(sign_in(client, idp))

    Invitation.objects.update(expires_at=timezone.now() + VALID_FOR)
    sign_in(client, idp)

    invitation.refresh_from_db()
    assert invitation.accepted_at is not None
    assert Membership.objects.get(user__email=DANA).role == "editor"
    assert not User.objects.get(email=DANA).has_usable_password()
    assert is_in(client)


def test_people_nobody_invited_become_auditors_where_the_owner_says_so(client, idp, provider, domain):
    IdentityProvider.objects.update(default_role="auditor")

    sign_in(client, idp)

    assert Membership.objects.get(user__email=DANA).role == "auditor"
    assert [value for value, _ in IdentityProvider._meta.get_field("default_role").choices or []] == [
        "auditor"
    ]
    assert LedgerEntry.objects.get().detail == f"{DANA} as auditor, by single sign-on"


def test_a_second_identity_with_the_same_address_and_an_identity_with_another_address_open_nothing(
    client, idp, provider, domain, make_member
):
    dana = make_member(domain, Role.EDITOR, DANA)
    make_member(domain, Role.OWNER, "boss@acme.example")
    sign_in(Client(), idp)

    recycled = sign_in(client, idp, sub="somebody-new")
    renamed = sign_in(client, idp, sub="dana", email="boss@acme.example")

    assert "Somebody else signed in with this address" in words_of(recycled)
    assert "Your address has changed" in words_of(renamed)
    assert not is_in(client)
    dana.memberships.get().delete()
    Membership.objects.create(domain=domain, user=dana, role=Role.EDITOR)
    sign_in(client, idp, sub="somebody-new")
    assert is_in(client)


def test_an_answer_works_once_in_its_own_session_and_with_its_own_state(
    client, idp, provider, domain, make_member
):
    make_member(domain, Role.EDITOR, DANA)
    tell_provider(idp, "dana", email=DANA, email_verified=True)
    answer = come_back(client, idp, "dana")
    thief = Client()

    statuses = [
        thief.get(answer).status_code,
        client.get(answer.replace("state=", "state=x")).status_code,
        client.get(answer).status_code,
    ]
    client.post("/accounts/logout/")
    replayed = client.get(answer)

    assert (statuses[:2], statuses[2]) == ([403, 403], 302)
    assert replayed.status_code == 403
    assert (is_in(client), is_in(thief)) == (False, False)
    assert replayed["Referrer-Policy"] == "no-referrer"


def test_an_issuer_that_says_it_is_another_is_not_believed(client, idp, provider, domain, make_member):
    make_member(domain, Role.EDITOR, DANA)
    other = f"{idp}/"  # the same place, and another name than it publishes
    IdentityProvider.objects.update(
        issuer=other, client_secret_sealed=seal(SECRET, bound_to=f"sso:{domain.pk}:{other}")
    )

    refused = client.post("/accounts/sso/acme.example/login/")

    assert "names another issuer" in words_of(refused)


def test_what_the_address_asks_for_changes_nothing(client, idp, provider):
    out = client.post(
        "/accounts/sso/acme.example/login/?process=connect&scope=admin&auth_params=client_id%3Devil&next=//evil.example"
    )

    asked = parse_qs(urlsplit(out["Location"]).query)
    assert asked["client_id"] == ["countersign"]
    assert set(asked["scope"][0].split()) == {"openid", "email", "profile"}
    assert asked["redirect_uri"] == ["http://testserver/accounts/sso/acme.example/login/callback/"]
    assert (asked["code_challenge_method"], len(asked["state"][0])) == (["S256"], 43)


def test_a_second_step_is_asked_for_after_single_sign_on_too(client, idp, provider, domain, make_member):
    dana = make_member(domain, Role.EDITOR, DANA)
    Authenticator.objects.create(
        user=dana, type="totp", data={"secret": seal("JBSWY3DPEHPK3PXP", bound_to="mfa")}
    )

    done = sign_in(client, idp)

    assert (done["Location"].startswith("/accounts/2fa/authenticate/"), is_in(client)) == (True, False)


def test_passwords_end_with_a_sentence_where_single_sign_on_is_required_but_for_operators(
    client, idp, provider, domain, make_member, bystander
):
    dana = make_member(domain, Role.EDITOR, DANA)
    root = make_user("root@portal.example", is_staff=True)
    IdentityProvider.objects.update(is_required=True)

    def log_in(user: User) -> HttpResponse:
        return Client().post("/accounts/login/", {"login": user.email, "password": "correct horse battery"})

    assert "requires single sign-on instead of a password" in words_of(log_in(dana))
    assert [log_in(user).status_code for user in (dana, root, bystander)] == [403, 302, 302]
    sign_in(client, idp)
    assert is_in(client)


def test_whoever_has_no_password_confirms_at_their_company(client, idp, provider, domain, owner):
    Invitation.objects.create(
        domain=domain, email=DANA, role="admin", token_sha256="d", invited_by=owner,
        expires_at=timezone.now() + VALID_FOR,
    )  # fmt: skip
    sign_in(client, idp)
    session = client.session
    session["authenticated_at"] = 0.0
    session.save()
    page = reverse("portal:members", args=[domain.name])

    asked = client.post(page, {"email": "new@acme.example", "role": "auditor"})
    tell_provider(idp, "dana", email=DANA, email_verified=True, auth_time=int(time.time()))
    back = client.get(come_back(client, idp, "dana", start=asked["Location"]))

    assert back["Location"] == page
    assert client.get(page).context["form"].initial["email"] == "new@acme.example"
    assert client.post(page, {"email": "new@acme.example", "role": "auditor"})["Location"] == page


def test_the_way_begins_with_ones_address_and_names_where_it_leads(client, idp, provider):
    known = client.post("/accounts/sso/", {"email": DANA})
    unknown = client.post("/accounts/sso/", {"email": "x@bystander.example"})

    assert 'method="post" action="/accounts/sso/acme.example/login/"' in known.content.decode()
    assert "Continue to localhost" in words_of(known)
    assert "No single sign-on is set up for this address" in words_of(unknown)
    assert "Sign in through your company" in words_of(client.get("/accounts/login/"))
    assert client.get("/accounts/sso/bystander.example/login/").status_code == 404
