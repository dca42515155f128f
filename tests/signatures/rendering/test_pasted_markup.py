"""Markup as Word, Outlook, Gmail and designers write it: what it says is what the signature says."""

from __future__ import annotations

import pytest

from signatures.rendering import compile_template, render_signature
from signatures.rendering.sanitize import sanitize_signature


def compiled(source: str) -> tuple[str, tuple[str, ...]]:
    """Return what is stored of a template, and what is said about it."""
    template = compile_template(source)
    return template.html, template.warnings


@pytest.mark.parametrize(
    "zero",
    [
        "0in",
        "0cm",
        "0mm",
        "0pc",
        "0Q",
        "0pt",
        "0px",
        "0em",
        "0rem",
        "0ex",
        "0ch",
        "0vw",
        "0vh",
        "0vmin",
        "0vmax",
        "0%",
        "0",
        "0.0in",
        ".00cm",
        "-0in",
        "+0cm",
        "0IN",
    ],
)
@pytest.mark.parametrize("name", ["margin-bottom", "margin", "padding", "padding-left"])
def test_zero_is_zero_in_every_unit_and_beats_the_sheet(zero, name):
    html, warnings = compiled(
        f'<style>.line{{{name}:8pt}}</style><p class="line" style="{name}:{zero}">a</p><p class="line">b</p>'
    )

    value = html.partition(f"{name}: ")[2].partition('"')[0]
    assert value.rstrip("%abcdefghijklmnopqrstuvwxyz") == "0"
    assert html == f'<p style="{name}: {value}">a</p><p style="{name}: 8pt">b</p>'
    assert warnings == ()


@pytest.mark.parametrize(
    ("sheet", "style", "kept"),
    [
        ("margin: 8pt", "margin-bottom: 0cm", "margin: 8pt; margin-bottom: 0"),
        ("margin-bottom: 8pt", "margin: 0in", "margin-bottom: 8pt; margin: 0"),
        ("color: #333 !important", "color: #555", "color: #333"),
        ("color: #333 !important", "color: #555 !important", "color: #555"),
        ("display: none", "display: block", "display: block"),
        (
            "font-family: Arial",
            "font-family: '\u5fae\u8f6f\u96c5\u9ed1'",
            "font-family: '\u5fae\u8f6f\u96c5\u9ed1'",
        ),
    ],
)
def test_what_stands_at_the_element_beats_the_sheet_as_css_says(sheet, style, kept):
    html, _ = compiled(f'<style>p {{ {sheet} }}</style><p style="{style}">a</p>')

    assert html == f'<p style="{kept}">a</p>'


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("width: 1in", "width: 96px"),
        ("width: 2.54cm", "width: 96px"),
        ("width: 25.4mm", "width: 96px"),
        ("width: 101.6Q", "width: 96px"),
        ("width: 6pc", "width: 96px"),
        ("width: 72.0pt", "width: 72pt"),
        ("margin: .5in 1cm 0mm auto", "margin: 48px 37.7953px 0 auto"),
        ("letter-spacing: -.1cm", "letter-spacing: -3.7795px"),
        ("mso-table-lspace: 0in", "mso-table-lspace: 0"),
        ("border: solid windowtext 1.0pt", "border: solid currentcolor 1pt"),
        ('font-family: "Calibri",sans-serif', "font-family: 'Calibri', sans-serif"),
    ],
)
def test_words_units_are_converted(written, kept):
    html, warnings = compiled(f"<p style='{written}'>a</p>")

    assert (html, warnings) == (f'<p style="{kept}">a</p>', ())


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("rgb(34, 34, 34)", "#222222"),
        ("rgb(34 34 34)", "#222222"),
        ("RGB(13%,13%,13%)", "#212121"),
        ("rgba(34,34,34,1)", "#222222"),
        ("rgba(34, 34, 34, .5)", "rgba(34, 34, 34, 0.5)"),
        ("rgb(34 34 34 / 50%)", "rgba(34, 34, 34, 0.5)"),
        ("hsl(120, 100%, 25%)", "#008000"),
        ("hsl(120deg 100% 25% / 0.25)", "rgba(0, 128, 0, 0.25)"),
        ("hwb(194 0% 0%)", "#00c3ff"),
        ("rgb(300, -5, 0)", "#ff0000"),
        ("RebeccaPurple", "#663399"),
        ("darkslategrey", "#2f4f4f"),
        ("navy", "navy"),
        ("#0f08", "rgba(0, 255, 0, 0.53)"),
        ("windowtext", "currentcolor"),
        ("transparent", "transparent"),
    ],
)
@pytest.mark.parametrize("name", ["background-color", "border-top-color"])
def test_colours_become_what_every_mail_client_reads(name, written, kept):
    html, _ = compiled(f'<p style="{name}: {written}">a</p>')

    assert html == f'<p style="{name}: {kept}">a</p>'


@pytest.mark.parametrize(
    "written",
    ["lab(50% 40 59)", "color(display-p3 1 0 0)", "var(--ink)", "rgb(1, 2)", "decidedlyblue", "window"],
)
def test_a_colour_that_cannot_be_converted_goes_and_is_named(written):
    html, warnings = compiled(f'<p style="color: {written}">a</p>')

    assert html == "<p>a</p>"
    assert f"The style “color: {written}” is not allowed and was removed." in warnings


def test_what_was_stored_with_functional_colours_may_still_be_sent():
    stored = '<p style="color: rgb(1, 2, 3); background: rgba(4, 5, 6, 0.5); margin: 0px 0%">a</p>'

    assert sanitize_signature(stored) == stored


@pytest.mark.parametrize(
    ("written", "kept", "left_out"),
    [
        (
            "'微软雅黑','Microsoft YaHei',Arial,sans-serif",
            "'微软雅黑', 'Microsoft YaHei', Arial, sans-serif",
            [],
        ),
        ("微软雅黑, ＭＳ Ｐゴシック, Öko", "微软雅黑, ＭＳ Ｐゴシック, Öko", []),
        (r"'\5FAE\8F6F\96C5\9ED1', serif", "'微软雅黑', serif", []),
        ("'Noto Sans देवनागरी', serif", "'Noto Sans देवनागरी', serif", []),
        ("-apple-system, BlinkMacSystemFont, Segoe UI", "-apple-system, BlinkMacSystemFont, Segoe UI", []),
        ("'M+ 1p', '.SF NS'", "'M+ 1p', '.SF NS'", []),
        ("'Calibri (Body)', Calibri, serif", "Calibri, serif", ["&quot;Calibri (Body)&quot;"]),
        ("'@SimSun', var(--x), serif", "serif", ["&quot;@SimSun&quot;", "var(--x)"]),
    ],
)
def test_a_font_stays_in_any_script_and_one_that_cannot_goes_alone(written, kept, left_out):
    html, warnings = compiled(f'<p style="font-family: {written}">a</p>')

    assert html == f'<p style="font-family: {kept}">a</p>'
    assert [warning.split(" was ")[0] for warning in warnings] == [
        f"The font {name.replace('&quot;', chr(34))}" for name in left_out
    ]


def test_a_list_of_fonts_of_which_none_can_stand_goes_and_is_named():
    html, warnings = compiled("<p style=\"font-family: '@SimSun'; margin: 0\">a</p>")

    assert html == '<p style="margin: 0">a</p>'
    assert warnings == ('The style “font-family: "@SimSun"” is not allowed and was removed.',)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (
            "mailto:sales@acme.example?subject=Book a meeting",
            "mailto:sales@acme.example?subject=Book%20a%20meeting",
        ),
        ("mailto: sales@acme.example", "mailto:sales@acme.example"),
        ("MAILTO:sales@acme.example?subject=Über uns", "mailto:sales@acme.example?subject=%C3%9Cber%20uns"),
        ("tel:+1 415 555 0142", "tel:+14155550142"),
        ("tel:+44 (0)20 7946 0958", "tel:+442079460958"),
        ("tel: +1 415 555 0142 ext. 204", "tel:+14155550142;ext=204"),
        ("TEL:020 7946 0958", "tel:02079460958"),
        (" https://acme.example/", "https://acme.example/"),
        (" tel: +1 415 555 0142 ", "tel:+14155550142"),
        ("\n  https://acme.example/a\n  b", "https://acme.example/a%20%20b"),
        ("HTTPS://Acme.Example/A", "https://acme.example/A"),
        ("https:acme.example/a", "https://acme.example/a"),
        ("https:///acme.example", "https://acme.example"),
        ("https://acme.example/a b?c=d e#f g", "https://acme.example/a%20b?c=d%20e#f%20g"),
        ("https://acme.example/100%25?a=%C3%A9", "https://acme.example/100%25?a=%C3%A9"),
        ("https://acme.example//shop", "https://acme.example//shop"),
        ("https://acme.example?a=b", "https://acme.example?a=b"),
        ("https://acme.example:8443/ä", "https://acme.example:8443/%C3%A4"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://straße.example", "https://xn--strae-oqa.example"),
    ],
)
def test_links_are_trimmed_and_escaped_as_browsers_do(written, kept):
    html, warnings = compiled(f'<p><a href="{written}">a</a></p>')

    assert (html, warnings) == (f'<p><a href="{kept}">a</a></p>', ())


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("http://acme.example/", "addresses start with https://, links may also start with mailto: or tel:"),
        ("www.acme.example", "addresses start with https://, links may also start with mailto: or tel:"),
        ("java\nscript:alert(1)", "addresses start with https://, links may also start with mailto: or tel:"),
        ("tel:call me", "what follows tel: is no phone number"),
        ("https://", "its host cannot be read, or could be read as another one"),
        ("https://ana@acme.example/", "its host cannot be read, or could be read as another one"),
        ("https://acme.example\\@evil.example/", "its host cannot be read, or could be read as another one"),
        ("https://\U0001f4a9.example/", "its host cannot be read, or could be read as another one"),
        ("https://acme<b.example/", "its host cannot be read, or could be read as another one"),
        ("https://acme .example/", "its host cannot be read, or could be read as another one"),
        ("https://acme.example:port/", "its host cannot be read, or could be read as another one"),
    ],
)
def test_a_link_that_goes_is_named_with_its_reason(written, reason):
    html, warnings = compiled(f'<p><a href="{written}">a</a></p>')

    assert html == "<p><a>a</a></p>"
    assert warnings == (f"The address “{written}” was removed: {reason}. Enter the full address.",)


@pytest.mark.parametrize(
    ("tag", "written", "kept"),
    [
        ("td", 'width="200px"', 'width="200"'),
        ("td", 'width="200 px"', 'width="200"'),
        ("td", 'width="33.3%"', 'width="33%"'),
        ("td", 'width="1.5in"', 'width="144"'),
        ("td", 'height="15pt"', 'height="20"'),
        ("td", 'valign="center"', 'valign="middle"'),
        ("td", 'bgcolor="FFCC00"', 'bgcolor="#FFCC00"'),
        ("td", 'bgcolor="rgb(255, 204, 0)"', 'bgcolor="#ffcc00"'),
        ("td", 'bgcolor=" #ffcc00 "', 'bgcolor="#ffcc00"'),
        ("td", 'colspan=" 2 "', 'colspan="2"'),
    ],
)
def test_attributes_are_read_as_they_were_meant(tag, written, kept):
    html, warnings = compiled(f"<table><tr><{tag} {written}>a</{tag}></tr></table>")

    assert html == f"<table><tbody><tr><{tag} {kept}>a</{tag}></tr></tbody></table>"
    assert [warning for warning in warnings if "removed" in warning] == []


@pytest.mark.parametrize(
    "written", ['width="auto"', 'width="20vw"', 'width="12345"', 'bgcolor="#12345"', 'valign="super"']
)
def test_an_attribute_that_cannot_be_read_goes_and_is_named(written):
    html, warnings = compiled(f"<table><tr><td {written}>a</td></tr></table>")

    assert html == "<table><tbody><tr><td>a</td></tr></tbody></table>"
    assert warnings == (f"The value of {written.split('=')[0]} in <td> is not allowed and was removed.",)


def test_a_paragraph_of_word_keeps_its_look():
    html, warnings = compiled(
        "<style><!--\n /* Style Definitions */\n p.MsoNormal, li.MsoNormal {margin:0in; margin-bottom:.0001pt;"
        ' font-size:11.0pt; font-family:"Calibri",sans-serif;}\n--></style>'
        "<p class=MsoNormal align=center style='text-align:center'><b><font color=\"#1F3864\" "
        "face=\"'Segoe UI',Arial\">{{ sender.name }}</font></b><o:p></o:p></p><center>Acme</center>"
    )

    assert html == (
        '<p style="margin: 0; margin-bottom: 0.0001pt; font-size: 11pt; '
        'font-family: \'Calibri\', sans-serif; text-align: center" align="center"><b>'
        '<font color="#1F3864" face="Segoe UI,Arial">{{ sender.name }}</font></b></p><center>Acme</center>'
    )
    assert [warning for warning in warnings if "hard to read" not in warning] == [
        "The tag <o:p> is not allowed and was removed."
    ]


def test_what_was_converted_is_what_is_sent():
    template = compile_template(
        '<table width="480px"><tr><td style="padding:0in;color:hsl(0,0%,20%)" bgcolor="FFF">'
        '<a href=" mailto:{{ sender.email }}?subject=Book a meeting ">{{ sender.name }}</a></td></tr></table>'
    )

    html = render_signature(template, {"sender.name": "Bo Li", "sender.email": "bo.li@acme.example"}).html

    assert html == (
        '<table width="480"><tbody><tr><td style="padding: 0; color: #333333" bgcolor="#FFF">'
        '<a href="mailto:bo.li@acme.example?subject=Book%20a%20meeting">Bo Li</a></td></tr></tbody></table>'
    )


@pytest.mark.parametrize(
    ("source", "html", "warning"),
    [
        (
            "<p><!--[if mso]>Outlook only<![endif]-->a</p>",
            "<p>a</p>",
            "What stands between <!--[if mso]> and <![endif]--> was left out: conditional comments are not kept.",
        ),
        (
            "<p><!--[if gte mso 9]><v:rect><![endif]-->a<!--[if gte mso 9]></v:rect><![endif]--></p>",
            "<p>a</p>",
            "What stands between <!--[if gte mso 9]> and <![endif]--> was left out: conditional comments are not kept.",
        ),
        (
            "<!--[if !mso]><!--><p>a</p><!--<![endif]-->",
            "<p>a</p>",
            "The condition <!--[if !mso]> was left out: what stands in it is shown in every mail client.",
        ),
        (
            "<!--[if !mso]>--><p>a</p><!--<![endif]-->",
            "<p>a</p>",
            "The condition <!--[if !mso]> was left out: what stands in it is shown in every mail client.",
        ),
        (
            "<p><![if !vml]>a<![endif]></p>",
            "<p>a</p>",
            "The condition <![if !vml]> was left out: what stands in it is shown in every mail client.",
        ),
        ("<p>a</p><!-- for Bo -->", "<p>a</p>", None),
    ],
)
def test_conditional_comments_are_named(source, html, warning):
    assert compiled(source) == (html, (warning,) if warning else ())


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('<div style="display:none">News for you</div>', "The hidden text “News for you”"),
        (
            '<div style="display:none !important;visibility:hidden;mso-hide:all;font-size:1px;line-height:1px;'
            'max-height:0;max-width:0;opacity:0;overflow:hidden">News for <b>you</b><br></div>',
            "The hidden text “News for you”",
        ),
        ('<span style="visibility: hidden">News</span>', "The hidden text “News”"),
        ('<span style="opacity:0">News</span>', "The hidden text “News”"),
        ('<div style="max-height:0px;overflow:hidden">News</div>', "The hidden text “News”"),
        ("<div hidden>News</div>", "The hidden text “News”"),
        ("<style>.pre{display:none}</style><p class=pre>News</p>", "The hidden text “News”"),
        (
            '<style>p{display:none!important}</style><p style="display:block">News</p>',
            "The hidden text “News”",
        ),
        ('<div style="display:none">Dear {{ sender.name }}</div>', "The hidden text “Dear …”"),
        (
            '<div style="display:none">{% if sender.phone %}<p>{{ sender.phone }}</p>{% endif %}</div>',
            "The hidden text “…”",
        ),
        ('<img style="display:none" src="https://acme.example/a.png" alt="">', "A hidden <img>"),
    ],
)
def test_what_is_hidden_goes_and_is_named(source, words, render):
    template = compile_template(f"{source}<div>{{{{ sender.name }}}}</div>")

    html = render_signature(template, {"sender.name": "Bo Li", "sender.phone": "+1 415 555 0142"}).html

    assert html == "<div>Bo Li</div>"
    assert template.warnings == (f"{words} was left out: a signature shows all that it holds.",)


@pytest.mark.parametrize(
    "style",
    ["opacity:.5", "overflow:hidden", "max-height:0", "visibility:visible", "mso-hide:all"],
)
def test_what_is_not_hidden_stays(style):
    html, _ = compiled(f'<style>p{{display:none}}</style><p style="display:block;{style}">a</p>')

    assert html == '<p style="display: block">a</p>'
