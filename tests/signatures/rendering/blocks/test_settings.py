"""Settings take what they say, refuse the rest in words, and can never write markup of their own."""

from __future__ import annotations

import re

import pytest

from signatures.rendering import TemplateError, compile_template, render_signature
from signatures.rendering.blocks import (
    BLOCKS,
    Block,
    Button,
    Code,
    Columns,
    Contact,
    Design,
    Disclaimer,
    Divider,
    Kind,
    Name,
    Picture,
    SettingsRefused,
    Social,
    Space,
    Theme,
    Words,
    read_design,
    settings_of,
    write_design,
)
from signatures.rendering.blocks.markers import write_settings
from signatures.rendering.fields import BUILT_IN
from signatures.senders.value_sources import FieldRule, FieldRules

ADDRESS = "Enter an address that starts with https://, mailto: or tel:, or select a field."


def render(*blocks: Block, **theme: object) -> str:
    template = compile_template(write_design(Design(Theme(**theme), blocks)))
    return render_signature(template, BUILT_IN.sample_values).html


@pytest.mark.parametrize("owner", [Theme, *BLOCKS.values()], ids=lambda owner: owner.__name__)
def test_every_setting_says_what_it_takes(owner):
    settings = settings_of(owner)

    assert all(one.label and one.label[0].isupper() for one in settings.values())
    assert all(one.choices for one in settings.values() if one.kind in (Kind.CHOICE, Kind.LIST, Kind.LINKS))
    assert all(one.low < one.high for one in settings.values() if one.kind is Kind.NUMBER)
    assert all(
        one.most for one in settings.values() if one.kind in (Kind.TEXT, Kind.MARKUP, Kind.LIST, Kind.LINKS)
    )
    if owner is not Theme:
        assert list(settings)[-1] == "when"
        assert owner.label and owner.help


@pytest.mark.parametrize(
    ("kind", "name", "value", "message"),
    [
        (Name, "size", 99, "Enter a whole number from 11 to 28."),
        (Name, "size", "1e1", "Enter a whole number from 11 to 28."),
        (Name, "size", True, "Enter a whole number from 11 to 28."),
        (Name, "size", None, "Enter a whole number from 11 to 28."),
        (Name, "bold", "yes", "Select yes or no."),
        (Name, "gap", "huge", "Select one of the choices."),
        (Name, "gap", ["tight"], "Select one of the choices."),
        (Name, "when", "sender.nothing", "Select one of the choices."),
        (Name, "when", "sender.name %}<script>", "Select one of the choices."),
        (Name, "colour", "red; background: url(x)", "Enter a colour written #rrggbb, or select one of the choices."),
        (Theme, "quiet", "#12345", "Enter a colour written #rrggbb, or select one of the choices."),
        (Theme, "accent", "{{ company.accent }}", "Enter a colour written #rrggbb, or select one of the choices."),
        (Theme, "font", "Comic Sans'; x", "Select one of the choices."),
        (Contact, "lines", [], "Select at least one."),
        (Contact, "lines", ["sender.email", "sender.email"], "Each may be listed once."),
        (Contact, "lines", "sender.email", "Enter a list."),
        (Contact, "lines", ["banner.click_url"], "Select one of the choices."),
        (Picture, "image", "http://acme.example/a.png", "Select an image, or enter a URL that starts with https://."),
        (Picture, "image", "https://a.example/\"onerror=", "Select an image, or enter a URL that starts with https://."),
        (Picture, "image", "data:image/png;base64,AA", "Select an image, or enter a URL that starts with https://."),
        (Picture, "alt", "  ", "Enter a text."),
        (Button, "link", "", ADDRESS),
        (Button, "link", "javascript:alert(1)", ADDRESS),
        (Button, "link", "https://acme.example@evil.example/", ADDRESS),
        (Button, "link", "tel:call me", ADDRESS),
        (Button, "link", "tel:callme", ADDRESS),
        (Button, "link", "sender.title", "sender.title is not a field with a link."),
        (Button, "link", "banner.click_url", "banner.click_url is not a field with a link."),
        (Button, "words", "x" * 121, "Enter at most 120 characters."),
        (Button, "words", "{% if sender.name %}x", "Conditions cannot stand in a text. Use “Show only if”."),
        (Button, "words", "{{ sender.nmae }}", "There is no field sender.nmae. Did you mean sender.name?"),
        (Button, "words", "{{ sender.name", "Braces are for fields alone, as in {{ sender.title }}."),
        (Button, "words", "{{ 'x' }}", "Braces are for fields alone, as in {{ sender.title }}."),
        (Button, "words", "{{ sender.name | tel }}", "Braces are for fields alone, as in {{ sender.title }}."),
        (Button, "words", "{", "Braces are for fields alone, as in {{ sender.title }}."),
        (Words, "text", "{{ banner.image_url }}", "banner.image_url cannot stand in a text. Add a banner block."),
        (Words, "text", "a\u202eb", "Take out the invisible character U+202E."),
        (Words, "text", "a\ue010b", "Take out the invisible character U+E010."),
        (Words, "text", "[x](javascript:alert)", ADDRESS),
        (Words, "text", 7, "Enter a text."),
        (Social, "links", [("linkedin", "ftp://x")], f"LinkedIn: {ADDRESS}"),
        (Social, "links", ["linkedin"], "Enter a network and a link for each."),
        (Social, "links", [("myspace", "https://acme.example")], "Select one of the choices."),
        (Social, "icons", "https://acme.example/icons", "Enter a URL that starts with https:// and ends in /."),
        (Code, "markup", "x<!-- /code -->", "Take out the comments that mark blocks."),
        (Code, "markup", "<!-- name {} 00000000 -->", "Take out the comments that mark blocks."),
        (Code, "markup", "<!-- blocks -->", "Take out the comments that mark blocks."),
        (Code, "markup", "<tr>{% comment %}", "This comment has no {% endcomment %}."),
        (Code, "markup", "<tr></tr>{", "Expected '}}', found end of file."),
        (Code, "markup", "<tr><td", "A comment or tag at the end has no end."),
        (Code, "markup", "<tr><!-- note", "A comment or tag at the end has no end."),
        (Columns, "lists", ((),), "Columns are two or three."),
        (Columns, "lists", ((), (Columns(),)), "Columns cannot stand in columns."),
    ],
)  # fmt: skip
def test_a_setting_that_does_not_fit_is_refused_in_words(kind, name, value, message):
    with pytest.raises(SettingsRefused) as refused:
        kind(**{name: value})

    assert refused.value.errors == {name: message}
    setting = settings_of(kind).get(name)
    label = "Design" if kind is Theme else kind.label
    assert str(refused.value) == f"{label}, {setting.label if setting else name}: {message}"


def test_all_wrong_settings_are_named_at_once():
    with pytest.raises(SettingsRefused) as refused:
        Button(words="", link="x", radius=99)

    assert list(refused.value.errors) == ["words", "link", "radius"]


def test_settings_are_kept_in_one_form_however_a_browser_sends_them():
    words = Words(text=" One \r\n two\rthree ", size="14", colour="#ABCDEF", when="")
    contact = Contact(lines=["sender.email"])

    assert words == Words(text="One\ntwo\nthree", size=14, colour="#abcdef")
    assert contact == Contact(lines=("sender.email",))
    assert Picture(image=" https://Müller.example/ä.png ").image == "https://xn--mller-kva.example/%C3%A4.png"
    assert Code(markup="<tr>\r\n</tr>\n").markup == "<tr>\n</tr>"


def test_what_a_text_says_is_shown_as_text():
    said = (
        """<script>alert(1)</script> "'><img src=x onerror=y> &lt;b&gt; &#x7b; --> <!-- /words --> \\ 100%"""
    )

    html = render(
        Words(text=said), Button(words=said[:100], link="https://acme.example/?a=1&b='2'".replace("'", ""))
    )

    escaped = said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert f">{escaped}</td>" in html
    assert "<script" not in html and "<img" not in html
    assert 'href="https://acme.example/?a=1&amp;b=2"' in html


def test_no_setting_can_end_its_comment_or_be_read_as_a_field_in_it():
    said = "--> -- &#1; &#x7b;{{ sender.title }} <!-- --!> %} \\".replace("%}", "%")
    former = Columns(
        lists=((Words(text=said),), (Code(markup="<tr>{{ sender.name }}</tr>", former=Words(text=said)),))
    )

    source = write_design(Design(Theme(), (Name(), Words(text=said), Code(former=former))))

    comments = re.findall("<!-- (?!/)(.*?)-->", source)
    assert len(comments) == 5
    assert [
        text for text in comments for sign in ("{{", "}}", "{%", "%}", "--", "<", ">", "&") if sign in text
    ] == []
    assert compile_template(source).fields == ("sender.name", "sender.pronouns", "sender.title")


def test_alt_text_cannot_leave_its_attribute():
    html = render(Picture(alt='"><b>x</b>\' onload="y {{ company.name }}'), Picture(alt="decoration"))

    assert 'alt="&quot;&gt;&lt;b&gt;x&lt;/b&gt;\' onload=&quot;y Acme"' in html
    assert 'alt=""' in html


def test_a_text_has_fields_bold_words_links_and_lines():
    text = (
        "Dear **{{ company.name | upcase }}**,\n[Book](sender.calendar_url) or [call]({{ sender.phone }}) "
        "[**us**](https://acme.example/a?b=1) ** a [x] (y)"
    )

    html = render(Words(text=text))

    style = 'style="color: inherit; text-decoration: underline"'
    assert html.partition('line-height: 20px">')[2].partition("</td>")[0] == (
        f'Dear <b>ACME</b>,<br><a href="https://meet.acme.example/maren" {style}>Book</a> or '
        f'<a href="tel:+14155550142" {style}>call</a> <a href="https://acme.example/a?b=1" {style}><b>us</b></a>'
        " ** a [x] (y)"
    )


def test_colours_are_the_themes_or_ones_own_and_words_on_them_can_be_read():
    html = render(
        Name(colour="accent"), Divider(colour="quiet"), Button(fill="#ffe14d", link="https://acme.example/"),
        accent="#0a7d4f", quiet="#5f6470",
    )  # fmt: skip

    assert "color: #0a7d4f" in html
    assert "border-top: 1px solid #5f6470" in html
    assert 'bgcolor="#ffe14d"' in html
    assert "color: #14171d; font-weight: bold" in html


def test_social_links_are_words_or_icons_with_alt_texts():
    links = (("linkedin", "sender.linkedin_url"), ("x", "https://x.com/acme?a=1&b=2"))

    words, icons = (
        render(Social(links=links)),
        render(Social(links=links, icons="https://icons.acme.example/v1/", size=24)),
    )

    assert ">LinkedIn</a> · <a" in words
    assert 'src="https://icons.acme.example/v1/x.png" alt="X" width="24" height="24"' in icons


def test_a_fixed_image_stays_where_its_link_has_no_value():
    template = compile_template(
        write_design(
            Design(Theme(), (Name(), Picture(image="https://acme.example/a.png", link="company.website")))
        )
    )

    html = render_signature(template, {"sender.name": "Bo Li"}).html

    assert "https://acme.example/a.png" in html
    assert "<a " not in html


def test_columns_take_their_space_and_line_along_with_the_first():
    columns = Columns(
        lists=((Picture(image="photo", alt="{{ sender.name }}"),), (Name(),)),
        gap="tight", lead="sender.photo_url", rule="accent", space=30,
    )  # fmt: skip
    template = compile_template(write_design(Design(Theme(), (columns,))))

    full, sparse = (
        render_signature(template, BUILT_IN.sample_values).html,
        render_signature(template, {"sender.name": "Bo"}).html,
    )

    assert "padding-right: 15px; border-right: 1px solid #3f63d8" in full
    assert '<td style="padding-left: 15px;' in full
    assert "padding-" not in sparse and "border-right" not in sparse
    assert sparse.count("<td") == 3


@pytest.mark.parametrize("block", [Disclaimer(when="sender.mobile"), Space(when="sender.mobile")])
def test_a_block_shows_only_if_its_field_has_a_value(block):
    template = compile_template(write_design(Design(Theme(), (Name(), block))))
    values = {"sender.name": "Bo Li", "company.legal": "Acme Inc."}

    without = render_signature(template, values).html
    with_it = render_signature(template, values | {"sender.mobile": "+14155550187"}).html

    assert (without.count("<tr"), with_it.count("<tr")) == (1, 2)


def test_braces_of_nested_settings_never_stand_side_by_side():
    assert write_settings({"a": {"b": {"c": {}}}}) == '{"a": {"b": {"c": {} } } }'


def test_custom_fields_stand_in_texts_links_lines_and_conditions():
    custom = FieldRules(
        FieldRule(f"sender.x_{kind}_own") for kind in ("text", "url", "phone", "image")
    ).vocabulary
    design = Design(
        Theme(),
        (
            Name(),
            Words(text="Motto: {{ sender.x_text_own }}", when="sender.x_text_own"),
            Contact(lines=("sender.phone", "sender.x_phone_own", "sender.x_url_own")),
            Button(words="Book", link="sender.x_url_own"),
        ),
    )

    source = write_design(design)

    assert read_design(source) == design
    html = render_signature(compile_template(source, custom), custom.sample_values, custom).html
    assert 'href="tel:+14155550123"' in html and "Motto: Sample text" in html
    assert html.count('href="https://www.acme.example/sample"') == 2
    bare = render_signature(compile_template(source, custom), BUILT_IN.sample_values, custom).text
    assert "Motto" not in bare and "Book" not in bare and "Own" not in bare
    with pytest.raises(TemplateError, match=r"There is no field sender\.x_text_own"):
        compile_template(source)
    with pytest.raises(SettingsRefused):
        Button(words="Book", link="sender.x_image_own")


def test_a_custom_line_of_contact_has_the_label_of_its_field():
    names = {
        "sender.x_phone_desk": "Direct <line> {{ x }}",
        "sender.x_url_blog": "Our blog",
        "sender.phone": "No",
    }
    rules = FieldRules(FieldRule(name, label=label) for name, label in names.items())
    block = Contact(lines=("sender.phone", "sender.x_phone_desk", "sender.x_url_blog"))
    named, plain = (Design(Theme(names=each), (Name(), block)) for each in (names, {}))

    source, unnamed = write_design(named), write_design(plain)

    assert read_design(source) == named == plain == read_design(unnamed)
    html = render_signature(
        compile_template(source, rules.vocabulary), rules.vocabulary.sample_values, rules.vocabulary
    ).html
    assert "Direct &lt;line&gt; (( x ))</span>" in html and ">Our blog</a>" in html
    assert ">Phone</span>" in html and ">No</span>" not in html
    assert ">Desk</span>" in unnamed and ">Blog</a>" in unnamed
