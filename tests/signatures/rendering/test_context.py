"""Values are checked by trust class before a template sees them."""

from __future__ import annotations

import pytest

from signatures.rendering.context import build_context
from signatures.rendering.fields import BUILT_IN


def test_every_sample_fits_its_own_field():
    context = build_context(BUILT_IN.sample_values)

    assert context.missing == {}
    assert [context.value(field.name) for field in BUILT_IN.fields] == [
        field.sample for field in BUILT_IN.fields
    ]


def test_absent_values_are_named_with_their_reason_and_unknown_names_are_left_out():
    context = build_context({"sender.name": "Bo Li", "sender.title": " \t ", "sender.password": "x"})

    assert context.value("sender.name") == "Bo Li"
    assert context.missing["sender.title"] == "empty"
    assert context.missing["sender.phone"] == "no value"
    assert len(context.missing) == len(BUILT_IN.fields) - 1
    assert "password" not in context.scope["sender"]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("  Bo\t Li  ", "Bo Li"),
        ("1 Pier\r\nOslo", "1 Pier, Oslo"),
        ("1 Pier,\nOslo", "1 Pier, Oslo"),
        ("Bo\x00\x1b[31m Li", "Bo[31m Li"),
        ("Bo\u202eiL\u202c", "BoiL"),
        ("\ue000Bo\ue001", "Bo"),
        ("Bo\ud800", "Bo"),
        ("{{ x }} {% y %}", "(( x )) (% y %)"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("Zoë O'Neil-Łuk 👩\u200d🔬", "Zoë O'Neil-Łuk 👩\u200d🔬"),
    ],
)
def test_text_keeps_letters_and_loses_what_acts(raw, value):
    assert build_context({"sender.title": raw}).value("sender.title") == value


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("https://acme.example", "https://acme.example"),
        ("HTTPS://ACME.example:8443/a b", None),
        ("https://acme.example:8443/a?b=c#d", "https://acme.example:8443/a?b=c#d"),
        ("https://bücher.example/é", "https://xn--bcher-kva.example/%C3%A9"),
        ("https://www.acme.example//shop", "https://www.acme.example//shop"),
        ("https://www.acme.example///a//b/?q=//x#//y", "https://www.acme.example///a//b/?q=//x#//y"),
        ("https://www.acme.example//", "https://www.acme.example//"),
        ("https://www.acme.example?q=1", "https://www.acme.example?q=1"),
        # IDNA 2008 keeps these letters; the standard of 2003 named somebody else's domain.
        ("https://www.weiß.example/", "https://www.xn--wei-7ka.example/"),
        ("https://κλαρας.example/", "https://xn--mxaaze5ah.example/"),
        ("https://ＷＷＷ.Straße.example/", "https://www.xn--strae-oqa.example/"),
        ("https://acme.example/{{x}}", "https://acme.example/%7B%7Bx%7D%7D"),
        ("http://acme.example", None),
        ("javascript:alert(1)", None),
        ("//acme.example", None),
        ("acme.example", None),
        ("https://user@acme.example", None),
        ("https://acme.example\\@evil.example", None),
        ("https://[::1]/", None),
        ("https://localhost/", None),
        ("https://acme.example:port/", None),
        ('https://acme.example/"x', None),
        ("https://acme.example/" + "a" * 2_000, None),
    ],
)
def test_a_web_address_is_https_with_a_real_host_or_missing(raw, value):
    assert build_context({"company.website": raw}).value("company.website") == value


@pytest.mark.parametrize(
    ("name", "raw", "is_kept"),
    [
        ("sender.email", "bo.li+sales@mail.acme.example", True),
        ("sender.email", "bo.li@acme", False),
        ("sender.email", "bo li@acme.example", False),
        ("sender.email", "<bo@acme.example>", False),
        ("sender.email", "bo@acme.example?bcc=x@evil.example", False),
        ("sender.phone", "+44 (0)20 7946 0958 ext. 12", True),
        ("sender.phone", "call me", False),
        ("sender.phone", "12", False),
        ("company.accent", "#3F63D8", True),
        ("company.accent", "red", False),
        ("company.accent", "#fff", False),
        ("company.accent", "#3f63d8;position:fixed", False),
    ],
)
def test_other_classes_take_only_what_looks_right(name, raw, is_kept):
    assert (build_context({name: raw}).value(name) is not None) is is_kept


def test_an_overlong_value_counts_as_missing():
    assert (
        build_context({"company.legal": "x" * 4_001}).missing["company.legal"]
        == "longer than 4,000 characters"
    )
