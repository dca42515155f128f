"""CSV lines: text that a spreadsheet would run is text, and a number is a number."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime

import pytest

from portal.csv_export import write_lines


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '"=1', "' =1", "\uff1d1", "\uff0b1", "\uff20a"]
)
def test_i6_no_cell_of_text_begins_a_formula(name):
    lines = list(write_lines(["name", "clicks"], [[name, -3], ['Ana, "the" = sign', 4]]))

    rows = list(csv.reader(lines))
    assert rows == [["\ufeffname", "clicks"], [f"'{name}", "-3"], ['Ana, "the" = sign', "4"]]


def test_dates_instants_and_nothing_are_written_so_that_programs_read_them():
    at = datetime(2026, 11, 24, 9, 30, 1, 500, tzinfo=UTC)

    assert list(write_lines(["a", "b", "c", "d"], [[date(2026, 11, 24), at, None, 0.5]])) == [
        "\ufeffa,b,c,d\r\n",  # the mark by which spreadsheets know UTF-8
        "2026-11-24,2026-11-24T09:30:01+00:00,,0.5\r\n",
    ]
