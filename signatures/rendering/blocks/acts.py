"""Acts: how a design is edited. Each returns another design; none changes the one it was given.

A path says where a block is: "2" is the third block, "0-1-2" the third block of the second list of the first
block, which is columns. A list's path is "" for the design's own, "0-1" for the second list of the first block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .blocks import BLOCKS, Block, Code, Columns, Design, lists_of
from .settings import settings_of
from .theme import Theme
from .writer import write_own

MOST_BLOCKS = 100
_PATH = re.compile(r"[0-9]{1,3}(?:-[0-9]{1,3}-[0-9]{1,3})?")
_LIST_PATH = re.compile(r"(?:[0-9]{1,3}-[0-9]{1,3})?")
_GONE = "That block is not there any more."
_Blocks = tuple[Block, ...]


class ActRefused(ValueError):
    """The act cannot be done on this design; the message is a sentence for the person."""


@dataclass(frozen=True)
class Edited:
    """A design after an act. path: of the block to go on with, "" where none is."""

    design: Design
    path: str = ""


@dataclass(frozen=True)
class Place:
    """Where a block may be moved to. label: in words. is_here: it is there now."""

    list_path: str
    index: int
    label: str
    is_here: bool = False


def walk(design: Design) -> Iterator[tuple[str, Block]]:
    """Yield each block with its path, columns before what is in them."""
    for number, block in enumerate(design.blocks):
        yield str(number), block
        for column, blocks in enumerate(lists_of(block)):
            yield from ((f"{number}-{column}-{at}", inner) for at, inner in enumerate(blocks))


def get_block(design: Design, path: str) -> Block:
    """Return the block at `path`. Raises: ActRefused"""
    list_path, index = _split(path)
    blocks = _get_list(design, list_path)
    if index >= len(blocks):
        raise ActRefused(_GONE)
    return blocks[index]


def add_block(design: Design, list_path: str, index: int, block: Block | str) -> Edited:
    """Put a block, or a new one of that name, into a list before the block at `index`, or at its end.

    Raises: ActRefused, for columns in columns and for too many blocks.
    """
    if isinstance(block, str):
        if block not in BLOCKS:
            raise ActRefused(f"There is no block called {block}.")
        block = BLOCKS[block]()
    blocks = _get_list(design, list_path)
    if list_path and isinstance(block, Columns):
        raise ActRefused("Columns cannot stand in columns. Add them below instead.")
    if sum(1 for _ in walk(design)) >= MOST_BLOCKS:
        raise ActRefused(f"A design has at most {MOST_BLOCKS} blocks.")
    index = min(max(index, 0), len(blocks))
    return Edited(
        _set_list(design, list_path, (*blocks[:index], block, *blocks[index:])), _join(list_path, index)
    )


def remove_block(design: Design, path: str) -> Edited:
    """Take a block out, with all that is in it; the path is of the block that stands there then."""
    get_block(design, path)
    list_path, index = _split(path)
    blocks = _get_list(design, list_path)
    left = (*blocks[:index], *blocks[index + 1 :])
    next_path = _join(list_path, min(index, len(left) - 1)) if left else ""
    return Edited(_set_list(design, list_path, left), next_path)


def copy_block(design: Design, path: str) -> Edited:
    """Put a copy of a block behind it."""
    block = get_block(design, path)
    list_path, index = _split(path)
    return add_block(design, list_path, index + 1, block)


def move_up(design: Design, path: str) -> Edited:
    """Let a block change places with the one before it; the first stays."""
    list_path, index = _split(path)
    return move_block(design, path, list_path, max(index - 1, 0))


def move_down(design: Design, path: str) -> Edited:
    """Let a block change places with the one behind it; the last stays."""
    list_path, index = _split(path)
    return move_block(design, path, list_path, index + 1)


def move_block(design: Design, path: str, list_path: str, index: int) -> Edited:
    """Move a block so that it is at `index` of a list, counted without it; at its end where that is too far.

    list_path: as the design is before the move. Raises: ActRefused, for columns into columns.
    """
    block = get_block(design, path)
    _get_list(design, list_path)
    if isinstance(block, Columns) and list_path:
        raise ActRefused("Columns cannot stand in columns. Move what is in them instead.")
    from_list, from_index = _split(path)
    without = remove_block(design, path).design
    if not from_list and list_path:
        # Columns behind the block have moved up by one.
        columns, _, column = list_path.partition("-")
        list_path = f"{int(columns) - (int(columns) > from_index)}-{column}"
    return add_block(without, list_path, index, block)


def change_block(design: Design, path: str, settings: Mapping[str, Any]) -> Edited:
    """Give a block other settings; those not named stay. Raises: ActRefused, and SettingsRefused with each error."""
    block = get_block(design, path)
    _require_settings(block, settings)
    return Edited(_set_block(design, path, replace(block, **settings)), path)


def change_theme(design: Design, settings: Mapping[str, Any]) -> Edited:
    """Give the theme other settings; those not named stay. Raises: ActRefused, and SettingsRefused with each error."""
    _require_settings(design.theme, settings)
    return Edited(replace(design, theme=replace(design.theme, **settings)))


def set_column_count(design: Design, path: str, count: int) -> Edited:
    """Let columns be two or three; what stood in a column that goes is put at the end of the one before it."""
    block = get_block(design, path)
    if not isinstance(block, Columns) or count not in (2, 3):
        raise ActRefused("Columns are two or three.")
    lists = (*block.lists, ())[:3]
    if count == 2:
        lists = (block.lists[0], tuple(inner for one in block.lists[1:] for inner in one))
    return Edited(_set_block(design, path, replace(block, lists=lists)), path)


def edit_as_code(design: Design, path: str) -> Edited:
    """Turn a block into a code block with its markup, which keeps what it was. Raises: ActRefused, for columns."""
    block = get_block(design, path)
    if isinstance(block, Columns | Code):
        raise ActRefused("Only a block with settings can be edited as code; columns not as a whole.")
    code = Code(markup=write_own(design.theme, block), former=block)
    return Edited(_set_block(design, path, code), path)


def restore_settings(design: Design, path: str) -> Edited:
    """Turn a code block back into the block that it was, with its settings. Raises: ActRefused, where none is known."""
    block = get_block(design, path)
    if not isinstance(block, Code) or block.former is None:
        raise ActRefused("This block has no settings to go back to.")
    return Edited(_set_block(design, path, block.former), path)


def list_places(design: Design, path: str) -> list[Place]:
    """Return where the block at `path` may be moved to, its own place among them, in the order of the design."""
    block = get_block(design, path)
    from_list, from_index = _split(path)
    places = _places_in(
        "", "", [each for at, each in enumerate(design.blocks) if from_list or at != from_index]
    )
    if not isinstance(block, Columns):
        for number, columns in enumerate(design.blocks):
            for column, blocks in enumerate(lists_of(columns)):
                list_path = f"{number}-{column}"
                others = [
                    inner for at, inner in enumerate(blocks) if (list_path, at) != (from_list, from_index)
                ]
                places += _places_in(list_path, f"Block {number + 1}, column {column + 1}: ", others)
    return [replace(one, is_here=(one.list_path, one.index) == (from_list, from_index)) for one in places]


def _places_in(list_path: str, prefix: str, others: list[Block]) -> list[Place]:
    words = [f"after {block.label}" for block in others]
    return [
        Place(list_path, index, _capitalized(f"{prefix}{where}"))
        for index, where in enumerate(["first", *words])
    ]


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def _require_settings(owner: Theme | Block, settings: Mapping[str, Any]) -> None:
    """Raise ActRefused for a setting that a theme or block does not have; what is in columns is none."""
    unknown = sorted(set(settings) - set(settings_of(type(owner))))
    if unknown:
        raise ActRefused(f"There is no setting {', '.join(unknown)}.")


def _split(path: str) -> tuple[str, int]:
    """Return the path of the list that a block is in, and its place there."""
    if not _PATH.fullmatch(path):
        raise ActRefused(_GONE)
    list_path, _, index = path.rpartition("-")
    return list_path, int(index)


def _join(list_path: str, index: int) -> str:
    return f"{list_path}-{index}" if list_path else str(index)


def _get_list(design: Design, list_path: str) -> _Blocks:
    if not _LIST_PATH.fullmatch(list_path):
        raise ActRefused(_GONE)
    if not list_path:
        return design.blocks
    number, column = map(int, list_path.split("-"))
    lists = lists_of(design.blocks[number]) if number < len(design.blocks) else ()
    if column >= len(lists):
        raise ActRefused(_GONE)
    return lists[column]


def _set_list(design: Design, list_path: str, blocks: _Blocks) -> Design:
    if not list_path:
        return replace(design, blocks=blocks)
    number, column = map(int, list_path.split("-"))
    owner = design.blocks[number]
    if not isinstance(owner, Columns):
        raise ActRefused(_GONE)
    lists = (*owner.lists[:column], blocks, *owner.lists[column + 1 :])
    return _set_block(design, str(number), replace(owner, lists=lists))


def _set_block(design: Design, path: str, block: Block) -> Design:
    list_path, index = _split(path)
    blocks = _get_list(design, list_path)
    return _set_list(design, list_path, (*blocks[:index], block, *blocks[index + 1 :]))
