"""docs/counting.md says the rules that the code judges by, no more and no less."""

from __future__ import annotations

import re
from pathlib import Path

from signatures.analytics.bot_rules import FAMILIES, RULES

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "counting.md").read_text()


def list_rows(name: str) -> list[str]:
    """The rows of the table between two marks, without its head."""
    found = re.search(f"<!-- {name} -->\n(.*?)<!-- /{name} -->", TEXT, re.DOTALL)
    assert found, name
    return found[1].strip().splitlines()[2:]


def test_the_table_of_rules_is_the_codes():
    assert list_rows("rules") == [
        f"| {each.title} | {each.counts} | {each.definition} | {each.errs} |" for each in RULES
    ]


def test_the_table_of_programs_is_the_codes():
    assert list_rows("families") == [
        f"| {family.name} | {', '.join(f'`{mark}`' for mark in family.marks)} |" for family in FAMILIES
    ]
