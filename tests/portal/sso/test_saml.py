"""Single sign-on by SAML, with a provider that signs what a test tells it: whom it lets in, and whom never."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount, SocialApp
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from lxml import etree

from portal.accounts.invitations import VALID_FOR
from portal.models import IdentityProvider, Invitation, Membership, Role, User
from tests.support.page_text import words_of
from tests.support.saml_provider import (
    NAMES,
    Statement,
    find_assertion,
    pack,
    read_request,
    write_answer,
)
from tests.support.saml_sign_in import ACS, BASE, DANA, LOGIN, METADATA, begin, post, sign, sign_in


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def count_people() -> tuple[int, int, int]:
    return User.objects.count(), Membership.objects.count(), SocialAccount.objects.count()


def test_a_member_signs_in_and_stays_the_one_person_they_were(
    client, signer, provider, domain, make_member, bystander
):
    dana = make_member(domain, Role.EDITOR, DANA)

    done = sign_in(client, signer)
    sign_in(again := Client(), signer, email="DANA@acme.example")

    assert (done.status_code, done["Location"]) == (302, "/")
    assert (done["Referrer-Policy"], done.cookies["countersign_saml"].value) == ("no-referrer", "")
    assert client.session["_auth_user_id"] == again.session["_auth_user_id"] == str(dana.pk)
    assert count_people() == (2, 2, 1)
    assert client.get("/domains/acme.example/").status_code == 200
    assert client.get("/domains/bystander.example/").status_code == 404
    assert SocialApp.objects.count() == 0
    assert SocialAccount.objects.get().extra_data == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"audience": "https://other.example/"}, "It was issued for another application"),
        ({"audience": ""}, "It was issued for another application"),
        ({"acs": f"{ACS}x"}, "It was issued for another URL"),
        ({"acs": "http://testserver/accounts/sso/bystander.example/saml/acs/"}, "for another URL"),
        ({"acs": f"{ACS}?x", "recipient": ACS}, "It was issued for another URL"),
        ({"recipient": f"{ACS}?x"}, "It was issued for another URL"),
        ({"issuer": "https://evil.example/saml"}, "It comes from another provider"),
        ({"ends": timedelta(seconds=-1)}, "It is too old or too new"),
        ({"starts": timedelta(minutes=-20), "ends": timedelta(minutes=-6)}, "It is too old or too new"),
        ({"starts": timedelta(minutes=6)}, "It is too old or too new"),
        ({"status": "Responder"}, "denied access"),
        ({"request_id": ""}, "It does not answer a request of this portal"),
        ({"response_request_id": "_another"}, "It answers a different request"),
        ({"name_format": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"}, "NameID to persistent"),
        ({"name": "x" * 300}, "NameID to persistent"),
        ({"attribute": "urn:other"}, "It must contain one e-mail address"),
    ],
)
def test_an_answer_that_says_something_else_is_not_believed(
    client, signer, provider, domain, make_member, bystander, changes, words
):
    make_member(domain, Role.EDITOR, DANA)
    before = count_people()

    refused = sign_in(client, signer, **changes)

    assert (refused.status_code, words in words_of(refused)) == (403, True), words_of(refused)
    assert (is_in(client), count_people()) == (False, before)


def test_an_answer_without_the_providers_own_signature_over_the_assertion_is_not_believed(
    client, signer, stranger, provider, domain, make_member, bystander
):
    make_member(domain, Role.EDITOR, DANA)
    make_member(domain, Role.OWNER, "boss@acme.example")
    before = count_people()
    told = begin(client)
    unsigned, message_only, sha1, changed = (write_answer(told) for _ in range(4))
    signer.sign(message_only)
    signer.sign(find_assertion(sha1), sha1=True)
    signer.sign(find_assertion(changed))
    value = changed.find(".//saml:AttributeValue", NAMES)
    assert value is not None
    value.text = "boss@acme.example"
    # The signed assertion goes along, moved aside, and another one stands where it stood.
    wrapped = write_answer(told)
    signer.sign(find_assertion(wrapped))
    forged = deepcopy(find_assertion(wrapped))
    forged.set("ID", "_forged")
    wrapped.insert(0, forged)

    refusals = {
        "unsigned": words_of(post(client, pack(unsigned))),
        "message": words_of(post(client, pack(message_only))),
        "sha1": words_of(post(client, pack(sha1))),
        "changed": words_of(post(client, pack(changed))),
        "wrapped": words_of(post(client, pack(wrapped))),
        "stranger": words_of(post(client, sign(told, stranger))),
    }

    expected = {
        "unsigned": "Its assertion is not signed",
        "message": "Its assertion is not signed",
        "sha1": "It is signed with SHA-1",
        "changed": "signed with another key than the certificate",
        "wrapped": "It is not valid SAML",
        "stranger": "signed with another key than the certificate",
    }
    assert {name: expected[name] in words for name, words in refusals.items()} == dict.fromkeys(
        expected, True
    ), refusals
    assert (is_in(client), count_people()) == (False, before)
    post(client, sign(told, signer))
    assert is_in(client), "The honest answer is believed, so the others failed by what was wrong with them."


def test_a_comment_in_an_address_does_not_cut_it_short(client, signer, provider, domain, make_member):
    """Comments are not signed: whoever has an address that begins like another could put one in."""
    make_member(domain, Role.EDITOR, DANA)
    response = write_answer(replace(begin(client), email=f"{DANA}.evil.example"))
    signer.sign(find_assertion(response))

    sent = etree.tostring(response).replace(b"acme.example.evil", b"acme.example<!-- -->.evil")
    refused = post(client, pack(sent))

    assert b"<!-- -->" in sent
    assert "This sign-in is for another domain" in words_of(refused)
    assert not is_in(client)


def test_an_answer_counts_once_and_in_the_session_that_asked(client, signer, provider, domain, make_member):
    make_member(domain, Role.EDITOR, DANA)
    thief, victim = Client(), Client()
    answer = sign(begin(client), signer)

    begin(thief)
    begin(victim)
    stolen = post(thief, answer)
    pressed_on = post(victim, answer)  # somebody is made to sign in as somebody else
    first = post(client, answer)
    client.post("/accounts/logout/")
    replayed = post(client, answer)

    assert (first.status_code, is_in(thief), is_in(victim), is_in(client)) == (302, False, False, False)
    for refused in (stolen, pressed_on, replayed):
        assert (refused.status_code, "not started in this browser" in words_of(refused)) == (403, True)


def test_the_kept_answer_is_bound_to_the_host_and_hidden_from_scripts(client, signer, provider, settings):
    settings.IS_HTTPS = True

    taken = Client().post(f"{BASE}acs/", {"SAMLResponse": sign(begin(client), signer)})

    kept = taken.cookies["__Host-saml"]
    assert (kept["path"], kept["secure"], kept["httponly"], kept["samesite"], kept["domain"]) == (
        ("/", True, True, "Lax", "")
    )
    assert taken["Cache-Control"] == "no-store"


def test_an_answer_to_nothing_we_asked_is_not_taken_up(client, signer, provider, domain, make_member):
    make_member(domain, Role.EDITOR, DANA)

    unasked = post(client, sign(Statement(request_id="_invented", acs=ACS, audience=METADATA), signer))
    skipped: Any = Client().get(f"{BASE}finish/")
    client.cookies["countersign_saml"] = '{"uid": "person-1"}:forged:signature'
    forged: Any = client.get(f"{BASE}finish/")

    for refused in (unasked, skipped, forged):
        assert "not started in this browser" in words_of(refused)
    assert not is_in(client)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"not xml",
        b"<a/>",
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b"<a>" + b"x" * 200_000 + b"</a>",
    ],
)
def test_what_is_no_answer_is_refused_with_a_sentence(client, provider, sent):
    refused = post(client, pack(sent))

    assert (refused.status_code, "could not be verified" in words_of(refused)) == (403, True)
    assert "root:" not in words_of(refused)


@pytest.mark.parametrize(
    ("email", "words"),
    [
        ("owner@bystander.example", "This sign-in is for another domain"),
        ("dana@sub.acme.example", "This sign-in is for another domain"),
        ("nobody@acme.example", "You are not a member of this domain"),
        ("root@acme.example", "Operators sign in with their password"),
        ("both@acme.example", "You belong to other domains too"),
        ("gone@acme.example", "This account is deactivated"),
        ("no address", "Your company sent no usable e-mail address"),
    ],
)
def test_nobody_else_is_let_in_and_nothing_is_made(
    client, signer, provider, domain, other_domain, make_member, bystander, email, words
):
    User.objects.filter(pk=make_member(domain, Role.OWNER, "root@acme.example").pk).update(is_staff=True)
    Membership.objects.create(
        domain=other_domain, user=make_member(domain, Role.EDITOR, "both@acme.example"), role=Role.AUDITOR
    )
    User.objects.filter(pk=make_member(domain, Role.EDITOR, "gone@acme.example").pk).update(is_active=False)
    before = count_people()

    refused = sign_in(client, signer, email=email)

    assert (refused.status_code, words in words_of(refused)) == (403, True), words_of(refused)
    assert (is_in(client), count_people()) == (False, before)


def test_the_invited_come_in_as_invited_and_others_as_auditors_where_the_owner_says_so(
    client, signer, provider, domain, owner
):
    Invitation.objects.create(
        domain=domain, email=DANA, role="editor", token_sha256="d", invited_by=owner,
        expires_at=timezone.now() + VALID_FOR,
    )  # fmt: skip
    IdentityProvider.objects.update(default_role="auditor", is_required=True)

    sign_in(client, signer)
    sign_in(Client(), signer, name="person-2", email="kim@acme.example")
    recycled = sign_in(Client(), signer, name="person-3")

    assert is_in(client)
    roles = Membership.objects.exclude(user=owner).values_list("user__email", "role")
    assert sorted(roles) == [(DANA, "editor"), ("kim@acme.example", "auditor")]
    assert "Somebody else signed in with this address" in words_of(recycled)
    typed = {"login": owner.email, "password": "correct horse battery"}
    by_password: Any = Client().post("/accounts/login/", typed)
    assert "instead of a password" in words_of(by_password)


def test_the_name_is_the_address_where_no_attribute_is_named(client, signer, provider, domain, make_member):
    make_member(domain, Role.EDITOR, DANA)
    IdentityProvider.objects.update(saml_email_attribute="")

    sign_in(client, signer, name=DANA, email="boss@acme.example")

    assert User.objects.get(pk=client.session["_auth_user_id"]).email == DANA


def test_the_next_key_is_believed_beside_the_present_one(
    client, signer, stranger, provider, domain, make_member
):
    make_member(domain, Role.EDITOR, DANA)
    IdentityProvider.objects.update(saml_certificates=stranger.pem + signer.pem)

    sign_in(client, signer)

    assert is_in(client)


def test_whoever_is_signed_in_is_asked_again_and_comes_back_to_where_they_were(
    client, signer, provider, domain, make_member
):
    make_member(domain, Role.ADMIN, DANA)
    sign_in(client, signer)
    page = reverse("portal:members", args=[domain.name])
    out = client.post(f"{LOGIN}?next={page}")
    request = read_request(out["Location"])
    told = Statement(request_id=request.get("ID") or "", acs=ACS, audience=METADATA)

    before = client.session["account_authentication_methods"]
    waved_through = post(client, sign(replace(begin(client), proved=timedelta(minutes=-6)), signer))
    between = client.session["account_authentication_methods"]
    back = post(client, sign(told, signer))

    assert request.get("ForceAuthn") == "true"
    assert (waved_through.status_code, "did not ask you to sign in again" in words_of(waved_through)) == (
        (403, True)
    )
    assert (before == between, between == client.session["account_authentication_methods"]) == (True, False)
    assert back["Location"] == page
    assert "next" not in out["Location"]
    assert read_request(Client().post(LOGIN)["Location"]).get("ForceAuthn") is None


def test_the_way_begins_with_ones_address_and_our_metadata_is_there_to_be_read(client, provider, bystander):
    known = client.post("/accounts/sso/", {"email": DANA})
    metadata = etree.fromstring(client.get(BASE).content)

    assert "Continue to login.acme.example" in words_of(known)
    assert metadata.get("entityID") == METADATA
    places = metadata.findall(".//{urn:oasis:names:tc:SAML:2.0:metadata}AssertionConsumerService")
    assert [place.get("Location") for place in places] == [ACS]
    assert client.get("/accounts/sso/bystander.example/saml/").status_code == 404
    assert client.get("/accounts/sso/acme.example/login/callback/").status_code == 404
    assert client.get(f"{BASE}acs/").status_code == 405
