"""Settings: what each setting of a theme or block takes; read to check it, and to draw its form.

A setting is a field of a frozen dataclass whose metadata holds a `Setting`. A dataclass cleans its own settings
when it is made, so that none with a wrong one exists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from signatures.rendering.errors import TemplateError
from signatures.rendering.fields import BUILT_IN, Trust, get_custom_trust

from .links import Refused, clean_address, clean_link
from .markers import find_markers, holds_marker
from .texts import clean_text

Choices = tuple[tuple[str, str], ...]

COLOUR_PATTERN = "#[0-9a-fA-F]{6}"
_COLOUR = re.compile(COLOUR_PATTERN)
# Markup must not swallow what follows it: the end of a condition, and a marker.
_END = "{% endif %}<!-- /code -->"
_DIGITS = re.compile(r"[0-9]{1,6}")
# What `when` may ask for.
ASKABLE_FIELDS: Choices = tuple(
    (each.name, each.label) for each in BUILT_IN.with_trust(Trust.TEXT, Trust.EMAIL, Trust.URL, Trust.PHONE)
)


class Kind(StrEnum):
    """How a setting is checked and which input its form shows.

    NUMBER: int, low to high. SWITCH: bool. CHOICE: one of choices. COLOUR: one of choices, or #rrggbb.
    TEXT: with fields, at most `most` characters, several lines where `is_long`. LINK: a field's name or an
    address. IMAGE: one of choices, or an https address. LIST: different values of choices, in order, at most
    `most`. LINKS: pairs of one of choices and a link, in order, at most `most`. MARKUP: HTML with Liquid.
    With `takes_custom`, every custom field is a choice as well.
    """

    NUMBER = "number"
    SWITCH = "switch"
    CHOICE = "choice"
    COLOUR = "colour"
    TEXT = "text"
    LINK = "link"
    IMAGE = "image"
    LIST = "list"
    LINKS = "links"
    MARKUP = "markup"


@dataclass(frozen=True)
class Setting:
    """What one setting takes, and what a form says of it. unit: what a number counts."""

    kind: Kind
    label: str
    help: str = ""
    choices: Choices = ()
    low: int = 0
    high: int = 0
    unit: str = ""
    pattern: str = ""
    most: int = 0
    is_required: bool = False
    is_long: bool = False
    takes_custom: bool = False

    def clean(self, value: Any) -> Any:
        """Return `value` as it is kept. Raises: Refused, with a sentence that says what the setting takes."""
        return _CLEAN[self.kind](self, value)


class SettingsRefused(ValueError):
    """Settings of a theme or block do not fit. errors: setting -> sentence, without the name of either."""

    def __init__(self, label: str, errors: dict[str, str], labels: dict[str, str]) -> None:
        self.errors = errors
        super().__init__(" ".join(f"{label}, {labels.get(name, name)}: {errors[name]}" for name in errors))


def setting(kind: Kind, label: str, default: Any, **more: Any) -> Any:
    """Return a dataclass field with a Setting; `more` are the Setting's other fields."""
    return field(default=default, metadata={"setting": Setting(kind, label, **more)})


def settings_of(owner: type[Any]) -> dict[str, Setting]:
    """Return the settings of a class, a theme's or a block's, in the order of a form: what all blocks have last."""
    found = {each.name: each.metadata["setting"] for each in fields(owner) if "setting" in each.metadata}
    last = [name for name in ("gap", "when") if name in found and "when" in found]
    return {name: found[name] for name in [*(name for name in found if name not in last), *last]}


def clean_settings(owner: Any, label: str) -> None:
    """Clean each setting of the dataclass `owner` in place. Raises: SettingsRefused, with all that is wrong."""
    settings = settings_of(type(owner))
    errors = {}
    for name, one in settings.items():
        try:
            object.__setattr__(owner, name, one.clean(getattr(owner, name)))
        except Refused as error:
            errors[name] = str(error)
    if errors:
        raise SettingsRefused(label, errors, {name: one.label for name, one in settings.items()})


def _clean_number(one: Setting, value: Any) -> int:
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not one.low <= value <= one.high:
        raise Refused(f"Enter a whole number from {one.low} to {one.high}.")
    return value


def _clean_switch(one: Setting, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Refused("Select yes or no.")
    return value


def _clean_choice(one: Setting, value: Any) -> str:
    is_custom = one.takes_custom and isinstance(value, str) and get_custom_trust(value) is not None
    if not isinstance(value, str) or not (is_custom or value in dict(one.choices)):
        raise Refused("Select one of the choices.")
    return value


def _clean_colour(one: Setting, value: Any) -> str:
    if isinstance(value, str) and value in dict(one.choices):
        return value
    if not isinstance(value, str) or not _COLOUR.fullmatch(value.strip()):
        raise Refused("Enter a colour written #rrggbb, or select one of the choices.")
    return value.strip().lower()


def _clean_text(one: Setting, value: Any) -> str:
    text = clean_text(_require_string(value), is_long=one.is_long)
    if one.is_required and not text:
        raise Refused("Enter a text.")
    return _require_length(one, text)


def _clean_link(one: Setting, value: Any) -> str:
    return clean_link(_require_string(value), is_required=one.is_required)


def _clean_image(one: Setting, value: Any) -> str:
    value = _require_string(value)
    if value in dict(one.choices):
        return value
    return clean_address(value, "Select an image, or enter a URL that starts with https://.")


def _clean_list(one: Setting, value: Any) -> tuple[str, ...]:
    entries = tuple(_clean_choice(one, entry) for entry in _require_entries(one, value))
    if len(set(entries)) < len(entries):
        raise Refused("Each may be listed once.")
    return entries


def _clean_links(one: Setting, value: Any) -> tuple[tuple[str, str], ...]:
    pairs = []
    for entry in _require_entries(one, value):
        if not isinstance(entry, list | tuple) or len(entry) != 2:
            raise Refused("Enter a network and a link for each.")
        network = _clean_choice(one, entry[0])
        try:
            link = clean_link(_require_string(entry[1]), is_required=True)
        except Refused as error:
            raise Refused(f"{dict(one.choices)[network]}: {error}") from error
        pairs.append((network, link))
    return tuple(pairs)


def _clean_markup(one: Setting, value: Any) -> str:
    markup = _require_string(value).replace("\r\n", "\n").replace("\r", "\n").strip()
    if holds_marker(markup):
        raise Refused("Take out the comments that mark blocks.")
    try:
        ends = list(find_markers(f"{markup}{_END}"))
    except TemplateError as error:
        raise Refused(error.message) from error
    if not ends:
        raise Refused("A comment or tag at the end has no end.")
    return _require_length(one, markup)


def _require_string(value: Any) -> str:
    if not isinstance(value, str):
        raise Refused("Enter a text.")
    return value


def _require_length(one: Setting, text: str) -> str:
    if len(text) > one.most:
        raise Refused(f"Enter at most {one.most:,} characters.")
    return text


def _require_entries(one: Setting, value: Any) -> Iterable[Any]:
    if not isinstance(value, list | tuple):
        raise Refused("Enter a list.")
    if not value and one.is_required:
        raise Refused("Select at least one.")
    if len(value) > one.most:
        raise Refused(f"Select at most {one.most}.")
    return value


_CLEAN: dict[Kind, Callable[[Setting, Any], Any]] = {
    Kind.NUMBER: _clean_number,
    Kind.SWITCH: _clean_switch,
    Kind.CHOICE: _clean_choice,
    Kind.COLOUR: _clean_colour,
    Kind.TEXT: _clean_text,
    Kind.LINK: _clean_link,
    Kind.IMAGE: _clean_image,
    Kind.LIST: _clean_list,
    Kind.LINKS: _clean_links,
    Kind.MARKUP: _clean_markup,
}
