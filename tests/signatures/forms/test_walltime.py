"""Between a wall clock and an instant, on the days when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signatures.forms.walltime import NoSuchTime, describe_repetition, to_instant, to_wall

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("wall", "instant"),
    [
        (datetime(2027, 1, 1, 9), datetime(2027, 1, 1, 8, tzinfo=UTC)),
        (datetime(2027, 7, 1, 9), datetime(2027, 7, 1, 7, tzinfo=UTC)),
        (datetime(2027, 3, 28, 1, 59), datetime(2027, 3, 28, 0, 59, tzinfo=UTC)),
        (datetime(2027, 3, 28, 3), datetime(2027, 3, 28, 1, tzinfo=UTC)),
        (datetime(2027, 10, 31, 2, 30), datetime(2027, 10, 31, 0, 30, tzinfo=UTC)),
        (datetime(2027, 10, 31, 3), datetime(2027, 10, 31, 2, tzinfo=UTC)),
    ],
)
def test_a_wall_time_is_one_instant_and_one_that_comes_twice_is_the_first(wall, instant):
    assert to_instant(wall, BERLIN) == instant
    assert to_wall(instant, BERLIN) == wall


def test_a_time_that_the_clocks_jump_over_is_refused_with_one_that_exists():
    with pytest.raises(NoSuchTime) as refused:
        to_instant(datetime(2027, 3, 28, 2, 30), BERLIN)

    assert refused.value.message == (
        "02:30 does not exist on 28 March 2027: the clocks go forward then. Enter 03:30 or later."
    )


def test_a_day_that_the_calendar_left_out_names_the_next_one():
    with pytest.raises(NoSuchTime) as refused:
        to_instant(datetime(2011, 12, 30, 10), ZoneInfo("Pacific/Apia"))

    assert refused.value.message == (
        "10:00 does not exist on 30 December 2011: the clocks go forward then. "
        "Enter 10:00 on 31 December 2011 or later."
    )


@pytest.mark.parametrize(
    ("wall", "note"),
    [
        (
            datetime(2027, 10, 31, 2, 30),
            "02:30 occurs twice on 31 October 2027, when the clocks go back. The first one is used.",
        ),
        (datetime(2027, 10, 31, 1, 59), ""),
        (datetime(2027, 10, 31, 3), ""),
        (datetime(2027, 3, 28, 2, 30), ""),  # comes never
    ],
)
def test_of_a_time_that_comes_twice_it_is_said_which_one_counts(wall, note):
    assert describe_repetition(wall, BERLIN) == note


@given(
    st.datetimes(min_value=datetime(2001, 1, 1), max_value=datetime(2036, 1, 1)),
    st.sampled_from(["Europe/London", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]),
)
def test_an_instant_comes_back_unless_its_time_came_once_before(instant, name):
    instant, zone = instant.replace(tzinfo=UTC), ZoneInfo(name)

    again = to_instant(to_wall(instant, zone), zone)

    assert again == instant or timedelta(0) < instant - again <= timedelta(hours=1)
