"""What holds for every design, and for every design that somebody edited by hand."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from signatures.rendering import TemplateError, compile_template, render_signature
from signatures.rendering.blocks import (
    Banner,
    Button,
    Code,
    Columns,
    Contact,
    Design,
    Disclaimer,
    Name,
    NotBlocks,
    Picture,
    Theme,
    Title,
    Words,
    dump_block,
    dump_settings,
    load_block,
    load_theme,
    read_design,
    write_design,
)
from signatures.rendering.errors import RenderRefused
from signatures.rendering.fields import BUILT_IN
from signatures.rendering.sanitize import sanitize_signature
from tests.support.allowed_markup import breaches

from .strategies import designs

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
FULL = BUILT_IN.sample_values
SENDERS = (
    FULL,
    {"sender.name": "Bo Li", "sender.email": "bo.li@acme.example"},
    {
        name: f"\"><b>'{{{{ {value}" if "@" not in value and "https" not in value else value
        for name, value in FULL.items()
    },
    {},
)
REAL = Design(
    Theme(),
    (
        Columns(
            lists=(
                (Picture(gap="tight", image="photo", width=72, shape="round", alt="{{ sender.name }}"),),
                (Name(), Title(), Contact(when="sender.email"), Button(words="Book a time")),
            ),
            rule="accent",
        ),
        Banner(),
        Words(text="**Acme** {{ company.tagline }}", when="company.tagline"),
        Code(
            markup='<tr><td class="words">{{ sender.title }}</td></tr>', when="sender.title", former=Title()
        ),
        Disclaimer(),
    ),
)
SOURCE = write_design(REAL)
SNIPPETS = [
    "x",
    " ",
    "\n",
    "<",
    ">",
    "&",
    '"',
    "{",
    "}",
    "-",
    "<!--",
    "-->",
    "<!-- note -->",
    "<!-- /name -->",
    "<!-- blocks -->",
    "<tr><td>{{ sender.mobile }}</td></tr>",
    "{% if sender.mobile %}",
    "{% endif %}",
    "{% comment %}",
    "{% endcomment %}",
    "{{ sender.title }}",
    "<b>",
    "</td>",
    "<style>",
    "</style>",
    "\u00e9",
    "0",
]


@QUICK
@given(designs(is_whole=False))
def test_a_design_is_read_as_it_was_written(design):
    source = write_design(design)

    assert read_design(source) == design
    assert read_design(source.replace("\n", "\r\n")) == design


@QUICK
@given(designs(is_whole=False))
def test_a_design_is_loaded_as_it_was_dumped(design):
    theme = load_theme(dump_settings(design.theme))
    blocks = tuple(load_block(dump_block(block)) for block in design.blocks)

    assert Design(theme, blocks) == design


@QUICK
@given(designs())
def test_whatever_its_settings_and_the_sender_say_a_design_stays_inside_the_allow_list(design):
    template = _compile(write_design(design))
    if template is None:
        return

    for sender in SENDERS:
        try:
            html = render_signature(template, sender).html
        except RenderRefused as refusal:
            assert refusal.code == "empty"
        else:
            assert sanitize_signature(html) == html
            assert breaches(html) == []


def _edits() -> st.SearchStrategy[str]:
    at = st.integers(0, len(SOURCE))
    inserted = st.tuples(at, st.sampled_from(SNIPPETS)).map(
        lambda made: SOURCE[: made[0]] + made[1] + SOURCE[made[0] :]
    )
    removed = st.tuples(at, st.integers(1, 400)).map(
        lambda made: SOURCE[: made[0]] + SOURCE[made[0] + made[1] :]
    )
    replaced = st.tuples(at, st.integers(1, 30), st.sampled_from(SNIPPETS)).map(
        lambda made: SOURCE[: made[0]] + made[2] + SOURCE[made[0] + made[1] :]
    )
    moved = st.tuples(at, st.integers(1, 400), at).map(_move)
    marks = [found.start() for found in re.finditer("<!-- ", SOURCE)]
    pairs = st.tuples(st.sampled_from(marks), st.sampled_from(marks))
    rows = pairs.map(lambda made: SOURCE[: min(made)] + SOURCE[max(made) :])
    return st.one_of(inserted, inserted, removed, replaced, moved, rows)


def _move(made: tuple[int, int, int]) -> str:
    start, length, to = made
    piece, rest = SOURCE[start : start + length], SOURCE[:start] + SOURCE[start + length :]
    return rest[:to] + piece + rest[to:]


@settings(QUICK, max_examples=120)
@given(_edits())
@example(SOURCE.replace("<!-- /name -->", "x<!-- /name -->"))
@example(SOURCE.replace("<!-- /title -->", "<!-- /title -->\n<tr><td>{{ sender.mobile }}</td></tr>"))
@example(SOURCE.replace('"size": 17', '"size": 18'))
@example(SOURCE.replace("vertical-align: top", "vertical-align: middle"))
def test_opening_as_blocks_and_saving_changes_nothing_that_recipients_see(edited):
    design = read_design(edited)
    if isinstance(design, NotBlocks):
        assert 1 <= design.line <= edited.count("\n") + 1
        assert design.reason.endswith(".")
        return
    saved = write_design(design)

    assert read_design(saved) == design
    before, after = _compile(edited), _compile(saved)
    # What was typed into a comment may be refused, and is gone once it was saved.
    if before is not None:
        assert after is not None
        assert [_render(before, sender) for sender in SENDERS] == [
            _render(after, sender) for sender in SENDERS
        ]


def _compile(source: str):
    """Return the template, or None where it is refused."""
    try:
        return compile_template(source)
    except TemplateError:
        return None


def _render(template, sender) -> str:
    """Return the signature without blanks between tags, or why it is refused."""
    try:
        return re.sub(r"\s*(<[^<>]*>)\s*", r"\1", render_signature(template, sender).html)
    except RenderRefused as refusal:
        return refusal.code


def test_none_of_the_designs_that_the_edits_start_from_is_refused():
    template = compile_template(SOURCE)

    assert template.warnings == ()
