"""Intervals against published values, and the sentence they stand behind."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signatures.analytics.significance import (
    MOST_NEEDED,
    Interval,
    Rate,
    compare,
    count_needed,
    newcombe,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_of_a_rate_is_the_published_one(successes, trials, low, high):
    found = wilson(successes, trials)

    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    # Newcombe, "Interval estimation for the difference between independent proportions", 1998, table II, method 10.
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_the_interval_of_a_difference_is_the_published_one(first, second, low, high):
    found = newcombe(first, second)

    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(
    ("first", "second", "needed"),
    # The textbook's sizes for a power of 80 % at 5 %, two-sided, without correction for continuity.
    [(0.1, 0.2, 199), (0.25, 0.4, 152), (0.5, 0.6, 388)],
)
def test_how_many_it_takes_is_the_published_number(first, second, needed):
    assert count_needed(first, second) == count_needed(second, first) == needed


def test_nothing_tried_says_nothing():
    assert wilson(0, 0) == Interval(0.0, 1.0)
    assert newcombe((0, 0), (5, 10)) == Interval(-1.0, 1.0)
    assert count_needed(0.1, 0.1) == MOST_NEEDED


def test_more_clicks_than_impressions_never_make_a_rate_above_one():
    rate = Rate("A", clicks=5, impressions=3)

    assert (rate.share, rate.trials, rate.interval.high) == (1.0, 5, 1.0)


def test_a_clear_difference_needs_no_more_impressions():
    (found,) = compare([Rate("A", 20, 1_000), Rate("B", 60, 1_000)])

    assert (found.better.name, found.worse.name, found.is_clear, found.needed) == ("B", "A", True, 0)
    assert found.difference == pytest.approx(0.04)


def test_an_unclear_one_says_how_many_more_it_takes():
    (found,) = compare([Rate("A", 2, 100), Rate("B", 4, 120)])

    each = count_needed(6 / 220 - (4 / 120 - 0.02) / 2, 6 / 220 + (4 / 120 - 0.02) / 2)
    assert not found.is_clear
    assert found.needed == 2 * each - 220


def test_equal_rates_ask_for_what_would_be_worth_telling():
    (found,) = compare([Rate("A", 10, 1_000), Rate("B", 10, 1_000)])

    assert found.tells == pytest.approx(0.002)
    assert found.needed == 2 * count_needed(0.009, 0.011) - 2_000


def test_enough_impressions_without_a_difference_need_no_more():
    (found,) = compare([Rate("A", 5_000, 100_000), Rate("B", 5_010, 100_000)])

    assert (found.is_clear, found.needed) == (False, 0)


def test_no_clicks_at_all_promise_no_number():
    (found,) = compare([Rate("A", 0, 100), Rate("B", 0, 100)])

    assert (found.is_clear, found.tells, found.needed) == (False, 0.0, 0)


def test_each_pair_of_three_is_held_to_a_stricter_confidence():
    a, b, c = Rate("A", 20, 1_000), Rate("B", 36, 1_000), Rate("C", 27, 1_000)

    assert compare([a, b])[0].is_clear
    assert [(one.better.name, one.worse.name, one.is_clear) for one in compare([a, b, c])] == [
        ("B", "A", False),
        ("B", "C", False),
        ("C", "A", False),
    ]
    assert compare([a]) == compare([]) == []


@settings(max_examples=60)
@given(st.tuples(st.integers(0, 50), st.integers(0, 50)), st.tuples(st.integers(0, 50), st.integers(0, 50)))
def test_intervals_hold_what_was_seen_and_turn_round_with_the_pair(first, second):
    (a, n), (b, m) = ((min(pair), max(pair)) for pair in (first, second))

    found, turned = newcombe((a, n), (b, m)), newcombe((b, m), (a, n))

    seen = (a / n if n else 0) - (b / m if m else 0)
    assert -1 <= found.low <= seen + 1e-12 and seen - 1e-12 <= found.high <= 1
    assert (found.low, found.high) == pytest.approx((-turned.high, -turned.low))
