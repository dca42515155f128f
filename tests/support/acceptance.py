"""Acceptance: which promise is proved by which test files; `python -m tests.support.acceptance` prints the lines.

A test carries the row it proves in its name, as test_o1_… does; one that proves two carries both.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"def test_((?:[a-z][0-9]+_)+)")
TABLE = re.compile(r"^\| ([OLRAI][0-9]+) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def find_proofs() -> dict[str, set[str]]:
    """Return the files with tests named after each row, by row."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name in NAMED.findall(path.read_text()):
            for row in name.rstrip("_").split("_"):
                found[row.upper()].add(path.relative_to(ROOT / "tests").as_posix())
    return found


def read_table() -> dict[str, tuple[str, set[str]]]:
    """Return what tests/ACCEPTANCE.md says: each row's words, and the files that prove it."""
    text = (ROOT / "tests/ACCEPTANCE.md").read_text()
    return {row: (words, set(re.findall(r"`([^`]+)`", files))) for row, words, files in TABLE.findall(text)}


def write_lines() -> str:
    proofs = find_proofs()
    return "\n".join(
        f"| {row} | {words} | {', '.join(f'`{file}`' for file in sorted(proofs[row]))} |"
        for row, (words, _) in read_table().items()
    )


if __name__ == "__main__":
    print(write_lines())
