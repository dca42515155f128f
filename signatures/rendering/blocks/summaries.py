"""Summaries: a block in a few words, for a list of blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .blocks import (
    Block,
    Button,
    Code,
    Columns,
    Contact,
    Disclaimer,
    Divider,
    Name,
    Picture,
    Social,
    Space,
    Title,
    Words,
)
from .choices import name_contact
from .settings import settings_of
from .theme import Theme

_MOST = 60


def summarize_block(block: Block) -> str:
    """Return what tells a block from others of its kind, such as "17 px, with pronouns", "" where nothing does."""
    said = [_SAY[type(block)](block) if type(block) in _SAY else ""]
    if block.when:
        said.append(f"only if {_say_choice(block, 'when')}")
    return " · ".join(one if len(one) <= _MOST else f"{one[: _MOST - 1]}…" for one in said if one)


def summarize_theme(theme: Theme) -> str:
    """Return the theme in a few words."""
    return f"{_say_choice(theme, 'font')}, {theme.size} px, {theme.width} px wide"


def _say_choice(owner: Theme | Block, name: str) -> str:
    value = getattr(owner, name)
    return dict(settings_of(type(owner))[name].choices).get(value, value)


def _say_name(block: Name) -> str:
    return f"{block.size} px{', with pronouns' if block.pronouns else ''}"


def _say_title(block: Title) -> str:
    return "Without company" if block.company == "none" else "With company"


def _say_contact(block: Contact) -> str:
    return ", ".join(name_contact(field)[0] for field in block.lines)


def _say_picture(block: Picture) -> str:
    image = "Image of your own" if block.image.startswith("https://") else _say_choice(block, "image")
    shape = "" if block.shape == "plain" else f", {_say_choice(block, 'shape').lower()}"
    return f"{image}, {block.width} px{shape}"


def _say_social(block: Social) -> str:
    networks = dict(settings_of(Social)["links"].choices)
    return ", ".join(networks[network] for network, _ in block.links)


def _say_columns(block: Columns) -> str:
    return f"{len(block.lists)} columns{', line between' if block.rule != 'none' else ''}"


def _say_code(block: Code) -> str:
    return f"{block.former.label}, changed by hand" if block.former else ""


_SAY: dict[type[Block], Callable[[Any], str]] = {
    Name: _say_name,
    Title: _say_title,
    Contact: _say_contact,
    Picture: _say_picture,
    Button: lambda block: block.words,
    Social: _say_social,
    Words: lambda block: " ".join(block.text.split()),
    Disclaimer: lambda block: f"{block.size} px",
    Divider: lambda block: f"{block.height} px",
    Space: lambda block: f"{block.height} px",
    Columns: _say_columns,
    Code: _say_code,
}
