"""The README, the pages of docs/ and .env.example name what the code has, neither more nor less."""

from __future__ import annotations

import re
import runpy
import subprocess
import tomllib
from pathlib import Path

import pytest
from django.core.management import get_commands

from portal.env import FROM_FILES
from tests.support.acceptance import find_proofs, read_table

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [README, *(page.read_text() for page in sorted((ROOT / "docs").glob("*.md")))]
OLDER_NAMES = {"READER_LOOKUPS_PER_HOUR"}  # documented beside the name that took their place
SET_BY_DEMO = {"COUNTERSIGN_DEMO_FOLDER"}  # for the demo's own processes; nobody else sets it
OURS = ("portal", "integrations", "signatures")
ROWS = {"O": 12, "R": 6, "L": 6, "A": 8, "I": 13}  # the last row of each letter


def settings_in_code() -> set[str]:
    text = (ROOT / "portal" / "settings.py").read_text()
    return set(re.findall(r'(?:env\.\w+|words)\(\s*"([A-Z_]+)"', text)) - SET_BY_DEMO - OLDER_NAMES


def section(title: str) -> str:
    """What the README and every page of docs/ say under this heading."""
    return "\n".join(page.partition(f"\n## {title}\n")[2].partition("\n## ")[0] for page in PAGES)


def test_the_pages_name_every_setting_and_no_other():
    rows = [line.split("|")[1] for line in section("Settings").splitlines() if line.startswith("| `")]

    assert set(re.findall(r"`([A-Z_]+)`", " ".join(rows))) == settings_in_code()


def test_the_readme_names_what_can_come_from_a_file():
    settings, _, rest = section("Settings").strip().partition("can also come from a file")

    assert rest
    assert set(re.findall(r"`([A-Z_]+)`", settings)) == set(FROM_FILES)


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


ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()


def test_the_pictures_of_the_levels_are_drawn_from_the_code_as_it_is():
    write_page = runpy.run_path(str(ROOT / "docs/draw_levels.py"))["write_page"]

    assert write_page(ARCHITECTURE) == ARCHITECTURE, "Run `python docs/draw_levels.py`."


def test_the_architecture_names_every_package_of_the_levels():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = {each["containers"][0]: " ".join(each["layers"]) for each in contracts if "containers" in each}
    packages = {
        name
        for app, words in layers.items()
        for name in re.split(r"[\s|:]+", words)
        if name and (ROOT / app / name / "__init__.py").exists()
    }

    assert packages - {"migrations"} - set(re.findall(r"\*\*(\w+)\*\*", ARCHITECTURE)) == set()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/glossary.md"])
def test_files_that_pages_for_maintainers_name_are_there(page):
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]*\.(?:py|txt|md))`", (ROOT / page).read_text())

    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(
    ("subject", "is_taken"),
    [
        ("delivery: Stop a run whose lease was lost", True),
        ("Merge branch 'main'", True),
        ("delivery: stop a run", False),
        ("Stop a run whose lease was lost", False),
        ("delivery: Stop a run.", False),
        ("delivery: Stop " + "a" * 58, False),
        ("delivery: Stop " + "a" * 57, True),
    ],
)
def test_the_hook_takes_subjects_as_contributing_describes_them(tmp_path, subject, is_taken):
    message = tmp_path / "message"
    message.write_text(f"{subject}\n\nA body of any length.\n")

    done = subprocess.run([ROOT / ".githooks/commit-msg", message], capture_output=True, text=True)

    assert (done.returncode == 0) is is_taken
    assert bool(done.stderr) is not is_taken
