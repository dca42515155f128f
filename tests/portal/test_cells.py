"""Cells that no spreadsheet runs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from portal.csv_export import defuse_cell, restore_cell


@given(st.sampled_from(["=", "+", "-", "@", "＝", "＋", "－", "＠", "\t=", "\r=", ' "=']), st.text())
def test_i6_no_cell_starts_as_a_formula(start, rest):
    assert defuse_cell(start + rest).startswith("'")


@given(st.text(alphabet="abc <>/&.0123456789"))
def test_plain_cells_stay_as_they_are(text):
    assert defuse_cell(text) == text


@given(st.text(alphabet="=+-@＝'\" \u00a0\t\r\nab0").map(str.strip))
def test_a_cell_comes_back_as_it_was(text):
    assert restore_cell(defuse_cell(text)) == text
