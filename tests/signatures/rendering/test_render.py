"""A signature is sent whole or refused with a reason."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from signatures.rendering import (
    CompiledTemplate,
    RenderRefused,
    compile_template,
    render_signature,
)

ROOT = Path(__file__).parents[3]
BO = {"sender.name": "Bo Li", "sender.email": "bo.li@acme.example"}


@pytest.mark.parametrize(
    ("stored", "fields", "code"),
    [
        ("<p>{{ sender.title }}</p>", ("sender.title",), "empty"),
        ("<div> &nbsp; </div>", (), "empty"),
        ("x" * 65_536, (), "too_large"),
        ("é" * 32_768, (), "too_large"),
        ("{% if sender.name %}a }} b{% endif %}", ("sender.name",), "braces"),
        ("<script>alert(1)</script>{{ sender.name }}", ("sender.name",), "unsafe"),
        ('<a href="javascript:alert(1)">{{ sender.name }}</a>', ("sender.name",), "unsafe"),
        ('<a href="{{ sender.name }}">x</a>', ("sender.name",), "unsafe"),
        ('<p style="position: fixed">x</p>', (), "unsafe"),
        ("<b>{{ sender.name }}", ("sender.name",), "unsafe"),
        ("{{ sender.nothing }}", ("sender.nothing",), "unrenderable"),
    ],
)
def test_what_must_not_be_sent_is_refused_even_if_it_was_stored(stored, fields, code):
    with pytest.raises(RenderRefused) as caught:
        render_signature(CompiledTemplate.from_stored(stored, fields), BO)

    assert caught.value.code == code
    assert "Bo Li" not in caught.value.message


def test_exactly_the_limit_is_sent():
    signature = render_signature(CompiledTemplate.from_stored("é" * 32_767 + "x", ()), BO)

    assert signature.byte_count == 65_535


def test_the_digest_size_and_missing_fields_describe_the_html():
    template = compile_template("<p>{{ sender.name }}</p><p>{{ sender.title }} {{ sender.phone }}</p>")

    signature = render_signature(template, {"sender.name": "Zoë", "sender.phone": "none"})

    assert signature.html == "<p>Zoë</p>"
    assert signature.byte_count == 11
    assert signature.sha256 == hashlib.sha256("<p>Zoë</p>".encode()).hexdigest()
    assert signature.missing == ("sender.title", "sender.phone")


def test_values_are_escaped_in_text_and_in_attributes():
    template = compile_template(
        '<p title="{{ sender.title }}">{{ sender.title }}</p>'
        '<a href="https://acme.example/?q={{ sender.title }}">{{ sender.name }}</a>'
    )

    signature = render_signature(template, {"sender.title": "\"R&D\" <Lead>\u00a0'x'", "sender.name": "Bo"})

    assert signature.html == (
        "<p title=\"&quot;R&amp;D&quot; &lt;Lead&gt;&nbsp;'x'\">\"R&amp;D\" &lt;Lead&gt;&nbsp;'x'</p>"
        '<a href="https://acme.example/?q=%22R%26D%22%20%3CLead%3E%C2%A0%27x%27">Bo</a>'
    )


@pytest.mark.parametrize(
    ("phone", "link"),
    [
        ("+1 (415) 555-0142", "tel:+14155550142"),
        ("+44 (0)20 7946 0958", "tel:+442079460958"),
        ("+1 415 555 0142 extension 204", "tel:+14155550142;ext=204"),
        ("+1 415 555 0142, ext. 204", "tel:+14155550142;ext=204"),
        ("+1 415 555 0142,204", "tel:+14155550142;ext=204"),
        ("+1 415 555 0142 x204", "tel:+14155550142;ext=204"),
        ("+49 30 5550142 Dw. 12", "tel:+49305550142;ext=12"),
        ("+49 30 5550142 (Durchwahl 12)", "tel:+49305550142;ext=12"),
        ("+49 30 5550142-12", "tel:+4930555014212"),
        ("+33 1 23 45 67 89 poste 12", "tel:+33123456789;ext=12"),
        ("+1 415 555 0142 / +1 415 555 0143", "tel:+14155550142"),
        ("+1 415 555 0142 or +44 20 7946 0958", "tel:+14155550142"),
        ("+49 30 5550142/43", "tel:+49305550142"),
        ("+1 415 555 0142 (mobile)", "tel:+14155550142"),
        ("+1 (415) 555-0142 ext 204 (office)", "tel:+14155550142;ext=204"),
        ("Office: +1 415 555 0142", "tel:+14155550142"),
        (
            "\uff0b\uff11\u3000\uff14\uff11\uff15\uff0d\uff15\uff15\uff15\uff0d\uff10\uff11\uff14\uff12",
            "tel:+14155550142",
        ),
        ("+1\ufe0e-415-555-0142", "tel:+14155550142"),
        ("+1 415\u2212555\u22120142", "tel:+14155550142"),
        ("+1\u2011415\u2011555\u20110142", "tel:+14155550142"),
        ("0049 30 5550142", "tel:+49305550142"),
        ("+39 06 1234 5678", "tel:+390612345678"),
        ("+1-800-FLOWERS", "tel:+18003569377"),
    ],
)
def test_a_phone_link_can_be_dialled(phone, link):
    template = compile_template('<a href="tel:{{ sender.phone }}">{{ sender.phone }}</a>')

    assert render_signature(template, {"sender.phone": phone}).html == f'<a href="{link}">{phone}</a>'


def test_a_phone_is_shown_without_the_scheme_that_was_copied_with_it():
    template = compile_template('<a href="tel:{{ sender.phone }}">{{ sender.phone }}</a>')

    html = render_signature(template, {"sender.phone": "tel:+14155550142"}).html

    assert html == '<a href="tel:+14155550142">+14155550142</a>'


@pytest.mark.parametrize(
    "phone",
    [
        "020 7946 0958 ext. 12",
        "1-800-FLOWERS",
        "０３－１２３４－５６７８",
        "112",
        "555-0142 (after 6 pm)",
        "+999 1234567",
        "+1 415 555 0142 0143 0144 0145",
        "desk24-7@acme.example 100",
        "see https://acme.example/123",
        "0" * 300,
    ],
)
def test_a_phone_that_nobody_abroad_could_dial_is_shown_without_a_link(phone):
    template = compile_template(
        '<p>{{ sender.name }}</p><p>T <a href="tel:{{ sender.phone }}">{{ sender.phone }}</a></p>'
        '<p>M <a href="tel:{{ sender.mobile }}">{{ sender.mobile }}</a></p>'
    )

    signature = render_signature(
        template, {"sender.name": "Bo Li", "sender.phone": phone, "sender.mobile": "+1 415 555 0187"}
    )

    assert signature.html == (
        f'<p>Bo Li</p><p>T {phone}</p><p>M <a href="tel:+14155550187">+1 415 555 0187</a></p>'
    )
    assert "sender.phone" not in signature.missing


@pytest.mark.parametrize(
    ("values", "link"),
    [
        ({"sender.phone_region": "DE"}, "tel:+49305550142"),
        ({"sender.phone_region": "de"}, "tel:+49305550142"),
        ({"company.phone": "+49 30 5550100"}, "tel:+49305550142"),
        ({"sender.phone_region": "DE", "company.phone": "+1 415 555 0100"}, "tel:+49305550142"),
    ],
)
def test_a_number_without_country_code_is_of_the_senders_country_or_else_the_companys(values, link):
    template = compile_template('<a href="tel:{{ sender.phone }}">{{ sender.phone }}</a>')

    html = render_signature(template, {"sender.phone": "030 5550142", **values}).html

    assert html == f'<a href="{link}">030 5550142</a>'


@pytest.mark.parametrize("region", ["", "XX", "U", "Germany", "US\n", "001"])
def test_a_country_that_is_none_makes_no_link(region):
    template = compile_template('<a href="tel:{{ sender.phone }}">{{ sender.phone }}</a>')

    html = render_signature(template, {"sender.phone": "030 5550142", "sender.phone_region": region}).html

    assert html == "030 5550142"


def test_letters_are_digits_of_the_keys_only_where_numbers_are_written_so():
    template = compile_template('<a href="tel:{{ sender.phone }}">{{ sender.phone }}</a>')
    values = {"sender.phone": "1-800-FLOWERS"}

    at_home = render_signature(template, {**values, "sender.phone_region": "US"}).html
    abroad = render_signature(template, {**values, "sender.phone_region": "DE"}).html

    assert (at_home, abroad) == ('<a href="tel:+18003569377">1-800-FLOWERS</a>', "1-800-FLOWERS")


def test_rendering_one_sender_leaves_the_next_one_untouched():
    template = compile_template("<p>{{ sender.name }}</p><p>{{ sender.title }}</p>")
    bystander = render_signature(template, {"sender.name": "Ada", "sender.title": "CTO"})

    render_signature(template, BO)

    assert render_signature(template, {"sender.name": "Ada", "sender.title": "CTO"}) == bystander
    assert bystander.html == "<p>Ada</p><p>CTO</p>"


def test_text_says_the_same_with_links_as_label_and_address():
    template = compile_template(
        "<table><tr><td>{{ sender.name }}</td><td>Sales</td></tr></table><p>A&amp;B<br>"
        '<a href="{{ company.website }}">Site</a> <a href="mailto:{{ sender.email }}">{{ sender.email }}</a></p>'
        '<img src="https://acme.example/a.png" alt="Logo" width="9">'
    )

    signature = render_signature(template, BO | {"company.website": "https://www.acme.example"})

    assert signature.text == ("Bo Li  Sales\nA&B\nSite <https://www.acme.example> bo.li@acme.example\n[Logo]")


def test_rendering_needs_no_django_and_is_the_same_in_every_process():
    program = (
        "import sys; from signatures.rendering import compile_template, render_signature\n"
        "from signatures.authoring.starters import STARTERS\n"
        "from signatures.rendering.fields import BUILT_IN\n"
        "print([render_signature(compile_template(s.source), BUILT_IN.sample_values).sha256 for s in STARTERS])\n"
        "assert not [name for name in sys.modules if name.split('.')[0] in ('django', 'requests')]"
    )

    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert runs[0] == runs[1]
    assert len(runs[0]) > 200
