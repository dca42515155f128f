"""The README, the pages of docs/ and .env.example name what the code has, neither more nor less."""

from __future__ import annotations

import re
from pathlib import Path

from django.core.management import get_commands

from tests.support.acceptance import find_proofs, read_table

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [README, *(page.read_text() for page in sorted((ROOT / "docs").glob("*.md")))]
OURS = ("portal", "integrations", "signatures")
ROWS = {"O": 12, "R": 6, "L": 6, "A": 8, "I": 13}  # the last row of each letter


def settings_in_code() -> set[str]:
    text = (ROOT / "portal" / "settings.py").read_text()
    return set(re.findall(r'(?:env\.\w+|words)\(\s*"([A-Z_]+)"', text))


def section(title: str) -> str:
    """What the README and every page of docs/ say under this heading."""
    return "\n".join(page.partition(f"\n## {title}\n")[2].partition("\n## ")[0] for page in PAGES)


def test_the_pages_name_every_setting_and_no_other():
    rows = [line.split("|")[1] for line in section("Settings").splitlines() if line.startswith("| `")]

    assert set(re.findall(r"`([A-Z_]+)`", " ".join(rows))) == settings_in_code()


def test_env_example_names_every_setting_and_no_other():
    named = re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)

    assert sorted(named) == sorted(settings_in_code())


def test_the_pages_name_every_command_and_no_other():
    ours = {name for name, app in get_commands().items() if app in OURS}
    rows = [line for line in section("Operate").splitlines() if line.startswith("| `")]

    named = {row.split("`")[1].split()[0] for row in rows}

    assert named == ours - {"demo", "createdomain"}, "demo and createdomain have their own sections"
    assert "manage.py demo" in README
    assert "manage.py createdomain" in README


def test_readme_points_only_to_files_that_are_there():
    targets = re.findall(r"\]\(((?!https?:)[^)#]+)\)", README)

    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_row_of_the_security_bar_is_proved_where_the_table_says():
    table, proofs = read_table(), find_proofs()
    wanted = [f"{letter}{number}" for letter, last in ROWS.items() for number in range(1, last + 1)]

    assert sorted(table) == sorted(wanted)
    wrong = {row: sorted(files - proofs[row]) for row, (_, files) in table.items() if files - proofs[row]}
    assert wrong == {}, (
        "tests/ACCEPTANCE.md names files without a test of that row; see `python -m tests.support.acceptance`"
    )
    assert [row for row, (_, files) in table.items() if not files] == []
