"""Plain values: themes and blocks as dictionaries of text, numbers and lists, for markers and exports."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from .blocks import BLOCKS, Block, Code, Columns, lists_of
from .links import Refused
from .settings import settings_of
from .theme import Theme


def dump_settings(owner: Theme | Block) -> dict[str, Any]:
    """Return every setting of a theme or block by name."""
    return {name: _as_lists(getattr(owner, name)) for name in settings_of(type(owner))}


def dump_block(block: Block) -> dict[str, Any]:
    """Return a block with its name, its settings and the blocks in it."""
    dumped: dict[str, Any] = {"block": block.name, **dump_settings(block)}
    if isinstance(block, Columns):
        dumped["lists"] = [[dump_block(each) for each in one] for one in lists_of(block)]
    if isinstance(block, Code) and block.former is not None:
        dumped["former"] = dump_block(block.former)
    return dumped


def load_theme(settings: Mapping[str, Any]) -> Theme:
    """Return the theme with these settings. Raises: SettingsRefused, and Refused for a setting it does not have."""
    _require_known(Theme, settings)
    return Theme(**settings)


def load_block(dumped: Any) -> Block:
    """Return the block that `dump_block` wrote; what is not there has its default.

    Raises: SettingsRefused, and Refused for a block or setting that there is not.
    """
    if not isinstance(dumped, Mapping):
        raise Refused("A block is a list of settings.")
    settings = dict(dumped)
    kind = BLOCKS.get(str(settings.pop("block", "")))
    if kind is None:
        raise Refused("There is no such block.")
    more = set()
    if kind is Columns and "lists" in settings:
        more.add("lists")
        settings["lists"] = [
            [load_block(each) for each in _entries(one)] for one in _entries(settings["lists"])
        ]
    if kind is Code and "former" in settings:
        more.add("former")
        settings["former"] = None if settings["former"] is None else load_block(settings["former"])
    _require_known(kind, settings, more)
    return kind(**settings)


def _entries(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Refused("Columns hold lists of blocks.")
    return value


def _require_known(owner: type, settings: Mapping[str, Any], more: Set[str] = frozenset()) -> None:
    unknown = sorted(set(settings) - set(settings_of(owner)) - more)
    if unknown:
        raise Refused(f"There is no setting {', '.join(unknown)}.")


def _as_lists(value: Any) -> Any:
    return [_as_lists(each) for each in value] if isinstance(value, tuple) else value
