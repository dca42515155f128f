"""The tokens of decisions."""

from __future__ import annotations

import pytest

from signatures.decisions.tokens import make_token, read_token

pytestmark = pytest.mark.usefixtures("fresh_serving")


def test_decision_tokens_are_read_by_those_who_can_make_them_only(settings):
    tokens = {number: make_token(number) for number in (1, 255, 256, 2**40)}
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another-" + "s" * 50

    assert {number: read_token(token) for number, token in tokens.items()} == {
        number: number for number in tokens
    }
    settings.SECRET_KEY_FALLBACKS = []
    assert [read_token(token) for token in tokens.values()] == [None] * 4
    mine = make_token(7)
    spoilt = [
        mine[:-1],
        mine + "A",
        mine.swapcase(),
        "",
        "é" * 12,
        "A" * 5_000,
        mine + "=",
        "." + mine,
        mine[:6] + " " + mine[6:],
    ]
    assert [read_token(token) for token in spoilt] == [None] * len(spoilt)
