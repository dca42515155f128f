"""Line comparison: what stands beside what, and that no source takes long."""

from __future__ import annotations

import time

import pytest

from signatures.releases.differences import list_line_differences
from signatures.releases.line_comparison import Row, compare_lines


def show(rows: list[Row]) -> list[str]:
    """Return each row as `old|new`, what changed in brackets."""
    shown = []
    for row in rows:
        sides = [
            "".join(f"[{mark.text}]" if mark.change else mark.text for mark in side)
            for side in (row.before, row.after)
        ]
        shown.append(
            f"{row.skipped} left out" if row.skipped else f"{row.old}:{sides[0]}|{row.new}:{sides[1]}"
        )
    return shown


def test_changed_words_are_marked_and_long_unchanged_runs_are_left_out():
    before = "\n".join([*"abcdefghij", "<p>Since 1849</p>", *"klmnopqrst", "gone"])
    after = before.replace("1849", "1949").removesuffix("\ngone") + "\nnew\nlast"

    assert show(compare_lines(before, after)) == [
        "7 left out",
        "8:h|8:h",
        "9:i|9:i",
        "10:j|10:j",
        "11:<p>Since [1849]</p>|11:<p>Since [1949]</p>",
        "12:k|12:k",
        "13:l|13:l",
        "14:m|14:m",
        "4 left out",
        "19:r|19:r",
        "20:s|20:s",
        "21:t|21:t",
        "22:[gone]|22:[new]",
        "None:|23:[last]",
    ]


def test_the_same_source_has_no_rows():
    assert compare_lines("a\nb", "a\nb") == []


def test_lines_that_moved_between_recurring_lines_are_found():
    rows = compare_lines("<tr>\na\n</tr>\n<tr>\nb\n</tr>", "<tr>\nb\n</tr>")

    assert [row.old for row in rows if row.is_changed] == [2, 3, 4]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\n" * 100_000, "x" + "\n" * 99_000 + "y"),
        ("a\nb\n" * 25_000, "b\na\n" * 25_000),
        ("a " * 50_000, "b a " * 25_000),
        ("\n".join(["a " * 95] * 500), "\n".join(["b a " * 47] * 500)),
        (
            "\n".join(str(n) for n in range(2_000)),
            "\n".join(str(n) if n % 2 else f"x{n}" for n in range(2_000)),
        ),
    ],
)
def test_a_hostile_source_takes_no_long_time(before: str, after: str):
    begun = time.process_time()

    rows = compare_lines(before, after)
    list_line_differences(before, after)

    assert 0 < len(rows) <= 1_000
    assert time.process_time() - begun < 5
