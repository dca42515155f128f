"""The allow-list element by element: what is on it stays as it is, and everything else HTML knows goes."""

from __future__ import annotations

import pytest

from signatures.rendering.sanitize import sanitize_signature
from tests.support.allowed_markup import ATTRIBUTES, TAGS, attribute_values, split

# Elements of the HTML standard and of browsers before it, and of SVG and MathML, which are not on the list.
DROPPED = split(
    "abbr acronym address area article aside audio base basefont bdi bdo bgsound big blink body button canvas "
    "caption cite code col colgroup data datalist dd del details dfn dialog dir dl dt embed fencedframe fieldset "
    "figcaption figure footer form frame frameset head header hgroup html image input ins isindex kbd keygen "
    "label legend link listing main map mark marquee menu menuitem meta meter multicol nav nextid nobr optgroup "
    "option output param picture portal pre progress q rb rp rt rtc ruby samp search section slot source spacer "
    "strike summary time track tt var video wbr x-unknown"
)
# Those whose content is program or foreign markup, so that it goes with them.
EMPTIED = split(
    "applet iframe math noembed noframes noscript object plaintext script select style svg template textarea "
    "title xmp"
)
VOID = {"br", "hr", "img"}
TABLE_PARTS = {
    "tr": "<table><tbody>{}</tbody></table>",
    "td": "<table><tbody><tr>{}</tr></tbody></table>",
    "th": "<table><tbody><tr>{}</tr></tbody></table>",
    **dict.fromkeys(("tbody", "thead", "tfoot"), "<table>{}</table>"),
}
INNER = {
    "table": "<tbody></tbody>",
    **dict.fromkeys(("tbody", "thead", "tfoot"), "<tr></tr>"),
    "tr": "<td>a</td>",
}
# Attributes that fetch, act, name or submit, and those that stand for whatever else there is.
NEVER = split(
    "accesskey action archive autofocus background cite class classid code codebase contenteditable data download "
    "draggable dynsrc form formaction formmethod http-equiv id imagesizes imagesrcset is itemid itemprop itemref "
    "longdesc lowsrc name nonce onauxclick onclick onerror onfocus onload onmouseover ontoggle part ping poster "
    "profile rel sizes slot srcdoc srcset tabindex target usemap x-unknown xlink:href xml:base xmlns"
)


def build(tag: str, attributes: str = "") -> str:
    inner = INNER.get(tag, "a")
    element = f"<{tag}{attributes}>" if tag in VOID else f"<{tag}{attributes}>{inner}</{tag}>"
    return TABLE_PARTS.get(tag, "{}").format(element)


@pytest.mark.parametrize("tag", sorted(TAGS))
def test_an_element_of_the_list_stays(tag):
    assert sanitize_signature(build(tag)) == build(tag)


@pytest.mark.parametrize("tag", DROPPED)
def test_any_other_element_goes_and_words_in_it_stay_words(tag):
    assert f"<{tag}" not in sanitize_signature(f"<p>before</p><{tag}>words</{tag}><p>behind</p>")
    assert "before" in sanitize_signature(f"<p>before</p><{tag}>words</{tag}>")


@pytest.mark.parametrize("tag", EMPTIED)
def test_what_is_no_words_goes_with_its_element(tag):
    cleaned = sanitize_signature(f"<p>before</p><{tag}>secret</{tag}>")

    assert cleaned == "<p>before</p>"


@pytest.mark.parametrize(
    ("tag", "name", "value"),
    [
        (tag, name, value)
        for tag in sorted(TAGS)
        for name, value in (ATTRIBUTES["*"] | ATTRIBUTES.get(tag, {})).items()
    ],
)
def test_an_attribute_of_the_list_stays_where_it_belongs(tag, name, value):
    cleaned = sanitize_signature(build(tag, f' {name}="{value}"'))

    kept = dict(attribute_values(cleaned))
    assert kept.keys() == {name}
    assert kept[name].rstrip(";") == value


@pytest.mark.parametrize("tag", sorted(TAGS))
def test_no_other_attribute_stays(tag):
    own = ATTRIBUTES["*"] | ATTRIBUTES.get(tag, {})
    elsewhere = {name: value for of in ATTRIBUTES.values() for name, value in of.items() if name not in own}

    for name, value in {**dict.fromkeys(NEVER, "https://acme.example/"), **elsewhere}.items():
        assert attribute_values(sanitize_signature(build(tag, f' {name}="{value}"'))) == [], name


@pytest.mark.parametrize(
    ("tag", "name", "value"),
    [
        ("p", "align", "char"),
        ("td", "valign", "super"),
        ("p", "dir", "up"),
        ("p", "lang", "en_GB"),
        ("p", "lang", "e" * 36),
        ("td", "bgcolor", "#12345"),
        ("td", "bgcolor", "url(x)"),
        ("font", "color", "#ggg"),
        ("font", "color", "re"),
        ("font", "face", "Arial; x"),
        ("font", "face", "a" * 121),
        ("font", "size", "100"),
        ("img", "width", "10000"),
        ("img", "height", "1.5"),
        ("img", "height", "10%%"),
        ("img", "border", "100"),
        ("table", "cellpadding", "1000"),
        ("table", "cellspacing", "-1"),
        ("table", "role", "button"),
        ("td", "colspan", "100"),
        ("td", "rowspan", "100"),
        ("td", "nowrap", "yes"),
        ("img", "src", "http://acme.example/a.png"),
        ("img", "src", "mailto:ana@acme.example"),
        ("img", "src", "data:image/png;base64,AA"),
        ("img", "src", "//acme.example/a.png"),
        ("img", "src", "a.png"),
        ("a", "href", "http://acme.example/"),
        ("a", "href", "https:acme.example"),
        ("a", "href", "https:/acme.example"),
        ("a", "href", "https://"),
        ("a", "href", "https://acme.example@evil.example/"),
        ("a", "href", "https://acme.example\\@evil.example/"),
        ("a", "href", "https://acme.example/\t/"),
        ("a", "href", "https://[acme.example/"),
        ("a", "href", "tel:one"),
        ("a", "href", "tel:+1;ext=x"),
        ("a", "href", "sms:+15550100"),
        ("a", "href", "#top"),
    ],
)
def test_a_value_outside_its_bounds_goes_with_its_attribute(tag, name, value):
    assert attribute_values(sanitize_signature(build(tag, f' {name}="{value}"'))) == []


@pytest.mark.parametrize(
    ("tag", "name", "value"),
    [
        ("p", "lang", "e" * 35),
        ("td", "bgcolor", "#12345678"),
        ("font", "face", "a" * 120),
        ("font", "size", "-99"),
        ("img", "width", "9999"),
        ("img", "height", "100%"),
        ("img", "border", "99"),
        ("table", "cellpadding", "999"),
        ("table", "role", "none"),
        ("td", "colspan", "99"),
        ("td", "nowrap", ""),
        ("td", "valign", "BASELINE"),
        ("a", "href", "mailto:ana@acme.example"),
        ("a", "href", "tel:+1(555).0100;ext=12"),
        ("a", "href", "TEL:*100#"),
        ("a", "href", "https://acme.example:8443/a?b=c#d"),
    ],
)
def test_a_value_at_its_bounds_stays(tag, name, value):
    assert attribute_values(sanitize_signature(build(tag, f' {name}="{value}"'))) == [(name, value)]
