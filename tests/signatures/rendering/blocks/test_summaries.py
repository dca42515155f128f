"""A block in a few words, as a list of blocks shows it."""

from __future__ import annotations

import pytest

from signatures.rendering.blocks import (
    BLOCKS,
    Banner,
    Button,
    Code,
    Columns,
    Contact,
    Disclaimer,
    Divider,
    Name,
    Picture,
    Social,
    Space,
    Theme,
    Title,
    Words,
    summarize_block,
    summarize_theme,
)


@pytest.mark.parametrize(
    ("block", "summary"),
    [
        (Name(), "17 px, with pronouns"),
        (Name(size=14, pronouns=False), "14 px"),
        (Title(company="below"), "With company"),
        (Title(company="none"), "Without company"),
        (Contact(), "Phone, Mobile, E-mail"),
        (Picture(image="photo", width=60, shape="round"), "Sender’s photo, 60 px, round"),
        (Picture(image="https://acme.example/a.png"), "Image of your own, 96 px"),
        (Button(words="Book", when="sender.calendar_url"), "Book · only if Calendar link"),
        (Social(), "LinkedIn, Website"),
        (Words(text="Dear\nall, " + "x" * 99), "Dear all, " + "x" * 49 + "…"),
        (Disclaimer(), "11 px"),
        (Banner(), ""),
        (Divider(), "1 px"),
        (Space(), "12 px"),
        (Columns(rule="accent"), "2 columns, line between"),
        (Columns(lists=((), (), ())), "3 columns"),
        (Code(), ""),
        (Code(former=Title()), "Title, changed by hand"),
    ],
)
def test_a_block_is_told_from_others_in_a_few_words(block, summary):
    assert summarize_block(block) == summary


def test_every_block_and_the_theme_have_a_summary():
    assert all(isinstance(summarize_block(kind()), str) for kind in BLOCKS.values())
    assert summarize_theme(Theme(font="georgia", size=14)) == "Georgia, 14 px, 480 px wide"
