"""Banner slot: finds it in HTML by its mark, our own addresses; without a rewriting parser or network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html import escape, unescape
from urllib.parse import unquote, urlsplit

MOST_ATTRIBUTES = 100  # behind a tag with more nothing is looked for; a hostile page is read in linear time
MOST_TAGS = 100_000  # links and pictures of a page
MOST_LINK_BYTES = 8_192  # between a link's tag and its end, where its only content is to be our picture

_OPENING = re.compile(rb"<!--|<(/?)(a|img)(?=[\s/>])", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    rb"""[\s/]*+(?:(>)|([^\s/>][^\s/>=]*+)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+)|(?!\s*+=\s*+["'])))"""
)
_TAG = re.compile(rb"<[^<>]*+>")
_BLANKS = re.compile(rb"(?:\s|&nbsp;|&#160;|&#xa0;|\xc2\xa0|\xa0)*", re.IGNORECASE)


class PageRefused(Exception):
    """A page that takes too long to read; the words quote nothing of it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The banner one recipient gets: its addresses and its words, not escaped."""

    image_url: str
    image_url_2x: str
    click_url: str
    alt: str


@dataclass(frozen=True, slots=True)
class Edit:
    """`new` stands where start:end stood. filler: may be repeated behind it without changing what is shown."""

    start: int
    end: int
    new: bytes
    filler: bytes = b""


@dataclass(frozen=True, slots=True)
class Value:
    """An attribute's value as it stands in the page, quotes included."""

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
        """Return what shows this banner in the slot, in the order of the page. Styles and sizes stay."""
        image_url = shown.image_url_2x if self.is_2x else shown.image_url
        edits = [Edit(self.picture.start, self.picture.end, _quote(image_url), b" ")]
        if self.alt is not None:
            edits.append(Edit(self.alt.start, self.alt.end, _quote(shown.alt)))
        if self.link is not None:
            edits.append(Edit(self.link.start, self.link.end, _quote(shown.click_url)))
        return sorted(edits, key=lambda edit: edit.start)


class Marks:
    """What our own addresses look like. public_url: scheme and host, as in the setting."""

    def __init__(self, public_url: str) -> None:
        where = re.escape(urlsplit(public_url).netloc)
        self._host = re.compile(where.encode(), re.IGNORECASE)
        self._picture = re.compile(
            rf"(?:https?:)?//{where}/b/([A-Za-z0-9_-]{{22}})((?:@|%40)2x)?\.[a-z]{{3,4}}(?:[?#].*)?",
            re.IGNORECASE | re.DOTALL,
        )

    def are_in(self, html: bytes) -> bool:
        """Whether the page names our host at all: cheap, and true of every page with a slot."""
        return self._host.search(html) is not None

    def read_picture(self, address: str) -> tuple[str, bool] | None:
        """Return the sender's key, and whether it is the picture at 2×; None for any other address.

        Nor has the picture of a decision a key: it was chosen already.
        """
        match = self._picture.fullmatch(address)
        return (match[1], bool(match[2])) if match else None


def find_slots(html: bytes, marks: Marks) -> list[Slot]:
    """Return the slots of a page in the order in which they stand.

    html: one byte a character up to 127; bytes above may mean anything. Comments are skipped.
    A link belongs to the slot when it names the same key, however a click tracker wrapped it, or when our
    picture is all it holds. Raises PageRefused.
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
    """A link whose end is not read yet, with the pictures of ours inside."""

    content_start: int
    href: Value | None
    slots: list[Slot] = field(default_factory=list)

    def close(self, html: bytes, end: int | None) -> list[Slot]:
        """Return its slots, with this link where it is theirs. end: where its content ends, None if nowhere."""
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
    if src is None or srcset is not None:  # a page that offers others is not from our templates
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
                return  # what follows is all comment
            position = end + 3
            continue
        read = _read_attributes(html, position)
        if read is None:
            return  # what follows is all this tag
        attributes, position = read
        yield _Tag(opening[2].lower(), bool(opening[1]), opening.start(), position, attributes)


def _read_attributes(html: bytes, position: int) -> tuple[dict[bytes, Value], int] | None:
    """Return the attributes and where the tag ends; None where it does not. Of two of a name, the first counts."""
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
    """Return the value as a browser reads an address: no quotes, entities resolved, no blanks or breaks."""
    if raw[:1] in b"\"'":
        raw = raw[1:-1]
    return re.sub(r"[\t\r\n]", "", unescape(raw.decode("latin-1"))).strip()


def _quote(text: str) -> bytes:
    """Return the text as an attribute's value in ASCII, which stands in every charset we look into."""
    return b'"' + escape(text).encode("ascii", "xmlcharrefreplace") + b'"'
