"""Placeholders: replace Liquid in markup, and survive the sanitizer.

A tag becomes a comment (allowed anywhere, also between table rows); an output becomes two private characters around
a number in text, a word in an address, and a colour in a colour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from signatures.rendering.errors import Locator, TemplateError
from signatures.rendering.fields import Field, Trust
from signatures.rendering.markup import ATTRIBUTE, Kind, Piece, read_pieces

from .sentinels import SLOT_CLOSE, SLOT_OPEN

LIQUID_PIECE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_SLOT = re.compile(f"{SLOT_OPEN}(\\d+){SLOT_CLOSE}")
_TAGS = re.compile(r"(<[^<>]*+>)")
_BEFORE_ROW = re.compile(r"(?:\s++|\ue010\d+\ue011)*+(?=<tr\b)", re.IGNORECASE)
_TEXT_ATTRIBUTES = frozenset({"alt", "title"})
_URL_ATTRIBUTES = frozenset({"href", "src"})
_NUMBER_ATTRIBUTES = frozenset({"width", "height"})
_PATH_STARTED = re.compile(r"https://[^/?#\s\ue010]+[/?#]|mailto:", re.IGNORECASE)


class Place(StrEnum):
    """The place of a piece of Liquid in the markup."""

    BETWEEN = "between"
    TEXT = "text"
    TEXT_ATTRIBUTE = "text attribute"
    URL_START = "address"
    URL_PART = "part of an address"
    COLOUR = "colour"
    NUMBER = "number"


@dataclass
class Slot:
    """One piece of Liquid: its text, its place, and the outputs' fields and filters."""

    source: str
    position: int
    fields: tuple[Field, ...] = ()
    filters: tuple[str, ...] = ()
    place: Place | None = None
    placeholder: str = ""

    @property
    def is_output(self) -> bool:
        return self.source.startswith("{{")

    @property
    def trusts(self) -> set[Trust]:
        return {one.trust for one in self.fields}

    @property
    def is_of_place(self) -> bool:
        """Whether it writes an address of the sender's banner."""
        return self.is_output and Trust.PLACE in self.trusts

    def restored(self) -> str:
        """Return the Liquid to store: as written, with the filter that its place needs."""
        if self.place is Place.URL_PART and not {"url_encode", "tel"} & set(self.filters):
            return self.source.rstrip("-}").rstrip() + " | url_encode }}"
        return self.source


@dataclass
class SlottedMarkup:
    """Markup with placeholders, and the CSS of its <style> blocks."""

    html: str
    css: str
    slots: list[Slot] = field(default_factory=list)
    word: str = "slot"
    thousand: int = 9


def put_aside(source: str, slots: list[Slot], at: Locator) -> SlottedMarkup:
    """Return `source` with each slot replaced by a placeholder, comments and <style> blocks removed.

    slots: in source order, one for every piece of Liquid in `source`.
    Raises: TemplateError where Liquid is not allowed in its place.
    """
    numbers = iter(range(len(slots)))
    numbered = LIQUID_PIECE.sub(lambda _: f"{SLOT_OPEN}{next(numbers)}{SLOT_CLOSE}", source)
    markup = SlottedMarkup("", "", slots, word=_unused_word(source), thousand=_unused_thousand(source))
    texts: list[str] = []
    styles: list[str] = []
    position = 0
    for piece in read_pieces(numbered):
        # Removing a comment must not form a tag.
        texts.append(numbered[position : piece.start].replace("<", "&lt;"))
        texts.append(_place_piece(piece, markup, styles, at))
        position = piece.end
        # Otherwise a parser opens the table body itself, after a condition before the row.
        if (piece.kind, piece.name) == (Kind.START, "table") and _BEFORE_ROW.match(numbered, position):
            texts.append("<tbody>")
    texts.append(numbered[position:].replace("<", "&lt;"))
    markup.html = _SLOT.sub(lambda found: _place_in_text(int(found[1]), slots, at), "".join(texts))
    markup.css = "\n".join(styles)
    return markup


def _place_piece(piece: Piece, markup: SlottedMarkup, styles: list[str], at: Locator) -> str:
    """Return the tag with placeholders; "" for comments and for <style>, whose CSS is kept."""
    inside = [markup.slots[int(number)] for number in _SLOT.findall(piece.text + (piece.inside or ""))]
    if piece.kind is not Kind.COMMENT and piece.inside is None:
        return _place_in_tag(piece, markup, at) if inside else piece.text
    if piece.name == "style" and inside:
        raise at.error(
            "Fields and conditions cannot stand in <style>; use a style attribute.", inside[0].position
        )
    for slot in inside:
        if not slot.is_output:
            where = f"in <{piece.name}>" if piece.name else "in an HTML comment; take the comment out"
            raise at.error(f"A condition cannot stand {where}.", slot.position)
    if piece.name == "style":
        styles.append(piece.inside or "")
    return f"<{piece.name}></{piece.name}>" if piece.name not in ("", "style") else ""


def _place_in_text(number: int, slots: list[Slot], at: Locator) -> str:
    slot = slots[number]
    if slot.is_of_place:
        raise at.error(_say_whole(slot), slot.position)
    if slot.place is None:
        slot.place = Place.TEXT if slot.is_output else Place.BETWEEN
        text = f"{SLOT_OPEN}{number}{SLOT_CLOSE}"
        slot.placeholder = text if slot.is_output else f"<!--{text}-->"
    return slot.placeholder


def _place_in_tag(tag: Piece, markup: SlottedMarkup, at: Locator) -> str:
    def in_attribute(found: re.Match[str]) -> str:
        quoted = next((value for value in (found["double"], found["single"]) if value is not None), None)
        if quoted is None or not _SLOT.search(quoted):
            return found[0]
        if found["name"].lower() in _URL_ATTRIBUTES:
            quoted = quoted.strip()
        if quoted.lower().startswith("tel:") and _SLOT.fullmatch(quoted[4:].strip()):
            quoted = _as_tel_link(quoted[4:].strip(), markup.slots)
        quoted = quoted.replace('"', "&quot;")
        return f'{found["name"]}="{_place_in_value(found["name"].lower(), quoted, markup, at)}"'

    attributes = tag.text[tag.attributes_start :]
    placed = tag.text[: tag.attributes_start] + ATTRIBUTE.sub(in_attribute, attributes)
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
            slot.place, slot.placeholder = Place.TEXT_ATTRIBUTE, found[0]
        elif attribute in _URL_ATTRIBUTES:
            _place_in_address(attribute, slot, number, value[: found.start()], markup, at)
        elif attribute in _NUMBER_ATTRIBUTES and _is_number(slot):
            if found[0] != value or number > 999:
                raise at.error(f"A number is the whole {attribute}.", slot.position)
            slot.place, slot.placeholder = Place.NUMBER, f"{markup.thousand}{number:03}"
        elif attribute in ("style", "bgcolor", "color"):
            _require_colour(slot, at)
            slot.place, slot.placeholder = Place.COLOUR, colour_placeholder(markup.word, number)
        else:
            raise at.error(f"A field cannot stand in the {attribute} attribute.", slot.position)
        return slot.placeholder

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
        slot.place, slot.placeholder = Place.URL_PART, f"{markup.word}{number}z"
        return
    is_tel = slot.trusts == {Trust.PHONE} and slot.filters[-1:] == ("tel",) and attribute == "href"
    whole = {Trust.URL, Trust.PLACE} | ({Trust.IMAGE} if attribute == "src" else set())
    if not is_tel and slot.trusts - whole:
        raise at.error(
            f"{slot.fields[0].name} is not a web address, so it cannot be a whole {attribute}; "
            "e-mail addresses go after mailto:, phone numbers after tel:.",
            slot.position,
        )
    if not is_tel and set(slot.filters) - {"default"}:
        raise at.error("A web address takes no filter but default.", slot.position)
    slot.place, slot.placeholder = Place.URL_START, f"https://{markup.word}{number}z.example"


def _is_number(slot: Slot) -> bool:
    return slot.trusts == {Trust.NUMBER} and not slot.filters


def _say_whole(slot: Slot) -> str:
    return f"{slot.fields[0].name} can only be a whole href or src."


def _require_colour(slot: Slot, at: Locator) -> None:
    if slot.trusts != {Trust.COLOUR}:
        raise at.error("Only a colour field can stand in a style.", slot.position)
    if set(slot.filters) - {"default", "contrast"}:
        raise at.error("A colour takes no filters but default and contrast.", slot.position)


def colour_placeholder(word: str, number: int) -> str:
    """Return an eight-digit colour as placeholder of slot `number`."""
    return f"#{word_digits(word)}{number:04x}"


def word_digits(word: str) -> str:
    """Return the four hex digits that mark colour placeholders of this template."""
    return f"{0xC500 + int(word[4:]) % 0xFF:04x}"


def _unused_word(source: str) -> str:
    """Return a word that occurs nowhere in `source`, also not as a colour."""
    lowered = source.lower()
    for attempt in range(1_000):
        word = f"slot{attempt}"
        if f"{word}" not in lowered and f"#{word_digits(word)}" not in lowered:
            return f"{word}"
    raise TemplateError("The template uses too many words that start with slot.")


def _unused_thousand(source: str) -> int:
    """Return a digit that starts no number of four digits in quotes in `source`."""
    for digit in range(9, 0, -1):
        if not re.search(rf"[\"'=\s]{digit}\d\d\d(?!\d)", source):
            return digit
    raise TemplateError("The template uses too many numbers of four digits.")


def put_back(html: str, markup: SlottedMarkup, at: Locator) -> str:
    """Return sanitized `html` with every placeholder replaced by its Liquid again.

    Raises: TemplateError when a placeholder got to a place where it is not allowed.
    """
    placeholders = re.compile(
        f"{SLOT_OPEN}(?P<mark>\\d+){SLOT_CLOSE}|(?:https://)?{markup.word}(?P<word>\\d+)z(?:\\.example)?"
        f"|#{word_digits(markup.word)}(?P<colour>[0-9a-f]{{4}})"
        f'|(?<=="){markup.thousand}(?P<number>\\d{{3}})(?=")'
    )

    def restore_piece(piece: str) -> str:
        if comment := re.fullmatch(f"<!--{SLOT_OPEN}(\\d+){SLOT_CLOSE}-->", piece):
            return markup.slots[int(comment[1])].source
        is_tag = piece.startswith("<")

        def restore(found: re.Match[str]) -> str:
            kind = found.lastgroup or ""
            slot = markup.slots[int(found[kind], 16 if kind == "colour" else 10)]
            if (slot.place is Place.TEXT) == is_tag:
                raise at.error(
                    "This field ended up in a place where it cannot stand; check the markup.", slot.position
                )
            return found[0].replace(slot.placeholder, slot.restored())

        return placeholders.sub(restore, piece)

    return "".join(restore_piece(piece) for piece in _TAGS.split(html))
