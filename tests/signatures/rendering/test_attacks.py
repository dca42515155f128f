"""Nobody's name, title or template makes a signature act: by family, and by property."""

from __future__ import annotations

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from signatures.authoring.starters import STARTERS
from signatures.rendering import TemplateError, compile_template, render_signature
from signatures.rendering.fields import BUILT_IN, CUSTOM_KINDS, CUSTOM_SAMPLES, Field, Source, Vocabulary
from signatures.rendering.sanitize import sanitize_signature, sanitize_template
from tests.support.allowed_markup import attribute_values, breaches, words
from tests.support.markup_attacks import ALL as ATTACKS

EVERYWHERE = compile_template(
    '<table><tr><td><img src="{{ sender.photo_url }}" alt="{{ sender.name }}" width="72"></td>'
    '<td style="color: {{ company.accent }}" title="{{ sender.title }}">{{ sender.name }}, {{ sender.title }}<br>'
    '<a href="{{ company.website }}">{{ company.name }}</a> <a href="mailto:{{ sender.email }}">{{ sender.email }}</a> '
    '<a href="tel:{{ sender.phone }}">{{ sender.phone }}</a> '
    '<a href="https://acme.example/?q={{ sender.custom1 }}#{{ sender.custom2 }}">x</a></td></tr></table>'
    "<p>{{ sender.custom3 }}{{ sender.custom4 }}{{ sender.custom5 | truncate: 5 }}</p>"
)
# Enough of every kind of trouble that hypothesis finds their combinations quickly.
_TROUBLE = st.text(
    st.sampled_from("<>&\"'{}%#;:=/\\ ax1\n\r\t\x00\u00a0\u202e\ue000\ue001\ue002\ud800·,|()&lt")
)
_VALUE = st.one_of(st.none(), st.text(), _TROUBLE, st.sampled_from(ATTACKS))
_VALUES = st.dictionaries(st.sampled_from([field.name for field in BUILT_IN.fields]), _VALUE)


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_as_every_value_is_shown_as_text_or_not_at_all(attack):
    values = {field.name: attack for field in BUILT_IN.fields} | {"sender.title": "Sales"}

    signature = render_signature(EVERYWHERE, values)

    assert breaches(signature.html) == []
    assert not {"{{", "}}", "{%"} & {signature.html[at : at + 2] for at in range(len(signature.html))}
    addresses = [value for name, value in attribute_values(signature.html) if name in ("href", "src")]
    assert all(address.startswith("https://acme.example/?q=") for address in addresses)
    assert "Sales" in words(signature.html)


# What no template can be made of; every other attack is saved, without what is wrong in it.
REFUSED = {
    *(attack for attack in ATTACKS if attack.startswith("{{") and "sender.email" not in attack),
    *(attack for attack in ATTACKS if attack.startswith("{%")),
    *(
        attack
        for attack in ATTACKS
        if any(each in attack for each in ("\x00", "\ud800", "\ue000", "\ue010", "&#1;"))
    ),
    "&#123;&#123; sender.email &#125;&#125;",
    # Tags and styles without an end, and too deep a nest.
    "<b" + "<b" * 50,
    "<div>" * 300 + "x",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
}


SAVED = [attack for attack in ATTACKS if attack not in REFUSED]


def try_out(attack: str) -> str | None:
    """Return the signature of a template that holds `attack`, or None where it is refused."""
    try:
        template = compile_template(f"<p>Sales</p>{attack}")
    except TemplateError:
        return None
    return render_signature(template, {"sender.email": "bo.li@acme.example"}).html


@pytest.mark.parametrize("attack", ATTACKS)
def test_i1_i2_i3_an_attack_as_template_is_refused_or_disarmed(attack):
    html = try_out(attack)

    assert (html is None) == (attack in REFUSED)
    if html is not None:
        assert breaches(html) == []
        assert not any("alert" in value or "evil" in value for _, value in attribute_values(html))
        assert words(html).startswith("Sales")


@pytest.mark.parametrize("attack", ATTACKS)
def test_sanitizing_twice_changes_nothing(attack):
    once = sanitize_signature(attack.encode("utf-8", "ignore").decode())

    assert sanitize_signature(once) == once
    assert breaches(once) == []


@settings(max_examples=400)
@given(_VALUES)
def test_i3_values_never_become_markup_or_template_code(values):
    # With one value that fits there is always something to show.
    signature = render_signature(EVERYWHERE, values | {"sender.custom3": "Bo Li"})

    assert "Bo Li" in words(signature.html)
    assert breaches(signature.html) == []
    assert "{" not in signature.html
    assert "}" not in signature.html
    assert sanitize_signature(signature.html) == signature.html
    assert not any("\ue000" <= character <= "\uf8ff" for character in signature.html)


@settings(max_examples=300)
@given(st.lists(st.one_of(st.sampled_from(ATTACKS), _TROUBLE), max_size=4).map("".join))
def test_i2_any_source_is_refused_or_compiled_and_nothing_else(source):
    try:
        compile_template(source)
    except TemplateError as error:
        assert error.message.endswith((".", "?"))


@settings(max_examples=300)
@given(st.lists(st.sampled_from(SAVED), max_size=4).map("".join))
def test_i2_what_is_saved_renders_inside_the_allow_list(attacks):
    try:
        template = compile_template(f"<p>Sales</p>{attacks}")
    except TemplateError:
        reject()  # Hypothesis fails where that happens too often

    signature = render_signature(template, {"sender.email": "bo.li@acme.example", "sender.name": "Bo"})

    assert breaches(signature.html) == []
    assert sanitize_signature(signature.html) == signature.html


@settings(max_examples=300)
@given(st.one_of(_TROUBLE, st.lists(st.sampled_from(ATTACKS), max_size=3).map("".join)))
def test_sanitizers_are_stable_on_a_second_pass(html):
    html = html.encode("utf-8", "ignore").decode()

    for clean in (sanitize_signature, sanitize_template):
        once = clean(html)
        assert clean(once) == once


@settings(max_examples=60)
@given(_VALUES, st.sampled_from(STARTERS))
def test_starters_render_for_anybody(values, starter):
    values = values | {"sender.name": "Bo Li"}

    signature = render_signature(compile_template(starter.source), values)

    assert "Bo Li" in signature.text
    assert breaches(signature.html) == []


CUSTOM = Vocabulary(
    (
        *BUILT_IN.fields,
        *(
            Field(f"sender.x_{kind}_own", label, trust, Source.PORTAL, CUSTOM_SAMPLES[trust], "")
            for kind, (label, trust) in CUSTOM_KINDS.items()
        ),
    )
)
OWN = compile_template(
    '<p><img src="{{ sender.x_image_own }}" alt="{{ sender.x_text_own }}" width="72">{{ sender.x_long_own }}</p>'
    '<p><a href="{{ sender.x_url_own }}">{{ sender.x_text_own }}</a> {{ sender.x_date_own }}</p>'
    '<p><a href="mailto:{{ sender.x_email_own }}">{{ sender.x_email_own }}</a>'
    ' <a href="tel:{{ sender.x_phone_own }}">{{ sender.x_phone_own }}</a> {{ sender.name }}</p>',
    CUSTOM,
)


@given(st.dictionaries(st.sampled_from([field.name for field in CUSTOM.fields]), _VALUE))
def test_any_value_of_a_custom_field_stays_inside_the_allow_list(values):
    signature = render_signature(OWN, {**values, "sender.name": "Bo Li"}, CUSTOM)

    assert breaches(signature.html) == []
    assert sanitize_signature(signature.html) == signature.html


@pytest.mark.parametrize(
    "source",
    [
        '<a href="{{ sender.x_image_own }}">{{ sender.name }}</a>',
        '<img src="{{ sender.x_text_own }}" alt="">',
        '<p style="color: {{ sender.x_text_own }}">{{ sender.name }}</p>',
        "<p>{{ sender.x_text_other }}</p>",
    ],
)
def test_a_custom_field_stands_only_where_its_kind_may(source):
    with pytest.raises(TemplateError):
        compile_template(source, CUSTOM)
