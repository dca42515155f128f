"""The starters for three senders, byte for byte. A change here is a change in everybody's mail."""

from __future__ import annotations

from pathlib import Path

import pytest

from signatures.authoring.starters import STARTERS
from signatures.rendering import compile_template, render_signature

GOLDEN = Path(__file__).with_name("golden")


@pytest.mark.parametrize("sender", ["full", "sparse", "minimal"])
@pytest.mark.parametrize("starter", STARTERS, ids=lambda starter: starter.slug)
def test_a_starter_looks_as_it_did(starter, sender, senders):
    signature = render_signature(compile_template(starter.source), senders[sender])

    assert signature.html + "\n" == (GOLDEN / f"{starter.slug}-{sender}.html").read_text("utf-8")
    assert signature.text + "\n" == (GOLDEN / f"{starter.slug}-{sender}.txt").read_text("utf-8")
