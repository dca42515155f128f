"""Reader: the design that a template's source holds, or why it is edited as code.

Decided by the source alone. A block whose checksum is right is that block. What was changed by hand, in a block or
between blocks, is a code block with that markup; a head or tail that was changed, or markers that do not match,
make the whole template one to edit as code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

from signatures.rendering.bounds import MAX_SOURCE_CHARACTERS
from signatures.rendering.errors import TemplateError

from .blocks import Block, Code, Columns, Design
from .markers import holds_marker, make_checksum, read_rest, read_settings
from .pairs import MarkedSource, Pair, Unfit
from .plain_values import load_block, load_theme
from .rows import write_head, write_tail
from .settings import SettingsRefused
from .theme import Theme
from .writer import VERSION


@dataclass(frozen=True)
class NotBlocks:
    """The source can be edited as code only. line: where the reason is, from 1. reason: a sentence."""

    line: int
    reason: str


def read_design(source: str) -> Design | NotBlocks:
    """Return the design that `source` holds, or the line and the reason why it is edited as code."""
    source = _unified(source)
    if len(source) > MAX_SOURCE_CHARACTERS:
        return NotBlocks(1, f"The template is longer than {MAX_SOURCE_CHARACTERS:,} characters.")
    try:
        marked = MarkedSource(source)
        root = _find_root(marked)
        theme = _read_theme(marked, root)
        return Design(theme, tuple(_read_list(marked, root.lists[0], is_inside=False)))
    except TemplateError as error:
        return NotBlocks(error.line, error.message)
    except Unfit as unfit:
        return NotBlocks(source.count("\n", 0, unfit.position) + 1, unfit.reason)


def find_block(source: str, line: int) -> str:
    """Return the path of the innermost block on a line (from 1) of a source; "" where there is none."""
    return find_blocks(source, [line]).get(line, "")


def find_blocks(source: str, lines: Iterable[int]) -> dict[int, str]:
    """Return line -> path of the innermost block on it, for those lines (from 1) that hold one."""
    source = _unified(source)
    if isinstance(read_design(source), NotBlocks):
        return {}
    marked = MarkedSource(source)
    blocks, texts = _find_root(marked).lists[0], source.split("\n")
    starts = list(accumulate((len(text) + 1 for text in texts), initial=0))
    asked = {line for line in lines if 1 <= line <= len(texts)}
    found = {
        line: _find_in(marked, blocks, starts[line - 1], starts[line - 1] + len(texts[line - 1]))
        for line in asked
    }
    return {line: path for line, path in found.items() if path}


def _unified(source: str) -> str:
    return source.replace("\r\n", "\n").replace("\r", "\n")


def _find_root(marked: MarkedSource) -> Pair:
    """Return the pair of markers of the design, which nothing stands outside of."""
    root = next((pair for pair in marked.pairs if pair.name == "design"), None)
    if root is None:
        raise Unfit(0, "This template is not made of blocks.")
    before, after = marked.text[: root.marker.start], marked.text[root.end.end :]
    if before.strip():
        raise Unfit(len(before) - len(before.lstrip()), "There is markup before the design.")
    if after.strip():
        raise Unfit(len(marked.text) - len(after.lstrip()), "There is markup behind the design.")
    return root


def _read_theme(marked: MarkedSource, root: Pair) -> Theme:
    """Return the design's theme, if head and tail are as they were written."""
    at = root.marker.start
    rest = read_rest(root.marker.rest)
    if rest is None or rest.version is None:
        raise Unfit(at, "The settings of the design were changed by hand.")
    if rest.version != VERSION:
        raise Unfit(at, "A newer release of Countersign wrote this design.")
    try:
        theme = load_theme(read_settings(rest.settings) or {})
    except ValueError as error:
        raise Unfit(at, "The settings of the design are not known in this release.") from error
    if len(root.children) != 1 or len(root.lists) != 1:
        raise Unfit(at, "The comments around the list of blocks were changed by hand.")
    if rest.checksum != make_checksum(rest.settings, marked.get_own(root)):
        raise Unfit(_find_change(marked, root, theme), "Markup around the blocks was changed by hand.")
    return theme


def _find_change(marked: MarkedSource, root: Pair, theme: Theme) -> int:
    """Return where the head, or else the tail, begins to differ from what would be written today."""
    for start, end, expected in (
        (root.marker.end, root.lists[0].marker.start, write_head(theme)),
        (root.lists[0].end.end, root.end.start, write_tail()),
    ):
        found = marked.text[start:end]
        if found != expected:
            pairs = enumerate(zip(found, expected, strict=False))
            return start + next(
                (at for at, (one, other) in pairs if one != other), min(len(found), len(expected))
            )
    return root.marker.start


def _read_list(marked: MarkedSource, pair: Pair, *, is_inside: bool) -> Iterator[Block]:
    """Yield the blocks of a list. is_inside: it stands in columns."""
    for start, end, child in marked.find_pieces(pair):
        yield (
            _as_code(marked, start, end) if child is None else _read_block(marked, child, is_inside=is_inside)
        )


def _read_block(marked: MarkedSource, pair: Pair, *, is_inside: bool) -> Block:
    """Return the block between two markers, or a code block where it was changed by hand or is not known."""
    if pair.name == Code.name:
        return _read_code(marked, pair)
    rest = read_rest(pair.marker.rest)
    block = None
    if rest is not None and rest.version is None and not (is_inside and pair.name == Columns.name):
        block = _load(marked, pair, rest.settings)
        if block is not None and rest.checksum == make_checksum(rest.settings, marked.get_own(pair)):
            return block
    return _as_code(marked, pair.marker.end, pair.end.start, former=block)


def _load(marked: MarkedSource, pair: Pair, settings: str) -> Block | None:
    """Return the block with the settings of a marker and the blocks between it and its end, or None."""
    found = read_settings(settings)
    if found is None or {"block", "lists"} & set(found):
        return None
    try:
        block = load_block({**found, "block": pair.name})
        if not isinstance(block, Columns):
            return block
        lists = (tuple(_read_list(marked, one, is_inside=True)) for one in pair.lists)
        return replace(block, lists=tuple(lists))
    except (ValueError, RecursionError):
        return None


def _read_code(marked: MarkedSource, pair: Pair) -> Code:
    """Return a code block with its markup as it is now, and its condition where that still stands around it."""
    rest = read_rest(pair.marker.rest)
    known = _load_code(rest.settings) if rest else Code(markup="")
    start, end = pair.marker.end, pair.end.start
    before, after = f"{{% if {known.when} %}}", "{% endif %}"
    inside = marked.text[start:end]
    if known.when and inside.startswith(before) and inside.endswith(after):
        start, end = start + len(before), end - len(after)
        return _as_code(marked, start, end, when=known.when, former=known.former)
    return _as_code(marked, start, end, former=known.former)


def _load_code(settings: str) -> Code:
    """Return a code block without markup; one without settings where they cannot be read."""
    try:
        block = load_block({**(read_settings(settings) or {}), "block": Code.name, "markup": ""})
    except (ValueError, RecursionError):
        block = None
    return block if isinstance(block, Code) else Code(markup="")


def _as_code(
    marked: MarkedSource, start: int, end: int, *, when: str = "", former: Block | None = None
) -> Code:
    """Return the source from `start` to `end`, without the markers in it, as a code block."""
    markup = marked.get_unmarked(start, end)
    if holds_marker(markup):
        raise Unfit(start, "A comment that marks blocks stands where it cannot.")
    try:
        return Code(markup=markup, when=when, former=former)
    except SettingsRefused as error:
        raise Unfit(start, str(error)) from error


def _find_in(marked: MarkedSource, pair: Pair, start: int, end: int) -> str:
    """Return the path within a list of the first block that has characters between `start` and `end`."""
    for number, (first, last, child) in enumerate(marked.find_pieces(pair)):
        if first >= end or last <= start:
            continue
        is_columns = child is not None and isinstance(_read_block(marked, child, is_inside=False), Columns)
        for column, one in enumerate(child.lists if child is not None and is_columns else []):
            if path := _find_in(marked, one, start, end):
                return f"{number}-{column}-{path}"
        return str(number)
    return ""
