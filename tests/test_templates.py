"""Templates stay readable: no line is longer than a screen is wide."""

from __future__ import annotations

from pathlib import Path

TEMPLATES = Path(__file__).parent.parent / "templates"
LONGEST = 160


def test_no_line_of_a_page_or_an_e_mail_is_longer_than_a_screen_is_wide() -> None:
    files = sorted(path for path in TEMPLATES.rglob("*.*") if path.suffix in (".html", ".txt"))
    lines = ((path, number, line) for path in files for number, line in enumerate(path.open(), start=1))
    long = [
        f"{path.relative_to(TEMPLATES)}:{number}" for path, number, line in lines if len(line) > LONGEST + 1
    ]

    assert len(files) > 100
    assert long == []
