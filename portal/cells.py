"""Cells of the tables we give away: what a person typed is never run by the spreadsheet that opens it."""

from __future__ import annotations

import unicodedata


def defuse_cell(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula, full-width signs included."""
    start = unicodedata.normalize("NFKC", text.lstrip(" \u00a0\"'"))[:1]
    is_formula = start in ("=", "+", "-", "@") or text[:1] in ("\t", "\r", "\n")
    return f"'{text}" if start and is_formula else text
