"""The judgement of an hour's load: what it calls flat, and what it does not."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.soak.judgement import judge
from tests.benchmarks.soak.samples import GROUPS, Process, Sample


def make_samples(
    memory: Callable[[int], float] = lambda minute: 300,
    files: Callable[[int], int] = lambda minute: 100,
    rows: Callable[[int], int] = lambda minute: 40,
) -> list[Sample]:
    """One for each minute of an hour. The first group and the first table are as asked, the others as they were."""
    others = tuple(Process(group, number, 100, 50) for number, group in enumerate(GROUPS[1:], start=2))
    return [
        Sample(
            minute * 60,
            (Process(GROUPS[0], 1, memory(minute), files(minute)), *others),
            {"sessions.Session": rows(minute), "signatures.Sender": 300, "signatures.BannerEvent": 1_000 * minute},
        )
        for minute in range(61)
    ]  # fmt: skip


def list_grown(samples: list[Sample]) -> list[str]:
    return [one.what for one in judge(samples) if not one.is_flat]


def test_what_fills_up_in_the_first_third_and_comes_and_goes_is_flat():
    warm = make_samples(
        memory=lambda minute: 200 + 5 * min(minute, 20),
        files=lambda minute: 100 + 60 * (minute % 10 == 0),
        rows=lambda minute: 500 * (minute == 50),
    )

    assert list_grown(warm) == []


def test_a_leak_of_memory_files_or_rows_is_named_and_nothing_else():
    assert list_grown(make_samples(memory=lambda minute: 300 + minute)) == [f"MB of the {GROUPS[0]}"]
    assert list_grown(make_samples(files=lambda minute: 100 + minute)) == [f"open files of the {GROUPS[0]}"]
    assert list_grown(make_samples(rows=lambda minute: 40 + 2 * minute)) == ["sessions.Session"]


def test_a_table_that_grows_by_design_is_shown_without_a_limit():
    (events,) = (one for one in judge(make_samples()) if one.what == "signatures.BannerEvent")

    assert (events.first, events.last, events.highest, events.allowed) == (9_500, 50_500, 60_000, None)
