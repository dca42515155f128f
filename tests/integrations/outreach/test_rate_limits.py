"""The spellings of Outreach's waiting times and allowances."""

from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.outreach.rate_limits import allowance, say_wait, seconds_until, wait_seconds

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30),
        ("2.5", 2.5),
        (" 30 ", 30),
        (str(int(NOW + 90)), 90),
        (formatdate(NOW + 90, usegmt=True), 90),
        ("2026-11-23T12:01:30.000Z", 90),
        ("2026-11-23T12:01:30", 90),
        ("2026-11-23T14:01:30+02:00", 90),
        ("0", 1),
        ("-30", 1),
        (str(int(NOW - 3600)), 1),
        ("2020-01-01T00:00:00Z", 1),
        ("7200", 3600),
        ("9999-12-31T23:59:59Z", 3600),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
        ("99999999999999999999", 3600),
        ("soon", 60),
        ("", 60),
        ("٣٠", 60),
        ("1e3", 60),
        ("0x10", 60),
        ("30; 40", 60),
        ("9" * 400, 60),
    ],
)
def test_a_wait_is_read_in_every_spelling_and_kept_between_a_second_and_an_hour(header, seconds):
    assert wait_seconds({"Retry-After": header}, now=NOW) == pytest.approx(seconds)


def test_without_retry_after_the_reset_counts_and_without_either_a_minute():
    assert wait_seconds({"X-RateLimit-Reset": str(int(NOW + 120))}, now=NOW) == pytest.approx(120)
    assert wait_seconds({"Retry-After": "soon", "X-RateLimit-Reset": "240"}, now=NOW) == 240
    assert wait_seconds({}, now=NOW) == 60


@given(st.text(max_size=60))
def test_no_header_makes_a_wait_shorter_than_a_second_or_longer_than_an_hour(header):
    assert 1 <= wait_seconds({"Retry-After": header}, now=NOW) <= 3600


@given(st.text(max_size=60))
def test_no_header_makes_the_reader_fall_over(header):
    assert seconds_until(header, now=NOW) is None or isinstance(seconds_until(header, now=NOW), float)


@pytest.mark.parametrize(
    ("limit", "remaining", "reset", "told"),
    [
        ("10000", "9999", str(int(NOW + 60)), (10000, 9999, 60.0)),
        ("10000", "9999, 19988", "60", (10000, 9999, 60.0)),
        ("10000", "0", None, (10000, 0, None)),
        ("10000", "17", "garbage", (10000, 17, None)),
        ("10000", "17", "9999-12-31T00:00:00Z", (10000, 17, 3600.0)),
        ("10000", "17", "-5", (10000, 17, 0.0)),
        ("10000", "", "60", None),
        ("10000", "-1", "60", None),
        ("", "17", "60", None),
        ("many", "17", "60", None),
        (None, None, None, None),
        ("10000", "9" * 40, "60", None),
    ],
)
def test_the_allowance_is_what_the_headers_say_or_nothing(limit, remaining, reset, told):
    values = {"X-RateLimit-Limit": limit, "X-RateLimit-Remaining": remaining, "X-RateLimit-Reset": reset}
    headers = {name: value for name, value in values.items() if value is not None}

    assert allowance(headers, now=NOW) == told


@pytest.mark.parametrize("ahead", [-7_200, -600, 0, 600, 7_200])
@pytest.mark.parametrize(
    "spell",
    [
        lambda instant: str(int(instant)),
        lambda instant: formatdate(instant, usegmt=True),
        lambda instant: datetime.fromtimestamp(instant, UTC).isoformat(),
    ],
    ids=["epoch", "http-date", "iso"],
)
def test_an_instant_is_compared_with_the_clock_that_wrote_it(spell, ahead):
    """Our clock may be minutes ahead of Outreach's, or behind: a wait of 90 s is one of 90 s."""
    headers = {
        "Date": formatdate(NOW, usegmt=True),
        "Retry-After": spell(NOW + 90),
        "X-RateLimit-Reset": spell(NOW + 90),
        "X-RateLimit-Limit": "10000",
        "X-RateLimit-Remaining": "0",
    }

    assert wait_seconds(headers, now=NOW + ahead) == 90
    assert allowance(headers, now=NOW + ahead) == (10_000, 0, 90.0)


@pytest.mark.parametrize(
    "date",
    ["", "yesterday", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "9" * 300],
)
def test_a_date_that_makes_no_sense_is_not_compared_with(date):
    assert wait_seconds({"Date": date, "Retry-After": str(int(NOW + 90))}, now=NOW) == 90
    assert wait_seconds({"Date": date, "Retry-After": "90"}, now=NOW) == 90


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"), (1.2, "2 seconds"), (30, "30 seconds"), (90, "90 seconds"), (91, "2 minutes"),
        (780, "13 minutes"), (3600, "60 minutes"),
    ],
)  # fmt: skip
def test_a_wait_is_told_in_seconds_or_minutes(seconds, words):
    assert say_wait(seconds) == words
