"""Banner slot: finds it in HTML by our own addresses. Nothing is fetched, and no parser rewrites the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html import escape, unescape
from urllib.parse import unquote, urlsplit

MOST_ATTRIBUTES = 100  # after a longer tag the search ends, so that a hostile page is read in linear time
MOST_TAGS = 100_000  # links and pictures of a page
MOST_LINK_BYTES = 8_192  # between the start and end tag of a link whose only content is our picture

_OPENING = re.compile(rb"<!--|<(/?)(a|img)(?=[\s/>])", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    rb"""[\s/]*+(?:(>)|([^\s/>][^\s/>=]*+)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+)|(?!\s*+=\s*+["'])))"""
)
_TAG = re.compile(rb"<[^<>]*+>")
_BLANKS = re.compile(rb"(?:\s|&nbsp;|&#160;|&#xa0;|\xc2\xa0|\xa0)*", re.IGNORECASE)


class PageRefused(Exception):
    """A page that takes too long to read; the message quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The banner one recipient gets: its URLs and alt text, not escaped."""

    image_url: str
    image_url_2x: str
    click_url: str
    alt: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces start:end by `new`. filler: may be repeated after it without changing what is shown."""

    start: int
    end: int
    new: bytes
    filler: bytes = b""


@dataclass(frozen=True, slots=True)
class Value:
    """An attribute's value in the page, quotes included."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Slot:
    """One place for a banner: a picture of ours, and the link around it where there is one."""

    key: str
    is_2x: bool
    picture: Value
    alt: Value | None
    link: Value | None

    def make_edits(self, shown: Shown) -> list[Edit]:
        """Return the edits that put this banner into the slot, in the order of the page. Styles and sizes stay."""
        image_url = shown.image_url_2x if self.is_2x else shown.image_url
        edits = [Edit(self.picture.start, self.picture.end, _quote(image_url), b" ")]
        if self.alt is not None:
            edits.append(Edit(self.alt.start, self.alt.end, _quote(shown.alt)))
        if self.link is not None:
            edits.append(Edit(self.link.start, self.link.end, _quote(shown.click_url)))
        return sorted(edits, key=lambda edit: edit.start)


class Marks:
    """The form of our own addresses. public_url: scheme and host, as in the setting."""

    def __init__(self, public_url: str) -> None:
        where = re.escape(urlsplit(public_url).netloc)
        self._host = re.compile(where.encode(), re.IGNORECASE)
        self._picture = re.compile(
            rf"(?:https?:)?//{where}/b/([A-Za-z0-9_-]{{22}})((?:@|%40)2x)?\.[a-z]{{3,4}}(?:[?#].*)?",
            re.IGNORECASE | re.DOTALL,
        )

    def are_in(self, html: bytes) -> bool:
        """Return whether the page names our host at all: cheap, and true of every page with a slot."""
        return self._host.search(html) is not None

    def read_picture(self, address: str) -> tuple[str, bool] | None:
        """Return the sender's key, and whether it is the picture at 2×; None for any other address.

        Also for the picture of a decision, which was made for one recipient already.
        """
        match = self._picture.fullmatch(address)
        return (match[1], bool(match[2])) if match else None


def find_slots(html: bytes, marks: Marks) -> list[Slot]:
    """Return the slots of a page in their order.

    html: one byte for each ASCII character; other bytes may mean anything. Comments are skipped.
    A link belongs to the slot when it names the same key, also wrapped by a click tracker, or when our
    picture is its only content. Raises PageRefused.
    """
    slots: list[Slot] = []
    link: _Link | None = None
    for number, tag in enumerate(_read_tags(html)):
        if number >= MOST_TAGS:
            raise PageRefused("too many links and pictures")
        if tag.name == b"img":
            slot = _read_picture(tag, marks)
            if slot is not None and link is not None:
                link.slots.append(slot)
            elif slot is not None:
                slots.append(slot)
            continue
        if link is not None:
            slots += link.close(html, tag.start)
        link = None if tag.is_end else _Link(tag.end, tag.get("href"))
    if link is not None:
        slots += link.close(html, None)
    return slots


@dataclass(frozen=True, slots=True)
class _Tag:
    name: bytes
    is_end: bool
    start: int
    end: int
    attributes: dict[bytes, Value]

    def get(self, name: str) -> Value | None:
        return self.attributes.get(name.encode())


@dataclass(slots=True)
class _Link:
    """A link whose end was not read yet, with our pictures inside."""

    content_start: int
    href: Value | None
    slots: list[Slot] = field(default_factory=list)

    def close(self, html: bytes, end: int | None) -> list[Slot]:
        """Return its slots, with this link where it belongs to them. end: of its content, None where it has no end."""
        is_bare = end is not None and len(self.slots) == 1 and self._holds_no_words(html, end)
        return [
            replace(slot, link=self.href)
            if self.href is not None and (is_bare or slot.key in unquote(unquote(self.href.text)))
            else slot
            for slot in self.slots
        ]

    def _holds_no_words(self, html: bytes, end: int) -> bool:
        if end - self.content_start > MOST_LINK_BYTES:
            return False
        return _BLANKS.fullmatch(_TAG.sub(b"", html[self.content_start : end])) is not None


def _read_picture(tag: _Tag, marks: Marks) -> Slot | None:
    src, srcset = tag.get("src"), tag.get("srcset")
    if src is None or srcset is not None:  # a page with other sizes is not from our templates
        return None
    picture = marks.read_picture(src.text)
    return Slot(*picture, picture=src, alt=tag.get("alt"), link=None) if picture else None


def _read_tags(html: bytes) -> Iterator[_Tag]:
    """Every tag of links and pictures outside comments, read as HTML's tokenizer reads it."""
    position = 0
    while opening := _OPENING.search(html, position):
        position = opening.end()
        if opening[2] is None:
            end = html.find(b"-->", position)
            if end < 0:
                return  # the rest is a comment
            position = end + 3
            continue
        read = _read_attributes(html, position)
        if read is None:
            return  # the rest belongs to this tag
        attributes, position = read
        yield _Tag(opening[2].lower(), bool(opening[1]), opening.start(), position, attributes)


def _read_attributes(html: bytes, position: int) -> tuple[dict[bytes, Value], int] | None:
    """Return the attributes and the end of the tag; None where it has none. Of two with one name, the first counts."""
    attributes: dict[bytes, Value] = {}
    for _ in range(MOST_ATTRIBUTES):
        match = _ATTRIBUTE.match(html, position)
        if match is None:
            return None
        position = match.end()
        if match[1]:
            return attributes, position
        if match[3] is not None:
            attributes.setdefault(match[2].lower(), Value(match.start(3), position, _read_value(match[3])))
    return None


def _read_value(raw: bytes) -> str:
    """Return the value as browsers read an address: no quotes, entities resolved, no spaces or line breaks."""
    if raw[:1] in b"\"'":
        raw = raw[1:-1]
    return re.sub(r"[\t\r\n]", "", unescape(raw.decode("latin-1"))).strip()


def _quote(text: str) -> bytes:
    """Return the text as an attribute's value in ASCII, which every charset that we search contains."""
    return b'"' + escape(text).encode("ascii", "xmlcharrefreplace") + b'"'
