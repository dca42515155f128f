"""The shipped templates keep their spacing in Outlook for Windows, which gives padding to table cells only."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from signatures.authoring.starters import STARTERS
from signatures.rendering import compile_template, render_signature
from signatures.rendering.fields import BUILT_IN
from signatures.rendering.tree import Element, read_tree, write_tree


class _Padded(HTMLParser):
    """Collects the tags whose style pads or spaces them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for declaration in (dict(attrs).get("style") or "").split(";"):
            name, _, value = declaration.partition(":")
            if name.strip().startswith(("padding", "margin")) and value.strip() != "0":
                self.found.append((tag, declaration.strip()))


def _padded(html: str) -> Iterator[tuple[str, str]]:
    reader = _Padded()
    reader.feed(html)
    yield from reader.found


@pytest.mark.parametrize("starter", STARTERS, ids=lambda starter: starter.slug)
def test_padding_stands_on_cells_only(starter):
    signature = render_signature(compile_template(starter.source), BUILT_IN.sample_values)

    padded = list(_padded(signature.html))

    assert (padded != []) is (starter.slug != "compact-reply")
    assert [(tag, declaration) for tag, declaration in padded if tag != "td"] == []


@pytest.mark.parametrize("starter", STARTERS, ids=lambda starter: starter.slug)
def test_each_missing_value_leaves_no_row_behind(starter):
    signature = render_signature(compile_template(starter.source), {"sender.name": "Bo Li"})

    rows = [
        node for node in read_tree(signature.html).walk() if isinstance(node, Element) and node.tag == "tr"
    ]

    assert signature.text == "Bo Li"
    assert [row for row in rows if not row.has_content and "border-top" not in write_tree(row)] == []
