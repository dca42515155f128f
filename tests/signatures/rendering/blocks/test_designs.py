"""The shipped designs, byte for byte for three senders. A change here is a change in everybody's mail."""

from __future__ import annotations

from pathlib import Path

import pytest

from signatures.rendering import compile_template, render_signature
from signatures.rendering.blocks import Banner, Disclaimer, read_design, walk, write_design
from signatures.rendering.blocks.designs import DESIGNS
from signatures.rendering.fields import BUILT_IN, Trust
from signatures.rendering.sanitize import sanitize_signature
from tests.support.allowed_markup import breaches

GOLDEN = Path(__file__).with_name("golden")
HOSTILE = "\"'><script>alert(1)</script>{{ sender.email }}{% if %}<!-- /name -->\u202e"
SENDERS: dict[str, dict[str, str]] = {
    "full": BUILT_IN.sample_values,
    "minimal": {"sender.name": "Bo Li", "sender.email": "bo.li@acme.example"},
    "hostile": {
        field.name: HOSTILE if field.trust is Trust.TEXT else f"{field.sample}{HOSTILE}"
        for field in BUILT_IN.fields
    },
}

each_design = pytest.mark.parametrize("shipped", DESIGNS, ids=lambda shipped: shipped.slug)


@pytest.mark.parametrize("sender", SENDERS)
@each_design
def test_a_design_looks_as_it_did(shipped, sender):
    signature = render_signature(compile_template(write_design(shipped.design)), SENDERS[sender])

    name = f"{shipped.slug}-{sender}"
    assert signature.html + "\n" == (GOLDEN / f"{name}.html").read_text("utf-8")
    assert signature.text + "\n" == (GOLDEN / f"{name}.txt").read_text("utf-8")
    assert sanitize_signature(signature.html) == signature.html
    assert breaches(signature.html) == []


@each_design
def test_a_design_has_no_warnings_and_is_small(shipped):
    source = write_design(shipped.design)

    assert compile_template(source).warnings == ()
    assert len(source) < 6_000
    assert read_design(source) == shipped.design


def test_designs_are_told_apart_by_slug_and_name():
    assert (
        len({shipped.slug for shipped in DESIGNS})
        == len({shipped.name for shipped in DESIGNS})
        == len(DESIGNS)
    )
    assert len(DESIGNS) >= 10


@each_design
def test_every_design_but_the_reply_has_a_banner_slot_and_a_disclaimer(shipped):
    blocks = {type(block) for _, block in walk(shipped.design)}

    assert ({Banner, Disclaimer} <= blocks) is (shipped.slug != "compact-reply")


def test_a_design_from_right_to_left_says_so_and_starts_on_the_right():
    (shipped,) = [shipped for shipped in DESIGNS if shipped.slug == "right-to-left"]

    html = render_signature(compile_template(write_design(shipped.design)), SENDERS["full"]).html

    assert html.startswith("<table") and 'dir="rtl"' in html[: html.index(">")]
    assert '<span dir="ltr"><a href="tel:' in html
    assert "padding-left: 16px; border-left: 1px" in html
