"""Findings: each names the line and column it is about, where the source tells."""

from __future__ import annotations

import pytest

from signatures.rendering import TemplateError, compile_template
from signatures.rendering.findings import Finding, Severity

SOURCE = """\
<table>
<tr><td style="position: fixed">{{ sender.name }}</td></tr>
{% if sender.title %}<tr><td>{{ sender.title }}</td></tr>{% endif %}
<tr><td><img src="https://acme.example/{{ sender.email }}" width="20"></td></tr>
<tr>
  <td style="color: #eeeeee">Pale</td></tr>
<!--[if mso]>Outlook<![endif]-->
</table>
<p>Call us: {{ sender.phone }}</p>"""


def places(source: str) -> list[tuple[str, int | None, int | None]]:
    return [(one.code, one.line, one.column) for one in compile_template(source).findings]


def test_a_finding_says_where_in_the_source_it_is() -> None:
    assert places(SOURCE) == [
        ("style-removed", 2, 5),
        ("condition-removed", 7, 1),
        ("alt-missing", 4, 9),
        ("contrast", 6, 3),
    ]


def test_a_place_holds_whatever_line_ends_a_browser_writes() -> None:
    assert places(SOURCE.replace("\n", "\r\n")) == places(SOURCE)


def test_a_place_that_is_not_sure_is_not_named() -> None:
    hidden = '<img src="https://acme.example/0.png" alt="" width="1" hidden>'

    found = compile_template(f'{hidden}<p>a</p>\n<img src="https://acme.example/a.png" width="1">').findings

    # The first picture is taken out, so the second is not the second any more.
    assert [(one.code, one.line) for one in found] == [("hidden-removed", None), ("alt-missing", None)]


def test_a_label_that_would_stay_alone_is_found_in_the_source() -> None:
    found = compile_template("<p>{{ sender.name }}</p>\n<p>Acme | {{ sender.mobile }}</p>").findings

    assert [(one.code, one.line, one.column) for one in found] == [("label-left", 2, 4)]


def test_the_same_sentence_is_said_once_where_it_is_first() -> None:
    found = compile_template("<p>a</p>\n<blink>b</blink>\n<blink>c</blink>").findings

    assert [(one.sentence, one.line) for one in found] == [
        ("The tag <blink> is not allowed and was removed.", 2)
    ]


@pytest.mark.parametrize("source", ["<p>a</p>\n<p>{{ sender.nam }}</p>", "<p>a</p>\n{% for x %}"])
def test_an_error_is_a_finding_at_its_place(source: str) -> None:
    with pytest.raises(TemplateError) as raised:
        compile_template(source)

    found = Finding.from_error(raised.value)

    assert (found.severity, found.sentence) == (Severity.ERROR, raised.value.message)
    assert (found.line, found.column) == (raised.value.line, raised.value.column) != (1, 1)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("#", "address-removed"),
        ("http://www.acme.test/", "address-removed"),
        ("/about", "address-removed"),
        ("javascript:x()", "address-removed"),
        ("https://example.com", "address-placeholder"),
        ("https://www.example.org/team", "address-placeholder"),
        ("mailto:somebody@example.net", "address-placeholder"),
        ("https://your-company.com/", "address-placeholder"),
    ],
)
def test_a_link_that_leads_nowhere_keeps_a_template_from_being_published(address: str, code: str) -> None:
    source = f'<p>Acme</p>\n<p><a href="{address}">Site</a> <a href="https://www.acme.test/">Shop</a></p>'

    errors = compile_template(source).errors

    assert [(one.code, one.line, one.column) for one in errors] == [(code, 2, 4)]
    assert errors[0].remedy


@pytest.mark.parametrize(
    "address",
    [
        "https://www.acme.example/",
        "https://example.com.acme.test/",
        "https://notexample.com/",
        "tel:+12025550143",
    ],
)
def test_an_address_of_ones_own_is_no_error(address: str) -> None:
    assert compile_template(f'<p><a href="{address}">Site</a></p>').errors == ()


def test_an_address_from_a_field_is_no_error() -> None:
    assert compile_template('<p><a href="{{ company.website }}">Site</a></p>').errors == ()


BOX = "background-color: #123456; color: #ffffff"
LINK = '<a href="https://www.acme.test/">Site</a>'


@pytest.mark.parametrize(
    ("markup", "codes"),
    [
        ('<p style="background-color: #123456">Acme</p>', ["colour-missing"]),
        (f'<p style="{BOX}">Acme</p>', []),
        # Mail clients show a link in a colour of their own.
        (f'<p style="{BOX}">{LINK}</p>', ["colour-missing"]),
        (f'<style>a {{ color: inherit }}</style><p style="{BOX}">{LINK}</p>', []),
        (f'<style>a {{ color: #ffffff }}</style><p style="{BOX}">{LINK}</p>', []),
        (f"<p>{LINK}</p>", []),
        ('<div style="color: #222222"><p style="color: inherit">Acme</p></div>', ["contrast-dark"]),
        ('<p style="background-color: #fefefe; color: #000000">Acme</p>', ["white-background"]),
        ('<p style="background-color: #f4f3f0; color: #000000">Acme</p>', []),
    ],
)
def test_traps_of_dark_mode_are_found_in_text(markup: str, codes: list[str]) -> None:
    assert [one.code for one in compile_template(markup).findings] == codes
