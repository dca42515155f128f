"""What counts as an e-mail address, and the form in which two are compared."""

from __future__ import annotations

import pytest

from signatures.audiences.mail_addresses import is_address, normalise, normalise_domain


@pytest.mark.parametrize(
    "text",
    [
        "kim@partner.example",
        " kim@partner.example ",
        "KIM+news@mail.partner.example",
        "müller@bücher.example",
        "o'neil@partner.example",
        '"a@b"@partner.example',
        "kim@localhost",
        "kim@[192.0.2.7]",
        "k" * 70 + "@partner.example",
    ],
)
def test_one_bare_address_is_an_address(text):
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kim",
        "@partner.example",
        "kim@",
        "kim@@partner.example",
        "kim@partner@example",
        "mailto:kim@partner.example",
        "SMTP:kim@partner.example",
        "Kim <kim@partner.example>",
        "kim@partner.example, lee@partner.example",
        "kim lee@partner.example",
        "kim@partner.example/inbox",
        "kim\u200b@partner.example",
        "kim\u034f@partner.example",
        "kim\ufe0f@partner.example",
        "kim\x00@partner.example",
        "kim\udfaa@partner.example",
        "kim\ufffd@partner.example",
        "k" * 320 + "@partner.example",
    ],
)
def test_anything_else_is_none(text):
    assert not is_address(text)


@pytest.mark.parametrize(
    ("text", "compared"),
    [
        (" Kim@Partner.EXAMPLE ", "kim@partner.example"),
        ("kim@straße.example", "kim@xn--strae-oqa.example"),
        ("kim@XN--STRAE-OQA.example", "kim@xn--strae-oqa.example"),
        ("kim@strasse.example", "kim@strasse.example"),
        ("mu\u0308ller@partner.example", "müller@partner.example"),
        ("kim²@partner.example", "kim²@partner.example"),  # another letter is another mailbox
        ("no address", "no address"),
        ("kim@not a host", "kim@not a host"),
    ],
)
def test_an_address_is_compared_in_one_form(text, compared):
    assert normalise(text) == compared
    assert normalise(compared) == compared


@pytest.mark.parametrize(
    "text", ["example", "partner..example", "192.0.2.7", "a b.example", "☃.example", "-a.example"]
)
def test_what_is_no_mail_domain_is_nothing(text):
    assert normalise_domain(text) == ""
