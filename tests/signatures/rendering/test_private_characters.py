"""The characters that carry meaning between rendering steps come in by no spelling, and leave in no signature."""

from __future__ import annotations

import pytest

from signatures.rendering import (
    CompiledTemplate,
    RenderRefused,
    TemplateError,
    compile_template,
    render_signature,
)
from signatures.rendering.sanitize import sanitize_signature, sanitize_template
from signatures.rendering.sentinels import PRIVATE

MARK = 0xE000
SPELLINGS = [
    chr(MARK),
    f"&#x{MARK:x};",
    f"&#X{MARK:X};",
    f"&#x{MARK:X}",
    f"&#x000000000000{MARK:x};",
    f"&#{MARK};",
    f"&#{MARK} ",
    f"&#0000000000000000{MARK};",
    "&#xf8ff;",
    "&#63743;",
    "&#xe011;",
    "&#1;",
    "&#x0b;",
    "&#0;",
    "&#xd800;",
    "&#x110000;",
    "&#99999999999999999999;",
    "&#" + "9" * 4_301 + ";",
    "&#x" + "f" * 4_301 + ";",
]
PLACES = [
    "<p>HERE</p>",
    "HERE x",
    '<p title="HERE">x</p>',
    "<p title='HERE'>x</p>",
    "<p title=HERE>x</p>",
    '<a href="https://acme.example/HERE">x</a>',
    '<p style="font-family: HERE">x</p>',
    '<img src="https://acme.example/a.png" alt="HERE">',
    '<p>x</p>{% if sender.title == "Renewals" %}HERE99HERE{% endif %}',
    "{{ sender.name | default: 'HERE' }}x",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("spelling", SPELLINGS, ids=range(len(SPELLINGS)))
def test_no_spelling_is_saved_anywhere(spelling, place):
    before = "<p>words</p>\n"

    with pytest.raises(TemplateError) as caught:
        compile_template(before + place.replace("HERE", spelling))

    assert caught.value.line == 2
    assert "cannot be used in a template." in caught.value.message


@pytest.mark.parametrize(
    "style",
    ["font-family: '\\e000 99\\e003'", "font-family: \\e000", "color: \\00e000 red", "font-family: '\\E000'"],
)
def test_a_css_escape_brings_none_in(style):
    for source in (f'<p style="{style}">x</p>', f"<style>p {{ {style} }}</style><p>x</p>"):
        try:
            html = compile_template(source).html
        except TemplateError as error:
            assert "cannot be used in a template." in error.message
            continue
        assert PRIVATE.search(html) is None
        assert "99" not in html


@pytest.mark.parametrize(
    "text", ["&#13;x", "&#128;&#150;", "&#x1F600;", "&#x10FFFF;", "&#10;&#9;", "&amp;#xe000;", "&#65"]
)
def test_other_references_are_saved(text):
    template = compile_template(f"<p>Words {text}</p>")

    assert "Words" in render_signature(template, {}).text


@pytest.mark.parametrize(
    "stored",
    [
        "<p>{{ sender.name }}\ue00099\ue003</p>",
        "<p>{{ sender.name }}</p>\ue000",
        "<p>{{ sender.name }}&#xe000;</p>",
        '<p title="\ue010">{{ sender.name }}</p>',
        "<p>{{ sender.name }}\x01</p>",
        "<p>{{ sender.name }}\ud800</p>",
        "{{ sender.nobody }}",
        "{% if sender.name %}",
        "<p>{{ sender.name | upcase: 1, 2 }}</p>",
        "<b>" * 3_000 + "{{ sender.name }}{{ sender.mobile }}" + "</b>" * 3_000,
    ],
)
def test_a_template_stored_before_these_checks_is_refused_for_each_sender_and_never_sent(stored):
    template = CompiledTemplate.from_stored(stored, ["sender.name"])

    with pytest.raises(RenderRefused) as caught:
        render_signature(template, {"sender.name": "Ana Silva"})

    assert caught.value.code in ("unrenderable", "unsafe")


@pytest.mark.parametrize(
    "stored", ["<p>{{ sender.name }}\ue0007\ue001</p>", "<p>{{ sender.name }}</p>\ue002"]
)
def test_one_that_reads_as_a_value_leaves_nothing_private(stored):
    html = render_signature(
        CompiledTemplate.from_stored(stored, ["sender.name"]), {"sender.name": "Ana"}
    ).html

    assert "Ana" in html
    assert PRIVATE.search(html) is None


def test_the_sanitizer_drops_them_and_the_draft_keeps_placeholders():
    html = "".join(f"<p>a{chr(code)}b&#{code};c</p>" for code in (0xE000, 0xE003, 0xE010, 0xF8FF, 1))

    assert sanitize_signature(html) == "<p>abc</p>" * 5
    assert sanitize_template("<p>\ue0101\ue011</p>") == "<p>\ue0101\ue011</p>"
