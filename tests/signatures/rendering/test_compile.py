"""What is refused when a template is saved, what is said about it, and what is stored."""

from __future__ import annotations

import pytest

from signatures.authoring.starters import STARTERS
from signatures.rendering import CompiledTemplate, TemplateError, compile_template, render_signature


@pytest.mark.parametrize(
    ("source", "line", "column", "words"),
    [
        ("<p>\n  {{ sender.nmae }}</p>", 2, 3, "There is no field sender.nmae. Did you mean sender.name?"),
        ("{{ title }}", 1, 1, "There is no field title. Did you mean sender.title?"),
        ("a\n b {{ sender.name | append: 'x' }}", 2, 4, "The filter append is not available"),
        ("{% for a in sender %}{% endfor %}", 1, 1, "The tag for is not available"),
        ("{% assign a = sender.name %}", 1, 1, "The tag assign is not available"),
        ("{% include 'x' %}", 1, 1, "The tag include is not available"),
        ("{% raw %}{{ x }}{% endraw %}", 1, 1, "The tag raw is not available"),
        ("{% load static %}", 1, 1, "The tag load is not available"),
        ("<b>{{ sender.name", 1, 4, "Expected '}}'"),
        (
            "{% if sender.title == 'x' %}{{ sender.name | upcase: 1 }}{% endif %}",
            1,
            29,
            "upcase takes nothing",
        ),
        (
            "a{% if sender.title == 'x' %}{{ sender.name | truncate: 0 }}{% endif %}",
            1,
            30,
            "a length from 1 to 1,000",
        ),
        ("{{ sender.name | truncate: 1001 }}", 1, 1, "a length from 1 to 1,000"),
        ("{{ sender.name | truncate: sender.title }}", 1, 1, "a length from 1 to 1,000"),
        ("{{ sender.name | truncate: 5, 'a', 'b' }}", 1, 1, "a length from 1 to 1,000"),
        ("{{ sender.name | default: 'a', 'b' }}", 1, 1, "default takes one value"),
        ("{{ sender.name | default: 'a', allow_false: true }}", 1, 1, "default takes one value"),
        ("{{ 'words' }}", 1, 1, "An output must start with a field"),
        ("{{ sender }}", 1, 1, "There is no field sender"),
        ("{{ sender[sender.name] }}", 1, 1, "There is no field sender.[sender.name]"),
        ("<p {% if sender.name %}a{% endif %}>b</p>", 1, 4, "A condition cannot stand inside a tag"),
        ('<p title="{% if sender.name %}a{% endif %}">b</p>', 1, 11, "A condition cannot stand inside a tag"),
        ("<img src={{ company.logo_url }}>", 1, 10, "must stand in a quoted attribute value"),
        ('<td width="{{ sender.name }}">', 1, 12, "A field cannot stand in the width attribute."),
        ('<a href="{{ sender.name }}">x</a>', 1, 10, "sender.name is not a web address"),
        ('<a href="{{ sender.email }}">x</a>', 1, 10, "e-mail addresses go after mailto:"),
        ('<a href="java{{ sender.name }}">x</a>', 1, 14, "Write the start of the address out"),
        ('<a href="https://{{ sender.name }}/">x</a>', 1, 18, "Write the start of the address out"),
        ('<b style="width: {{ sender.name }}px">x</b>', 1, 18, "Only a colour field can stand in a style."),
        ("<style>p { color: {{ company.accent }} }</style>", 1, 19, "cannot stand in <style>"),
        ("<!-- {% if sender.name %} -->a{% endif %}", 1, 6, "cannot stand in an HTML comment"),
        ("{% if sender.name %}<div>{% endif %}a</div>", 1, 26, "are not whole"),
        ("{% if sender.name %}<b>a</b>{% else %}<b>{% endif %}</b>", 1, 42, "are not whole"),
        ("&#123;&#123; sender.name &#125;&#125;", 1, 1, "Braces that belong to no field"),
        ("a }} b", 1, 1, "Braces that belong to no field"),
        ("a\ue000b", 1, 2, "The character U+E000 cannot be used"),
        ("", 1, 1, "The template shows nothing."),
        ("<script>alert(1)</script>", 1, 1, "The template shows nothing."),
        ("x" * 100_001, 1, 1, "longer than 100,000 characters"),
        ("x" * 70_000, 1, 1, "65,535 fit"),
        ("{% if sender.title > 3 %}a{% endif %}b", 1, 1, "cannot be rendered"),
    ],
)
def test_a_template_that_cannot_work_is_refused_at_its_place(source, line, column, words):
    with pytest.raises(TemplateError) as caught:
        compile_template(source)

    assert (caught.value.line, caught.value.column) == (line, column)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("source", "stored"),
    [
        ("<p>{{ sender.name }}</p>", "<p>{{ sender.name }}</p>"),
        ("<p onclick='x()' style='position: fixed; color: #333'>a</p>", '<p style="color: #333">a</p>'),
        ("<style>.n { color: #333 }</style><p class=n id=x>a</p>", '<p style="color: #333">a</p>'),
        ("a<!-- secret {{ sender.name }} -->b", "ab"),
        ("{% comment %}{{ nothing }}{% endcomment %}a", "a"),
        ('<a href="tel:{{ sender.phone }}">x</a>', '<a href="{{ sender.phone | tel }}">x</a>'),
        (
            '<a href="mailto:{{ sender.email }}">x</a>',
            '<a href="mailto:{{ sender.email | url_encode }}">x</a>',
        ),
        (
            "<table>{% if sender.name %}<tr><td>a</td></tr>{% endif %}</table>b",
            "<table><tbody>{% if sender.name %}<tr><td>a</td></tr>{% endif %}</tbody></table>b",
        ),
        ('<p>a<img src="http://acme.example/a.png"></p>', "<p>a</p>"),
        (
            "<p style='color:{{ company.accent }}'>a</p>",
            '<p style="color: {{ company.accent }}">a</p>',
        ),
    ],
)
def test_what_is_stored_is_sanitized_with_its_liquid_intact(source, stored):
    assert compile_template(source).html == stored


def test_a_stored_template_renders_like_the_one_just_compiled(senders):
    for starter in STARTERS:
        compiled = compile_template(starter.source)
        stored = CompiledTemplate.from_stored(compiled.html, list(compiled.fields))

        assert render_signature(stored, senders["sparse"]) == render_signature(compiled, senders["sparse"])


def test_fields_are_listed_in_order_of_first_use():
    compiled = compile_template(
        "{{ sender.title }}{% if sender.phone %}{{ sender.name }}{% endif %}{{ sender.title }}"
    )

    assert compiled.fields == ("sender.title", "sender.phone", "sender.name")


def test_the_author_is_told_what_was_removed_and_what_is_hard_to_read():
    compiled = compile_template(
        '<p onclick="x()" style="position: fixed; color: #eeeeee">Words</p><blink>b</blink>'
        '<a href="javascript:x()">y</a><img src="https://acme.example/a.png">'
        "<style>@import url(https://acme.example/a.css); b { background: url(x) }</style>"
    )

    assert compiled.warnings == (
        "The attribute onclick of <p> is not allowed and was removed.",
        "The style “position: fixed” is not allowed and was removed.",
        "The tag <blink> is not allowed and was removed.",
        "The address “javascript:x()” was removed: addresses start with https://, links may also start "
        "with mailto: or tel:. Enter the full address.",
        "The @import rule was left out: mail clients drop it, or it would fetch something.",
        "The picture https://acme.example/a.png has no alt text. Add alt='' if it is decoration.",
        "The picture https://acme.example/a.png has no width attribute; Outlook shows it at its full size.",
        "“Words” in #eeeeee is hard to read on white (1.2 to 1, not 4.5).",
    )


def test_dark_text_without_a_ground_of_its_own_is_named():
    assert compile_template('<p style="color: #111111">Ink</p>').warnings == (
        "“Ink” in #111111 is hard to read in dark mode (1.0 to 1, not 3.0).",
    )


def test_a_large_template_is_named_before_it_is_too_large():
    assert compile_template("x" * 60_001).warnings == (
        "With sample values the signature is 60,001 bytes; 65,535 is the limit.",
    )


def test_no_starter_gives_a_warning():
    assert {starter.slug: compile_template(starter.source).warnings for starter in STARTERS} == {
        starter.slug: () for starter in STARTERS
    }


@pytest.mark.parametrize(
    ("style", "why"),
    [
        ("font-size: 0", "has no size"),
        ("font-size: 0px", "has no size"),
        ("font-size: 0.5px", "has no size"),
        ("font-size: 0.01em", "has no size"),
        ("font-size: 1%", "has no size"),
        ("color: transparent", "has no colour"),
        ("color: rgba(0, 0, 0, 0)", "has no colour"),
        ("color: #12345600", "has no colour"),
    ],
)
def test_text_that_nobody_sees_is_named(style, why):
    assert (
        f"“Unseen” {why}, so nobody sees it. Take it out."
        in compile_template(f'<p>Words</p><div style="{style}">Unseen</div>').warnings
    )


def test_a_gap_of_no_size_around_text_that_has_one_is_not():
    source = '<div style="font-size: 0"><span style="font-size: 14px">Words</span> <br></div>'

    assert compile_template(source).warnings == ()


def test_default_that_no_sender_could_be_sent_with_is_refused_when_it_is_saved():
    cell = "<td bgcolor=\"{{ company.accent | default: '#3f63d8' }}\">{{ sender.name }}</td>"
    good = f"{{% if sender.name %}}<table><tr>{cell}</tr></table>{{% endif %}}"
    assert compile_template(good).html
    with pytest.raises(TemplateError):
        compile_template(good.replace("#3f63d8", "#3f63dd8"))
