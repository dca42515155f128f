"""Plain text: the text version of a rendered signature."""

from __future__ import annotations

import re
from html import unescape

_PIECE = re.compile(r"(<[^<>]*+>)")
_TAG = re.compile(r"<(/?)([a-z0-9]+)")
_HREF = re.compile(r'href="([^"]*)"')
_ALT = re.compile(r'alt="([^"]*)"')
_NEW_LINE = frozenset(
    {
        "p",
        "div",
        "tr",
        "table",
        "li",
        "ul",
        "ol",
        "br",
        "hr",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "blockquote",
        "center",
        "tbody",
        "thead",
        "tfoot",
    }
)
_WIDE_GAPS = re.compile(r" {2,}")
_SPACES = re.compile(r"[ \t\n\r\f]+")


def plain_text(html: str) -> str:
    """Return `html` as lines of text: one per row, paragraph or break; links as "label <address>".

    html: a sanitized signature. Cells of a row are separated by two spaces, pictures give
    their alternative text when nothing else is in their cell.
    """
    lines: list[list[str]] = [[]]
    links: list[tuple[str, int, int]] = []
    for piece in _PIECE.split(html):
        if not piece.startswith("<"):
            lines[-1].append(unescape(_SPACES.sub(" ", piece)))
            continue
        found = _TAG.match(piece)
        if found is None:
            continue
        closing, tag = bool(found[1]), found[2]
        if tag in _NEW_LINE:
            lines.append([])
        elif tag in ("td", "th") and closing:
            lines[-1].append("  ")
        elif tag == "a" and not closing:
            href = _HREF.search(piece)
            links.append((unescape(href[1]) if href else "", len(lines) - 1, len(lines[-1])))
        elif tag == "a" and links:
            _close_link(lines, *links.pop())
        elif tag == "img":
            alt = _ALT.search(piece)
            lines[-1].append(f"[{unescape(alt[1])}]" if alt and alt[1] else "")
    joined = (_tidy("".join(line)) for line in lines)
    return "\n".join(line for line in joined if line)


def _close_link(lines: list[list[str]], href: str, line: int, start: int) -> None:
    """Add the address after a label, unless the label is that address."""
    label = "".join(lines[line][start:]).strip() if line == len(lines) - 1 else ""
    target = href.removeprefix("mailto:").removeprefix("tel:")
    same = target.removeprefix("https://").removeprefix("www.").rstrip("/")
    if (
        href
        and not href.startswith("tel:")
        and label.removeprefix("https://").removeprefix("www.").rstrip("/") != same
    ):
        lines[-1].append(f" <{target}>")


def _tidy(line: str) -> str:
    return _WIDE_GAPS.sub("  ", line.replace("\u00a0", " ").strip())
