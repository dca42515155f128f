"""Message: finds the banner slots of a whole message, and writes a recipient's copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from .bodies import Body, BodyRefused, Splice, open_body
from .charsets import BYTE_ORDER_MARKS, get_byte_order, holds_ascii
from .mime import LeftAlone, Part, read_header, walk_parts
from .slot import Edit, Marks, PageRefused, Shown, Slot, find_slots

__all__ = ["Found", "LeftAlone", "examine"]

# Encoded bytes of one text part, and of all that are searched; parts with signatures are far smaller.
LARGEST_PAGE = 4 * 1024 * 1024
MOST_SLOTS = 1_000  # of a message; a long conversation has one for each answer

_SLOT_BYTES = 2_048  # in bytes, with the banner of one copy
# Cryptographic signatures over the whole message, which any change would break.
_SEALS = ("dkim-signature", "domainkey-signature", "arc-seal", "arc-message-signature")
# Inline PGP. The first dash may be quoted.
_ARMOUR = (b"----BEGIN PGP MESSAGE", b"----BEGIN PGP SIGNED MESSAGE")


@dataclass(frozen=True, slots=True)
class Page:
    """One HTML part with its slots. width: bytes of a character; 2 in UTF-16, with `order` as its byte order."""

    body: Body
    slots: tuple[Slot, ...]
    width: int = 1
    offset: int = 0
    order: str = ""

    def splice(self, shown_by_key: Mapping[str, Shown]) -> list[Splice]:
        edits = [
            [self._place(edit) for edit in slot.make_edits(shown_by_key[slot.key])]
            for slot in self.slots
            if slot.key in shown_by_key
        ]
        return self.body.splice(edits) if edits else []

    def _place(self, edit: Edit) -> Edit:
        if self.width == 1:
            return edit
        return Edit(
            self.offset + edit.start * 2,
            self.offset + edit.end * 2,
            edit.new.decode("ascii").encode(self.order),
            edit.filler.decode("ascii").encode(self.order),
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A message with slots. authors: the addresses in its From, in lower case."""

    raw: bytes
    pages: tuple[Page, ...]
    authors: tuple[str, ...]

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(slot.key for page in self.pages for slot in page.slots)

    @property
    def size(self) -> int:
        """Roughly how many bytes it takes beside the message."""
        return sum(page.body.size + len(page.slots) * _SLOT_BYTES for page in self.pages)

    def write(self, shown_by_key: Mapping[str, Shown]) -> list[memoryview | bytes]:
        """Return the copy with these banners, in pieces; unchanged pieces are views of the message.

        Slots of other keys stay. Raises BodyRefused.
        """
        pieces: list[memoryview | bytes] = []
        view, at = memoryview(self.raw), 0
        for splice in chain.from_iterable(page.splice(shown_by_key) for page in self.pages):
            pieces += [view[at : splice.start], splice.new]
            at = splice.end
        return [*pieces, view[at:]]


def examine(raw: bytes, marks: Marks) -> Found:
    """Return the message with the slots in its HTML.

    Raises LeftAlone where there is none, and for what must not or cannot be changed exactly: signed and
    encrypted mail, charsets and encodings that are not known, structures that programs read differently.
    """
    header, _ = read_header(raw, 0, len(raw))
    if header.has(*_SEALS) or any(mark in raw for mark in _ARMOUR):
        raise LeftAlone("it is signed or encrypted")
    pages = []
    looked_at = slots = 0
    for part in walk_parts(raw, 0, len(raw)):
        size = part.end - part.body_start
        if part.is_attachment or not part.media_type.startswith("text/") or size > LARGEST_PAGE:
            continue
        looked_at += size
        if looked_at > LARGEST_PAGE:
            raise LeftAlone("too much text")
        page = _read_page(raw, part, marks)
        if page is not None:
            pages.append(page)
            slots += len(page.slots)
        if slots > MOST_SLOTS:
            raise LeftAlone("too many slots")
    if not pages:
        raise LeftAlone("it holds no slot")
    return Found(raw, tuple(pages), tuple(header.get_addresses("from")))


def _read_page(raw: bytes, part: Part, marks: Marks) -> Page | None:
    body = _open(raw, part)
    if body is None or part.media_type != "text/html":
        return None
    page = _read_text(body, part.charset)
    if page is None:
        return None
    text, width, offset, order = page
    if not marks.are_in(text):
        return None
    try:
        slots = find_slots(text, marks)
    except PageRefused as error:
        raise LeftAlone(str(error)) from error
    return Page(body, tuple(slots), width, offset, order) if slots else None


def _open(raw: bytes, part: Part) -> Body | None:
    try:
        body = open_body(raw, part.body_start, part.end, part.encoding)
    except BodyRefused:
        return None
    if any(mark in body.text for mark in _ARMOUR):
        raise LeftAlone("it is signed or encrypted")
    return body


def _read_text(body: Body, charset: str) -> tuple[bytes, int, int, str] | None:
    """Return the text with one byte for each ASCII character; None for charsets where that is not possible."""
    text = body.text
    if holds_ascii(charset or "us-ascii"):
        return text, 1, 0, ""
    order = get_byte_order(charset, text)
    if order is None:
        return None
    offset = 2 if text.startswith(BYTE_ORDER_MARKS) else 0
    return _narrow(text[offset:], order), 2, offset, order


def _narrow(text: bytes, order: str) -> bytes:
    """Return one byte for each two of UTF-16: the character, or 0xFF where it is not ASCII."""
    low, high = (text[0::2], text[1::2]) if order.endswith("le") else (text[1::2], text[0::2])
    return bytes(one if not two and one < 128 else 255 for one, two in zip(low, high, strict=False))


def join(pieces: Sequence[memoryview | bytes]) -> bytes:
    """Return the copy as one piece."""
    return b"".join(pieces)
