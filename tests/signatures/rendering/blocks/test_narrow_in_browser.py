"""The shipped designs in a narrow window: what stands beside a rule keeps its distance from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from signatures.rendering import compile_template, render_signature
from signatures.rendering.blocks import Columns, Design, write_design
from signatures.rendering.blocks.designs import DESIGNS
from signatures.rendering.fields import BUILT_IN
from tests.support.browser_checks import open_chromium

pytestmark = pytest.mark.browser

IMAGE = '<svg xmlns="http://www.w3.org/2000/svg" width="192" height="192"/>'
# Of each cell with a rule, how far the words of the column behind it are from the rule.
MEASURE = """() => [...document.querySelectorAll("td")].flatMap((cell) => {
  const sides = getComputedStyle(cell);
  const side = ["left", "right"].find((name) => parseFloat(sides[`border-${name}-width`]) > 0);
  if (!side) return [];
  let behind = cell.nextElementSibling;
  while (behind && !behind.querySelector("table")) behind = behind.nextElementSibling;
  const [rule, words] = [cell.getBoundingClientRect(), behind.querySelector("table").getBoundingClientRect()];
  return [Math.round(side === "right" ? words.left - rule.right : rule.left - words.right)];
})"""


def has_rule(design: Design) -> bool:
    return any(isinstance(block, Columns) and block.rule != "none" for block in design.blocks)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_chromium() as started:
        yield started


@pytest.mark.parametrize(
    "shipped", [one for one in DESIGNS if has_rule(one.design)], ids=lambda shipped: shipped.slug
)
def test_words_keep_their_distance_from_a_rule_in_a_narrow_window(browser: Browser, shipped) -> None:
    # A banner is as wide as it is, or as a mail program makes it.
    values = {name: text for name, text in BUILT_IN.sample_values.items() if not name.startswith("banner.")}
    signature = render_signature(compile_template(write_design(shipped.design)), values)
    distances = {}
    for width in (1280, 320):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.route("https://**", lambda route: route.fulfill(body=IMAGE, content_type="image/svg+xml"))
        page.set_content(signature.html)
        distances[width] = page.evaluate(MEASURE)
        page.close()

    assert distances[320] == distances[1280] != []
    assert min(distances[320]) >= 8
