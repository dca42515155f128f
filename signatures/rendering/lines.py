"""Rendered markup without its marks, in the writing a parser would give it back."""

from __future__ import annotations

import re

from signatures.rendering.marks import strip_marks

_TAGS = re.compile(r"(<[^>]*>)")


def settle_lines(html: str) -> str:
    """Return `html` without marks."""
    html = strip_marks(html)
    if "&quot;" not in html:
        return html
    # Values are escaped the same in text and attributes; a serializer leaves quotes in text alone.
    pieces = _TAGS.split(html)
    pieces[::2] = [piece.replace("&quot;", '"') for piece in pieces[::2]]
    return "".join(pieces)
