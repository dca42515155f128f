"""SAML answers as each provider shapes them sign their person in; what is bent says why it was not believed."""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from lxml import etree

from portal.models import IdentityProvider, User
from tests.support.page_text import words_of
from tests.support.saml_provider import (
    MAIL,
    NAMES,
    Signer,
    Statement,
    find_assertion,
    pack,
    write_answer,
)
from tests.support.saml_shapes import SHAPES, Bend, encrypt, sign_shape, write_shape
from tests.support.saml_sign_in import BASE, DANA, begin, post, sign_in
from tests.support.sso_sign_in import is_in, read_log

A = f"{{{NAMES['saml']}}}"


@pytest.mark.parametrize("name", SHAPES)
def test_an_answer_of_this_shape_signs_its_person_in(
    client,
    signer,
    provider,
    dana,
    bystander,
    settings,
    name,
):
    shape = SHAPES[name]
    IdentityProvider.objects.update(
        saml_entity_id=shape.issuer, saml_email_attribute=shape.email_attribute, saml_certificates=signer.pem
    )

    done = post(client, pack(sign_shape(write_shape(begin(client), shape), shape, signer)))

    assert (done.status_code, done["Location"]) == (302, "/"), words_of(done)
    assert client.session["_auth_user_id"] == str(dana.pk)
    assert User.objects.count() == 2


@pytest.mark.parametrize("name", SHAPES)
def test_an_encrypted_answer_is_told_to_be_one(client, signer, provider, dana, caplog, name):
    shape = SHAPES[name]
    IdentityProvider.objects.update(saml_entity_id=shape.issuer, saml_email_attribute=shape.email_attribute)
    signed = sign_shape(write_shape(begin(client), shape), replace(shape, signs="assertion"), signer)

    refused = post(client, pack(encrypt(signed, signer)))

    assert "It is encrypted, which is not supported" in words_of(refused)
    assert read_log(caplog) == [("WARNING", "single sign-on for acme.example refused: encrypted assertion")]
    assert not is_in(client)


def test_google_signing_the_response_alone_is_told_what_to_switch(client, signer, provider, dana, caplog):
    shape = SHAPES["Google"]
    IdentityProvider.objects.update(saml_entity_id=shape.issuer, saml_email_attribute="")
    response = write_shape(begin(client), shape)
    signer.sign(response)

    refused = post(client, pack(response))

    assert "Its assertion is not signed" in words_of(refused)
    assert read_log(caplog)[0][1].endswith("assertion not signed")


def bend_answer(told: Statement, signer: Signer, bend: Bend) -> str:
    response = write_answer(told)
    bend(response)
    signer.sign(find_assertion(response))
    return pack(response)


def find(response: etree._Element, name: str) -> etree._Element:
    found = response.find(f".//{A}{name}")
    assert found is not None
    return found


def add_value(text: str) -> Bend:
    def bend(response: etree._Element) -> None:
        etree.SubElement(find(response, "Attribute"), f"{A}AttributeValue").text = text

    return bend


def repeat_attribute(text: str, name: str = MAIL) -> Bend:
    def bend(response: etree._Element) -> None:
        more = copy.deepcopy(find(response, "Attribute"))
        more.set("Name", name)
        more[0].text = text
        find(response, "AttributeStatement").append(more)

    return bend


def add_restriction(audience: str) -> Bend:
    def bend(response: etree._Element) -> None:
        one = find(response, "AudienceRestriction")
        more = copy.deepcopy(one)
        more[0].text = audience
        one.addnext(more)

    return bend


def add_audience(response: etree._Element) -> None:
    etree.SubElement(find(response, "AudienceRestriction"), f"{A}Audience").text = "https://other.example/"


def add_confirmation(*, first: bool, **changes: str) -> Bend:
    def bend(response: etree._Element) -> None:
        one = find(response, "SubjectConfirmation")
        more = copy.deepcopy(one)
        if "Method" in changes:
            more.set("Method", changes["Method"])
        for name, value in changes.items():
            if name != "Method":
                more[0].set(name, value)
        one.addprevious(more) if first else one.addnext(more)

    return bend


VOUCHES, HOLDER = (f"urn:oasis:names:tc:SAML:2.0:cm:{kind}" for kind in ("sender-vouches", "holder-of-key"))


@pytest.mark.parametrize(
    "bend",
    [
        add_value(DANA),
        add_value("DANA@acme.example "),
        repeat_attribute(DANA),
        repeat_attribute("Sales", "groups"),
        add_audience,
        add_restriction(f"http://testserver{BASE}"),
        add_confirmation(first=False, Method=VOUCHES),
        add_confirmation(first=True, Method=HOLDER),
        add_confirmation(first=True, Method=VOUCHES, Recipient="https://other.example/"),
        add_confirmation(first=True, Recipient="https://other.example/"),
        add_confirmation(first=True, NotOnOrAfter="2020-01-01T00:00:00Z"),
    ],
)
def test_what_saml_allows_is_taken(client, signer, provider, dana, bend):
    done = post(client, bend_answer(begin(client), signer, bend))

    assert (done.status_code, is_in(client)) == (302, True), words_of(done)


def set_name(text: str) -> Bend:
    def bend(response: etree._Element) -> None:
        find(response, "NameID").text = text

    return bend


def drop(name: str) -> Bend:
    def bend(response: etree._Element) -> None:
        node = find(response, name)
        parent = node.getparent()
        assert parent is not None
        parent.remove(node)

    return bend


def set_confirmation(**changes: str) -> Bend:
    def bend(response: etree._Element) -> None:
        for name, value in changes.items():
            find(response, "SubjectConfirmationData").set(name, value)

    return bend


def set_status(second: str) -> Bend:
    def bend(response: etree._Element) -> None:
        code = response.find(".//samlp:StatusCode", NAMES)
        assert code is not None
        code.set("Value", "urn:oasis:names:tc:SAML:2.0:status:Responder")
        etree.SubElement(code, code.tag).set("Value", second)

    return bend


CASES: dict[str, tuple[Bend, str, str]] = {
    "another address beside": (add_value("boss@acme.example"), "one e-mail address", "several addresses"),
    "another element": (repeat_attribute("boss@acme.example"), "one e-mail address", "several addresses"),
    "no attribute": (drop("AttributeStatement"), "one e-mail address", "no address at all"),
    "an attribute without a value": (drop("AttributeValue"), "one e-mail address", "no address at all"),
    "an address that is none": (
        lambda r: find(r, "AttributeValue").__setattr__("text", "dana"),
        "no usable e-mail address",
        "what should be the address is none",
    ),
    "a second restriction that is not ours": (
        add_restriction("https://other.example/"),
        "issued for another application",
        "wrong audience",
    ),
    "a restriction that a comment cuts": (
        lambda r: (
            find(r, "Audience").append(etree.Comment("x"))
            or find(r, "Audience")[0].__setattr__("tail", "evil")
        ),
        "issued for another application",
        "wrong audience",
    ),
    "wrong recipient": (
        set_confirmation(Recipient="https://other.example/"),
        "It was issued for another URL",
        "wrong recipient",
    ),
    "confirmation ended": (
        set_confirmation(NotOnOrAfter="2020-01-01T00:00:00Z"),
        "It is too old or too new: it ended",
        "too old: ended",
    ),
    "confirmation begins later": (
        set_confirmation(NotBefore="2099-01-01T00:00:00Z"),
        "ahead of the portal’s",
        "clocks apart: the clock there is",
    ),
    "no bearer": (
        lambda r: find(r, "SubjectConfirmation").set("Method", HOLDER),
        "does not say for which application it was issued",
        "no bearer SubjectConfirmation",
    ),
    "answers another request": (
        set_confirmation(InResponseTo="_other"),
        "It answers a different request",
        "answers another request",
    ),
    "no name": (drop("NameID"), "Set NameID to persistent", "no NameID"),
    "an empty name": (set_name(""), "Set NameID to persistent", "empty NameID"),
    "a name of two lines": (
        set_name("a\nb"),
        "Set NameID to persistent",
        "NameID is transient, too long or no text",
    ),
    "no statement of the login": (
        drop("AuthnStatement"),
        "which says when you signed in",
        "not one AuthnStatement",
    ),
    "a status": (
        set_status("urn:oasis:names:tc:SAML:2.0:status:InvalidNameIDPolicy"),
        "denied access (InvalidNameIDPolicy)",
        "status InvalidNameIDPolicy",
    ),
    "a status of its own": (set_status(f"urn:{DANA}"), "denied access.", "status not Success"),
}


@pytest.mark.parametrize("name", CASES)
def test_each_cause_has_a_sentence_of_its_own_and_one_line_in_the_log(
    client,
    signer,
    provider,
    dana,
    bystander,
    caplog,
    name,
):
    bend, sentence, cause = CASES[name]

    refused = post(client, bend_answer(begin(client), signer, bend))

    assert (refused.status_code, sentence in words_of(refused)) == (403, True), words_of(refused)
    [(level, words)] = read_log(caplog)
    assert level == "WARNING"
    assert words.startswith(f"single sign-on for acme.example refused: {cause}"), words
    assert DANA not in caplog.text
    assert not is_in(client)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"starts": timedelta(minutes=6)}, "the clock there is 6 minutes ahead of the portal’s"),
        ({"starts": timedelta(hours=-2), "ends": timedelta(minutes=-30)}, "it ended 30 minutes ago"),
        ({"ends": timedelta(seconds=-5)}, "it ended"),
        ({"proved": timedelta(days=3_000)}, "you signed in there in the future"),
        ({"proved": timedelta(seconds=70)}, "the clock there is 1 minute ahead of the portal’s"),
    ],
)
def test_clocks_that_differ_are_told_by_how_much(client, signer, provider, dana, said, sentence):
    refused = sign_in(client, signer, **said)

    assert sentence in words_of(refused)
    assert not is_in(client)


def test_a_confirmation_in_the_future_or_before_it_was_asked_is_none(client, signer, provider, dana):
    sign_in(client, signer)
    before = client.session["authenticated_at"]

    answers = [sign_in(client, signer, proved=timedelta(seconds=seconds)) for seconds in (-120, 120, 10**9)]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert client.session["authenticated_at"] == before


def test_a_login_is_as_fresh_as_the_provider_says(client, signer, provider, dana):
    sign_in(client, signer, proved=timedelta(hours=-1))

    assert is_in(client)
    assert 3_500 < time.time() - client.session["authenticated_at"] < 3_700
