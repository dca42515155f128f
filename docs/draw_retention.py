"""Retention: writes docs/retention.md's tables from the registry; `python docs/draw_retention.py` writes them anew."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/retention.md"
TABLE = re.compile(r"(<!-- tables -->\n).*?(<!-- end -->)", re.DOTALL)


def draw(page: str) -> str:
    """Return the page with the tables as the registry has them."""
    from portal.retention.registry import write_table

    return TABLE.sub(lambda found: f"{found[1]}{write_table()}\n{found[2]}", page)


if __name__ == "__main__":
    import django

    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    PAGE.write_text(draw(PAGE.read_text()))
