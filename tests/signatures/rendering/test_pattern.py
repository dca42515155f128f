"""Patterns: what they prove without the sanitizer is what the sanitizer leaves as it is, and nothing else is proven."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signatures.authoring.starters import STARTERS
from signatures.rendering import compile_template, pattern
from signatures.rendering.context import build_context
from signatures.rendering.fields import BUILT_IN
from signatures.rendering.missing_values import settle_lines
from signatures.rendering.pattern import Pattern
from signatures.rendering.sanitize import sanitize_signature

TEMPLATES = [compile_template(starter.source) for starter in STARTERS]
HOSTILE = [
    "<b>",
    '"',
    "' onload=x ",
    "&lt;",
    "{{x}}",
    "{%",
    "\ue000",
    "\ufeff",
    "\r",
    "javascript:alert(1)",
    "\u202e",
]
TEXTS = st.text(max_size=12) | st.sampled_from(HOSTILE)


@pytest.mark.parametrize("template", TEMPLATES, ids=[starter.slug for starter in STARTERS])
def test_every_shipped_template_is_proven_for_the_sample_person(template) -> None:
    context = build_context(BUILT_IN.sample_values)

    pattern, values = settle_lines(template.parsed().render(**context.scope))

    own = [context.value("banner.image_url"), context.value("banner.click_url")]
    assert pattern.is_proven(values, own)
    assert not pattern.is_proven([*values[:-1], "<b>"], own)


@given(data=st.data())
def test_what_is_proven_is_what_the_sanitizer_leaves_as_it_is(data: st.DataObject) -> None:
    template = data.draw(st.sampled_from(TEMPLATES))
    drawn = {name: data.draw(TEXTS | st.just(BUILT_IN.sample_values[name])) for name in template.fields}

    pattern, values = settle_lines(template.parsed().render(**build_context(drawn).scope))

    html = pattern.fill(values)
    if pattern.is_proven(values, []):
        assert sanitize_signature(html) == html


@given(at=st.integers(min_value=0), value=TEXTS)
def test_a_value_that_no_check_has_seen_is_not_proven_unless_the_sanitizer_keeps_it(
    at: int, value: str
) -> None:
    pattern, values = settle_lines(
        TEMPLATES[0].parsed().render(**build_context(BUILT_IN.sample_values).scope)
    )
    values[at % len(values)] = value

    if pattern.is_proven(values, []):
        html = pattern.fill(values)
        assert sanitize_signature(html) == html


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ('<p><a href="{{ sender.linkedin_url }}">x</a></p>', ["javascript:alert(1)"]),
        ('<p><a href="{{ sender.linkedin_url }}">x</a></p>', ['https://a.example/" title="x']),
        (
            '<p><img src="{{ sender.photo_url }}" alt="{{ sender.name }}"></p>',
            ["http://a.example/a.png", "A"],
        ),
        (
            '<p><img src="{{ sender.photo_url }}" alt="{{ sender.name }}"></p>',
            ["https://a.example/a.png", 'A" b="'],
        ),
        ('<p style="color: {{ company.accent }}">x</p>', ["url(https://a.example/)"]),
        ("<p>{{ sender.name }}</p>", ["A <script>"]),
        ("<p>{{ sender.name }}</p>", ["{{ x }}"]),
        ("<p>{{ sender.name }}</p>", ["\ue001"]),
    ],
)
def test_markup_in_a_value_and_addresses_that_are_not_allowed_are_not_proven(
    source: str, values: list[str]
) -> None:
    fits = {"sender.linkedin_url": "https://a.example/", "sender.photo_url": "https://a.example/a.png"}
    fits |= {"sender.name": "Ana", "company.accent": "#2b4acb"}
    pattern, good = settle_lines(compile_template(source).parsed().render(**build_context(fits).scope))

    assert pattern.is_proven(good, [])
    assert not pattern.is_proven(values, [])


@pytest.mark.parametrize(
    "texts",
    [
        ('<p onclick="x">', "</p>"),
        ('<p title="a" title="b">', "</p>"),
        ("<script>", "</script>"),
        ("<table>", "</table>"),
        ("<p>{{", "</p>"),
        ('<p><a href="https://a.example/">', "</p>"),
    ],
)
def test_fixed_markup_that_is_not_allowed_proves_nothing(texts: tuple[str, ...]) -> None:
    assert not Pattern(texts, ((0, False),)).is_proven(["Ana"], [])


def test_a_value_inside_a_tag_and_outside_of_quotes_proves_nothing() -> None:
    assert not Pattern(("<p ", ">x</p>"), ((0, True),)).is_proven(["Ana"], [])


def test_only_the_senders_own_banner_may_hold_a_variable() -> None:
    address = "https://signatures.acme.example/b/" + "k" * 22 + "@2x.png?r={{email}}"
    pattern = Pattern(('<p><img src="', '" alt=""></p>'), ((0, True),))

    assert pattern.is_proven([address], [address])
    assert not pattern.is_proven([address], [])


@given(
    address=st.from_regex(pattern._PLAIN_MAILTO, fullmatch=True),
    tag=st.sampled_from(["a", "img", "td"]),
    name=st.sampled_from(["href", "src"]),
)
def test_a_plain_mail_address_is_kept_where_the_one_tried_in_its_place_is(address, tag, name) -> None:
    is_kept = pattern._is_kept.__wrapped__

    assert is_kept(tag, name, address) == is_kept(tag, name, pattern.MAILTO)
    assert is_kept("a", "href", address)
    assert not is_kept("a", "href", address.replace("mailto:", "javascript:"))
