"""When two signatures read the same."""

from __future__ import annotations

import pytest

from signatures.delivery.digest import digest, reads_the_same

OURS = '<table><tr><td><b>Nia Park</b><br>Clerk</td><td><a href="https://acme.example/?a=1&amp;b=2">Acme</a></td></tr></table>'


@pytest.mark.parametrize(
    "other",
    [
        OURS.replace('"', "'"),
        f"<div class='wrapper'>\n{OURS}\n</div>",
        OURS.replace("<br>", "<br />").replace("<b>", "<strong>").replace("</b>", "</strong>"),
        OURS.replace("?a=1&amp;b=2", "?a=1&#38;b=2"),
    ],
)
def test_rewritten_markup_reads_the_same(other):
    assert reads_the_same(OURS, other)
    assert digest(OURS) != digest(other)


@pytest.mark.parametrize(
    "other",
    [
        OURS.replace("Clerk", "Head clerk"),
        OURS.replace("acme.example", "evil.example"),
        OURS.replace("</table>", "</table><img src='https://evil.example/x.png'>"),
        "",
    ],
)
def test_edited_words_links_and_pictures_read_differently(other):
    assert not reads_the_same(OURS, other)
