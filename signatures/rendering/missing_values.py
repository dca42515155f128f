"""Missing values: removes their lines, so that no gap is left.

A line is the smallest of: a paragraph, div, list item or heading; a table cell; the content between
two <br>. Of a line with missing fields, `separators` removes the parts concerned; the line is removed when
nothing is left of it. With a removed cell goes the label in the cell before it. A picture without an
address is removed; so is a link without one, unless it contains a present field, which then stays without the
link. What has become empty by this (cell of a one-row table, row, table, element) is removed as well; what
was empty in the template, such as a spacer, stays.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache

from signatures.rendering.labels import is_label, is_label_picture, is_separator
from signatures.rendering.separators import settle_parts
from signatures.rendering.tree import (
    NO_FIELDS,
    PIECES,
    VOID_TAGS,
    Element,
    Node,
    Tally,
    Text,
    read_tree,
    tally,
    write_tree,
)

from .pattern import Pattern
from .sentinels import ABSENT, ATTRIBUTE_CLOSE, NUMBERED, PRESENT_CLOSE, PRESENT_OPEN, VALUE

_BLANK_LINES = re.compile(r"\n\s*\n")
_CELL_TAGS = frozenset({"td", "th"})


def settle_lines(marked: str) -> tuple[Pattern, list[str]]:
    """Return Liquid's output without the lines of missing values, as a pattern and the values to fill it with.

    Which lines are removed depends only on which values are missing, and is computed once for each such
    combination.
    """
    pieces = VALUE.split(marked)
    return _settle_pattern(tuple(pieces[::2])), pieces[1::2]


@lru_cache(maxsize=2048)
def _settle_pattern(texts: tuple[str, ...]) -> Pattern:
    """Return the pattern of the markup around values."""
    pattern = texts[0] + "".join(
        f"{PRESENT_OPEN}{number}{PRESENT_CLOSE}{text}" for number, text in enumerate(texts[1:])
    )
    if ABSENT in pattern:
        root = read_tree(pattern)
        _settle_container(root)
        _settle_attributes(root)
        _drop_emptied(root)
        pattern = write_tree(root)
    pieces = PIECES.split(_BLANK_LINES.sub("\n", pattern))
    pieces[1::2] = [tag.replace(PRESENT_CLOSE, ATTRIBUTE_CLOSE) for tag in pieces[1::2]]
    found = NUMBERED.split("".join(pieces))
    slots = tuple(
        (int(number), mark == ATTRIBUTE_CLOSE) for number, mark in zip(found[1::3], found[2::3], strict=True)
    )
    return Pattern(tuple(found[::3]), slots)


def _settle_container(container: Element) -> None:
    """Remove missing values from every line in `container`, in place; a removed line is emptied and marked touched."""
    for line in _lines(container):
        if not sum((tally(node) for node in line), NO_FIELDS).missing:
            continue
        container.touched = True
        if not settle_parts(line):
            _remove_line(container, line)
    for child in list(container.children):
        if isinstance(child, Element) and child.is_block:
            _settle_block(child)
            container.touched = container.touched or child.touched


def _settle_block(block: Element) -> None:
    if block.tag == "tr":
        _settle_row(block)
    elif block.tag == "a" and tally(block) == Tally(missing=1) and ABSENT in block.attributes.get("href", ""):
        # A link without an address around blocks of fixed words.
        block.children.clear()
        block.touched = True
    else:
        _settle_container(block)


def _settle_row(row: Element) -> None:
    """Do so in each cell of a row; with a removed cell goes its label or separator in an adjacent cell."""
    cells = [child for child in row.children if isinstance(child, Element)]
    had_text = [_has_missing_text(cell) for cell in cells]
    lost = []
    for number, cell in enumerate(cells):
        is_concerned = tally(cell).missing > 0
        _settle_container(cell)
        if is_concerned and not cell.has_content:
            lost.append(number)
    filled = [number for number, cell in enumerate(cells) if cell.has_content]
    for number in lost:
        place = bisect_left(filled, number)
        before = filled[place - 1] if place else None
        after = filled[place] if place < len(filled) else None
        for beside in (before, after):
            if beside is None or (beside == after and before is not None):
                continue
            if _goes_along(cells, beside, after, had_text=had_text[number]):
                cells[beside].children.clear()
                cells[beside].touched = True
                filled.remove(beside)
                break
    row.touched = any(cell.touched for cell in cells)


def _goes_along(cells: list[Element], beside: int, after: int | None, *, had_text: bool) -> bool:
    """Return whether the cell `beside` a removed one was only its label or separator; `after`: the next with content.

    had_text: the removed one had a missing text, and not only a picture or a link around fixed words.
    """
    cell = cells[beside]
    if tally(cell) != NO_FIELDS or any(_is_link(node) for node in cell.walk()):
        return False
    pictures = [node for node in cell.walk() if isinstance(node, Element) and node.tag == "img"]
    text = "".join(node.content for node in cell.walk() if isinstance(node, Text))
    if beside == after or (not pictures and is_separator(text)):
        return not pictures and is_separator(text)
    # In "Phone", "…", "0142" the label is for both numbers; before several pictures it is for all of them.
    if after is not None and (not had_text or _starts_with_value(cells[after])):
        return False
    if pictures:
        return had_text and not text.strip() and all(is_label_picture(picture) for picture in pictures)
    return is_label(text)


def _has_missing_text(cell: Element) -> bool:
    return any(isinstance(node, Text) and ABSENT in node.content for node in cell.walk())


def _is_link(node: Node) -> bool:
    return isinstance(node, Element) and node.tag == "a"


def _starts_with_value(cell: Element) -> bool:
    first = next((node for node in cell.walk() if isinstance(node, Text) and not node.is_blank), None)
    return first is not None and first.content.lstrip().startswith(PRESENT_OPEN)


def _is_inline(node: Node) -> bool:
    return isinstance(node, Text) or (node.tag != "br" and not node.is_block)


def _lines(container: Element) -> list[list[Node]]:
    """Return the runs of inline neighbours in `container`, cut at breaks and blocks."""
    lines: list[list[Node]] = [[]]
    for child in container.children:
        if _is_inline(child):
            lines[-1].append(child)
        else:
            lines.append([])
    return [line for line in lines if any(not (isinstance(node, Text) and node.is_blank) for node in line)]


def _remove_line(container: Element, line: list[Node]) -> None:
    """Remove `line`, with the break that ended it, or for a last line those before it."""
    children = container.children
    start = children.index(line[0])
    del children[start : start + len(line)]
    if start < len(children) and _is_break(children[start]):
        del children[start]
        return
    if all(_is_blank(child) for child in children[start:]):
        while start and (_is_break(children[start - 1]) or _is_blank(children[start - 1])):
            start -= 1
            del children[start]


def _is_break(node: Node) -> bool:
    return isinstance(node, Element) and node.tag == "br"


def _is_blank(node: Node) -> bool:
    return isinstance(node, Text) and node.is_blank


def _settle_attributes(element: Element) -> None:
    """Remove missing values from attributes; a link without address is unwrapped."""
    for node in element.walk():
        if not isinstance(node, Element):
            continue
        for name, value in list(node.attributes.items()):
            if ABSENT not in value:
                continue
            settled = _settled_attribute(name, value)
            if settled is None:
                del node.attributes[name]
            else:
                node.attributes[name] = settled
            node.unwrapped = node.unwrapped or (node.tag == "a" and name == "href")


def _settled_attribute(name: str, value: str) -> str | None:
    """Return the attribute without its missing values, or None when it is useless without them."""
    if name == "style":
        kept = [declaration for declaration in value.split("; ") if ABSENT not in declaration]
        return "; ".join(kept) or None
    if name in ("alt", "title"):
        text = " ".join(value.replace(ABSENT, "").split()) if PRESENT_CLOSE in value else ""
        return text if text or name == "alt" else None
    return None


def _drop_emptied(element: Element, rows: int = 1) -> None:
    """Remove what lost its content: elements, rows, tables, and cells where no other row needs them.

    rows: how many rows of the table around `element` have content.
    """
    if element.tag == "table":
        rows = sum(row.has_content for row in _rows(element))
    for child in list(element.children):
        if not isinstance(child, Element):
            continue
        _drop_emptied(child, rows)
        element.touched = element.touched or child.touched
        if child.tag in VOID_TAGS or not child.touched or child.has_content:
            continue
        # A cell among several rows keeps its place, or the columns would no longer line up.
        if child.tag not in _CELL_TAGS or rows <= 1 or not element.has_content:
            element.children.remove(child)


def _rows(table: Element) -> list[Element]:
    """Return the rows of `table` itself, not those of tables in its cells."""
    bodies = [child for child in table.children if isinstance(child, Element)]
    return [row for body in bodies for row in body.children if isinstance(row, Element) and row.tag == "tr"]
