"""Liquid in markup, put aside and put back: the sanitizer sees stand-ins that survive it.

A tag becomes a comment (comments may stand anywhere, between table rows too), an output in
text becomes two private characters around a number, in an address a word, in a colour a colour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from signatures.rendering.errors import TemplateError
from signatures.rendering.fields import FIELD_BY_NAME, Trust
from signatures.rendering.marks import SLOT_CLOSE, SLOT_OPEN

LIQUID_PIECE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_SLOT = re.compile(f"{SLOT_OPEN}(\\d+){SLOT_CLOSE}")
_MARKUP = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<style\b[^>]*>(?P<css>.*?)</style\s*>"
    r"|<[a-zA-Z/!?](?:[^>\"']|\"[^\"]*\"|'[^']*')*>",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+))""")
_OPEN_TABLE = re.compile(
    r"(<table\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*>)((?:\s|\ue010\d+\ue011)*)(?=<tr\b)", re.IGNORECASE
)
_TEXT_ATTRIBUTES = frozenset({"alt", "title"})
_URL_ATTRIBUTES = frozenset({"href", "src"})
_NUMBER_ATTRIBUTES = frozenset({"width", "height"})
_PATH_STARTED = re.compile(r"https://[^/?#\s\ue010]+[/?#]|mailto:", re.IGNORECASE)


class Place(StrEnum):
    """Where in the markup a piece of Liquid stands."""

    BETWEEN = "between"
    TEXT = "text"
    TEXT_ATTRIBUTE = "text attribute"
    URL_START = "address"
    URL_PART = "part of an address"
    COLOUR = "colour"
    NUMBER = "number"


@dataclass
class Slot:
    """One piece of Liquid: its text, where it stood, and the outputs' fields and filters."""

    source: str
    position: int
    fields: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    place: Place | None = None
    stand_in: str = ""

    @property
    def is_output(self) -> bool:
        return self.source.startswith("{{")

    @property
    def is_of_place(self) -> bool:
        """Whether it writes an address of the sender's banner."""
        return self.is_output and any(FIELD_BY_NAME[name].trust is Trust.PLACE for name in self.fields)

    def restored(self) -> str:
        """Return the Liquid to store: as written, with the filter its place demands."""
        if self.place is Place.URL_PART and not {"url_encode", "tel"} & set(self.filters):
            return self.source.rstrip("-}").rstrip() + " | url_encode }}"
        return self.source


@dataclass
class SlottedMarkup:
    """Markup whose Liquid was put aside, and the CSS of its <style> blocks."""

    html: str
    css: str
    slots: list[Slot] = field(default_factory=list)
    word: str = "slot"
    thousand: int = 9


class Locator:
    """Says where a position in the source is, for error messages."""

    def __init__(self, source: str) -> None:
        self._source = source

    def error(self, message: str, position: int) -> TemplateError:
        """Return a TemplateError pointing at `position`."""
        before = self._source[: max(0, position)]
        return TemplateError(message, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def put_aside(source: str, slots: list[Slot], at: Locator) -> SlottedMarkup:
    """Return `source` with each slot replaced by a stand-in, comments and <style> blocks taken out.

    slots: in source order, one for every piece of Liquid in `source`.
    Raises: TemplateError where Liquid stands in a place it cannot.
    """
    numbers = iter(range(len(slots)))
    numbered = LIQUID_PIECE.sub(lambda _: f"{SLOT_OPEN}{next(numbers)}{SLOT_CLOSE}", source)
    # Without it a parser opens the table body itself, after a condition that stands before the row.
    numbered = _OPEN_TABLE.sub(r"\1<tbody>\2", numbered)
    markup = SlottedMarkup("", "", slots, word=_unused_word(source), thousand=_unused_thousand(source))
    styles: list[str] = []

    def replace(found: re.Match[str]) -> str:
        piece = found[0]
        inside = [slots[int(number)] for number in _SLOT.findall(piece)]
        if piece.startswith("<!--"):
            for slot in inside:
                if not slot.is_output:
                    raise at.error(
                        "A condition cannot stand in an HTML comment; take the comment out.", slot.position
                    )
            return ""
        if found["css"] is not None:
            if inside:
                raise at.error(
                    "Fields and conditions cannot stand in <style>; use a style attribute.",
                    inside[0].position,
                )
            styles.append(found["css"])
            return ""
        return _place_in_tag(piece, markup, at) if inside else piece

    html = _MARKUP.sub(replace, numbered)
    markup.html = _SLOT.sub(lambda found: _place_in_text(int(found[1]), slots, at), html)
    markup.css = "\n".join(styles)
    return markup


def _place_in_text(number: int, slots: list[Slot], at: Locator) -> str:
    slot = slots[number]
    if slot.is_of_place:
        raise at.error(_say_whole(slot), slot.position)
    if slot.place is None:
        slot.place = Place.TEXT if slot.is_output else Place.BETWEEN
        text = f"{SLOT_OPEN}{number}{SLOT_CLOSE}"
        slot.stand_in = text if slot.is_output else f"<!--{text}-->"
    return slot.stand_in


def _place_in_tag(tag: str, markup: SlottedMarkup, at: Locator) -> str:
    def in_attribute(found: re.Match[str]) -> str:
        quoted = next((value for value in found.groups()[1:3] if value is not None), None)
        if quoted is None or not _SLOT.search(quoted):
            return found[0]
        if found[1].lower() in _URL_ATTRIBUTES:
            quoted = quoted.strip()
        if quoted.lower().startswith("tel:") and _SLOT.fullmatch(quoted[4:].strip()):
            quoted = _as_tel_link(quoted[4:].strip(), markup.slots)
        return f'{found[1]}="{_place_in_value(found[1].lower(), quoted, markup, at)}"'

    placed = _ATTRIBUTE.sub(in_attribute, tag)
    for number in _SLOT.findall(placed):
        slot = markup.slots[int(number)]
        if slot.place is None and slot.is_output:
            raise at.error("A field inside a tag must stand in a quoted attribute value.", slot.position)
        if slot.place is None:
            raise at.error(
                "A condition cannot stand inside a tag; put it around the whole element.", slot.position
            )
    return placed


def _as_tel_link(quoted: str, slots: list[Slot]) -> str:
    """Return `quoted`, its slot now writing the whole tel: link."""
    slot = slots[int(_SLOT.findall(quoted)[0])]
    if "tel" not in slot.filters:
        slot.source = slot.source.rstrip("-}").rstrip() + " | tel }}"
        slot.filters = (*slot.filters, "tel")
    return quoted


def _place_in_value(attribute: str, value: str, markup: SlottedMarkup, at: Locator) -> str:
    def place(found: re.Match[str]) -> str:
        number = int(found[1])
        slot = markup.slots[number]
        if not slot.is_output:
            raise at.error(
                "A condition cannot stand inside a tag; put it around the whole element.", slot.position
            )
        if slot.is_of_place and (attribute not in _URL_ATTRIBUTES or found[0] != value):
            raise at.error(_say_whole(slot), slot.position)
        if attribute in _TEXT_ATTRIBUTES:
            slot.place, slot.stand_in = Place.TEXT_ATTRIBUTE, found[0]
        elif attribute in _URL_ATTRIBUTES:
            _place_in_address(attribute, slot, number, value[: found.start()], markup, at)
        elif attribute in _NUMBER_ATTRIBUTES and _is_number(slot):
            if found[0] != value or number > 999:
                raise at.error(f"A number is the whole {attribute}.", slot.position)
            slot.place, slot.stand_in = Place.NUMBER, f"{markup.thousand}{number:03}"
        elif attribute in ("style", "bgcolor", "color"):
            _require_colour(slot, at)
            slot.place, slot.stand_in = Place.COLOUR, colour_stand_in(markup.word, number)
        else:
            raise at.error(f"A field cannot stand in the {attribute} attribute.", slot.position)
        return slot.stand_in

    return _SLOT.sub(place, value)


def _place_in_address(
    attribute: str, slot: Slot, number: int, before: str, markup: SlottedMarkup, at: Locator
) -> None:
    if before:
        if not _PATH_STARTED.match(before):
            raise at.error(
                "Write the start of the address out (https://host/…), or use one field for all of it.",
                slot.position,
            )
        slot.place, slot.stand_in = Place.URL_PART, f"{markup.word}{number}z"
        return
    trusts = {FIELD_BY_NAME[name].trust for name in slot.fields}
    is_tel = trusts == {Trust.PHONE} and slot.filters[-1:] == ("tel",) and attribute == "href"
    if not is_tel and trusts - {Trust.URL, Trust.PLACE}:
        raise at.error(
            f"{slot.fields[0]} is not a web address, so it cannot be a whole {attribute}; "
            "e-mail addresses go after mailto:, phone numbers after tel:.",
            slot.position,
        )
    if not is_tel and set(slot.filters) - {"default"}:
        raise at.error("A web address takes no filter but default.", slot.position)
    slot.place, slot.stand_in = Place.URL_START, f"https://{markup.word}{number}z.example"


def _is_number(slot: Slot) -> bool:
    trusts = {FIELD_BY_NAME[name].trust for name in slot.fields}
    return trusts == {Trust.NUMBER} and not slot.filters


def _say_whole(slot: Slot) -> str:
    return f"{slot.fields[0]} can only be a whole href or src."


def _require_colour(slot: Slot, at: Locator) -> None:
    if {FIELD_BY_NAME[name].trust for name in slot.fields} != {Trust.COLOUR}:
        raise at.error("Only a colour field can stand in a style.", slot.position)
    if set(slot.filters) - {"default", "contrast"}:
        raise at.error("A colour takes no filters but default and contrast.", slot.position)


def colour_stand_in(word: str, number: int) -> str:
    """Return an eight-digit colour that stands for slot `number`."""
    return f"#{word_digits(word)}{number:04x}"


def word_digits(word: str) -> str:
    """Return the four hex digits that mark colour stand-ins of this template."""
    return f"{0xC500 + int(word[4:]) % 0xFF:04x}"


def _unused_word(source: str) -> str:
    """Return a word that occurs nowhere in `source`, nor does its colour form."""
    lowered = source.lower()
    for attempt in range(1_000):
        word = f"slot{attempt}"
        if f"{word}" not in lowered and f"#{word_digits(word)}" not in lowered:
            return f"{word}"
    raise TemplateError("The template uses too many words that start with slot.")


def _unused_thousand(source: str) -> int:
    """Return a digit that starts no number of four digits in quotes in `source`."""
    for digit in range(9, 0, -1):
        if not re.search(rf"[\"'=\s]{digit}\d\d\d[\"'>\s]", source):
            return digit
    raise TemplateError("The template uses too many numbers of four digits.")


def put_back(html: str, markup: SlottedMarkup, at: Locator) -> str:
    """Return sanitized `html` with every stand-in replaced by its Liquid again.

    Raises: TemplateError when a stand-in reached a place it was not made for.
    """
    pieces = re.split(r"(<!--.*?-->|<[^>]*>)", html)
    return "".join(_restore_piece(piece, markup, at) for piece in pieces)


def _restore_piece(piece: str, markup: SlottedMarkup, at: Locator) -> str:
    comment = re.fullmatch(f"<!--{SLOT_OPEN}(\\d+){SLOT_CLOSE}-->", piece)
    if comment:
        return markup.slots[int(comment[1])].source
    if piece.startswith("<!--"):
        return ""
    in_tag = piece.startswith("<")
    for slot in markup.slots:
        if not slot.stand_in or slot.stand_in not in piece:
            continue
        if slot.place is Place.NUMBER:
            piece = piece.replace(f'="{slot.stand_in}"', f'="{slot.restored()}"')
            continue
        if (slot.place is Place.TEXT) == in_tag:
            raise at.error(
                "This field ended up in a place where it cannot stand; check the markup.", slot.position
            )
        piece = piece.replace(slot.stand_in, slot.restored())
    return piece
