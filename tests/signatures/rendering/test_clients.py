"""Mail clients: what each shows of a signature, by published data and our rules for its footnotes."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from signatures.authoring.starters import STARTERS
from signatures.rendering import compile_template, render_signature
from signatures.rendering.clients import support
from signatures.rendering.clients.dark_preview import turn_colour, turn_colours
from signatures.rendering.clients.looks import LOOKS, derive_look, hide_images
from signatures.rendering.clients.losses import get_feature
from signatures.rendering.clients.support import Client, Support, get_dataset, get_support
from signatures.rendering.fields import BUILT_IN
from signatures.rendering.sanitize import sanitize_signature
from signatures.rendering.styles import ALLOWED_STYLES

OUTLOOK = Client.OUTLOOK_WINDOWS
# Properties that caniemail has no page for: every client takes them, or they exist for one alone.
WITHOUT_PAGE = {
    "color", "font-family", "font-style", "font-variant",
    "mso-line-height-rule", "mso-table-lspace", "mso-table-rspace", "-ms-interpolation-mode",
    "-webkit-text-size-adjust",
}  # fmt: skip


def notes(markup: str) -> list[str]:
    return [
        one.text for one in compile_template(markup).findings if one.code.startswith(("client-", "image-"))
    ]


def write(tag: str, style: str) -> str:
    """Return markup with one styled element, in a table cell unless it is part of the table."""
    if tag == "table":
        return f'<table style="{style}"><tr><td>a</td></tr></table>'
    if tag == "td":
        return f'<table><tr><td style="{style}">a</td></tr></table>'
    return f'<table><tr><td><{tag} style="{style}">a</{tag}></td></tr></table>'


@pytest.mark.parametrize(
    ("lost", "kept", "effect"),
    [
        (("div", "padding: 4px"), ("td", "padding: 4px"), "space"),
        (("div", "width: 90px"), ("td", "width: 90px"), "wide"),
        (("p", "height: 9px"), ("td", "height: 9px"), "high"),
        (("p", "border: 1px solid #555"), ("td", "border: 8px solid #555"), "border"),
        (("td", "border-left: 9px solid #555"), ("td", "border-left: 2px solid #555"), "border"),
        (("div", "max-width: 90px"), ("table", "max-width: 90px"), "wider"),
        (("span", "display: block"), ("div", "display: block"), "place in the line"),
        (("div", "margin: 0 auto"), ("div", "margin: 4px"), "space"),
        (("p", "line-height: 18px"), ("p", "line-height: 18px; mso-line-height-rule: exactly"), "wider"),
        (("b", "font-weight: 500"), ("b", "font-weight: 600"), "weight"),
        (("u", "text-decoration: underline dotted"), ("u", "text-decoration: underline"), "line under"),
        (("p", "text-transform: lowercase"), ("p", "text-transform: uppercase"), "capitals"),
        (("p", "font-size: 1rem"), ("p", "font-size: 1em"), "size"),
        (("p", "min-width: 9px"), ("p", "text-align: left"), "narrower"),
    ],
)
def test_outlook_for_windows_loses_what_its_footnotes_say_and_no_more(
    lost: tuple[str, str], kept: tuple[str, str], effect: str
) -> None:
    said = [note for note in notes(write(*lost)) if note.startswith("Outlook for Windows")]

    assert len(said) == 1 and effect in said[0]
    assert notes(write(*kept)) == []


def test_clients_that_lose_the_same_are_named_together_at_the_first_place() -> None:
    found = compile_template(
        '<p>a</p>\n<p style="white-space: nowrap">b</p><p style="white-space: nowrap">c</p>'
    )

    assert [(one.severity, one.code, one.sentence, one.line) for one in found.findings] == [
        (
            "note",
            "client-white-space",
            "Outlook for Windows and Samsung Email do not show “white-space” of <p> as written: lines may break there.",
            2,
        )
    ]
    assert found.warnings == ()  # a note is not stored with the version


def test_a_kind_of_image_that_a_client_cannot_show_is_named() -> None:
    assert notes('<p>a</p><img src="https://acme.example/a.svg?v=1" alt="A" width="9">') == [
        "Gmail shows no SVG images, only their alt text. Use PNG or JPEG."
    ]
    assert notes('<p>a</p><img src="https://acme.example/a.png" alt="A" width="9">') == []


@pytest.mark.parametrize("starter", STARTERS, ids=lambda one: one.slug)
def test_a_shipped_template_loses_nothing_but_round_corners_and_kept_lines(starter) -> None:
    codes = {one.code for one in compile_template(starter.source).findings}

    assert codes <= {"client-border-radius", "client-white-space"}


def test_every_property_that_we_allow_has_its_page_in_the_data() -> None:
    features = get_dataset().features

    assert {name for name in ALLOWED_STYLES if get_feature(name) not in features} == WITHOUT_PAGE


def test_the_data_says_what_it_is_and_from_when() -> None:
    assert get_dataset().version.count(".") == 2
    assert get_dataset().dated >= "2026-05-13"
    assert "MIT License" in support.FILE.with_suffix(".LICENSE").read_text()
    assert get_support(OUTLOOK, "css-padding") is Support.PARTLY
    assert get_support(OUTLOOK, "css-no-such-thing") is Support.UNKNOWN


# The colours that Microsoft's own function gives, by its published code.
@pytest.mark.parametrize(
    ("light", "dark"),
    [("#ffffff", "#333333"), ("#fff", "#333333"), ("#000000", "#ffffff"), ("#3f63d8", "#7c92ff")],
)
def test_outlook_on_the_web_turns_lightness_round(light: str, dark: str) -> None:
    assert turn_colour(light) == dark


def test_each_colour_of_a_value_is_turned_and_nothing_else() -> None:
    assert turn_colours("1px solid white") == "1px solid #333333"
    assert turn_colours("transparent") == "transparent"


def test_a_look_leaves_out_what_the_client_does_not_show_and_says_so() -> None:
    html = '<div style="padding: 4px; color: #3f63d8"><p>a</p></div>'

    outlook = derive_look(html, OUTLOOK, is_dark=False)
    gmail = derive_look(html, Client.GMAIL, is_dark=False)

    assert outlook.html == '<div style="color: #3f63d8"><p>a</p></div>'
    assert outlook.taken_out == ("“padding: 4px” of <div>: the space is lost.",)
    assert (gmail.html, gmail.taken_out, gmail.colours, gmail.dark_note) == (html, (), None, "")


def test_dark_mode_turns_colours_in_outlook_on_the_web_and_keeps_them_elsewhere() -> None:
    html = '<p><font color="#000000" style="background: #ffffff; border: 1px solid #fff">a</font></p>'

    web = derive_look(html, Client.OUTLOOK_WEB, is_dark=True)
    apple = derive_look(html, Client.APPLE_MAIL, is_dark=True)
    gmail = derive_look(html, Client.GMAIL, is_dark=True)

    assert web.html == (
        '<p><font color="#ffffff" style="background: #333333; border: 1px solid #333333">a</font></p>'
    )
    assert web.colours == ("#333333", "#ffffff")
    assert (apple.html, gmail.html) == (html, html)
    assert "keeps the colours" in apple.dark_note and "not published" in gmail.dark_note


def test_without_images_there_is_a_box_of_their_size_with_the_alt_text() -> None:
    image = '<img src="https://acme.example/a.png" alt="A &amp; B" width="9" height="7">'

    shown = hide_images(f'<a href="https://acme.example/">{image}</a>')

    assert "<img" not in shown
    assert "width: 9px; height: 7px" in shown and ">A &amp; B</span></a>" in shown


@settings(max_examples=60, deadline=None)
@given(
    values=st.fixed_dictionaries({name: st.none() | st.text(max_size=40) for name in BUILT_IN.sample_values}),
    client=st.sampled_from(LOOKS),
    is_dark=st.booleans(),
    starter=st.sampled_from(STARTERS),
)
def test_a_look_of_any_values_is_markup_that_a_signature_may_hold(values, client, is_dark, starter) -> None:
    template = compile_template(starter.source)
    html = render_signature(template, {**values, "sender.name": "Ana"}).html

    shown = derive_look(html, client, is_dark=is_dark).html

    assert sanitize_signature(shown) == shown
    assert derive_look(shown, client, is_dark=False).taken_out == ()  # nothing is left to be taken out


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The unpacked package with one feature of each kind; what the command writes goes beside it."""
    (tmp_path / "data").mkdir()
    stats = {
        "outlook": {"windows": {"2007": "y", "2019": "a #1 #2"}},
        "gmail": {"desktop-webmail": {"2019-05": "y"}},
    }
    whole = {
        "last_update_date": "2026-05-13 14:45:41 +0000",
        "data": [
            {"slug": "css-padding", "category": "css", "stats": stats},
            {"slug": "amp", "category": "others", "stats": stats},
        ],
    }
    (tmp_path / "package.json").write_text('{"version": "9.8.7"}')
    (tmp_path / "data" / "caniemail.json").write_text(json.dumps(whole))
    monkeypatch.setattr(support, "FILE", tmp_path / "support.json")
    return tmp_path / "data" / "caniemail.json"


def test_the_data_is_made_anew_from_the_published_package(package: Path) -> None:
    said = StringIO()

    call_command("refreshmailclients", package, stdout=said)

    assert said.getvalue() == "1 features of version 9.8.7.\n"
    assert json.loads(support.FILE.read_text()) == {
        "source": "caniemail",
        "version": "9.8.7",
        "dated": "2026-05-13",
        "licence": "MIT",
        "features": {"css-padding": {"gmail": "y", "outlook-windows": "a"}},
    }


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"data": [{"slug": "x"}]}'])
def test_data_of_another_form_is_refused_and_what_is_there_stays(package: Path, text: str) -> None:
    package.write_text(text)
    support.FILE.write_text("before")

    with pytest.raises(CommandError, match="nothing was written"):
        call_command("refreshmailclients", package)

    assert support.FILE.read_text() == "before"
