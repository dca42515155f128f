"""Whatever surrounds a slot, in whatever lines: the text changes in the slot alone, and lines stay legal."""

from __future__ import annotations

import quopri
from base64 import b64decode

from hypothesis import given, settings
from hypothesis import strategies as st

from signatures.mailgateway.bodies import Base64Body, Body, PlainBody, QuotedBody
from signatures.mailgateway.slot import find_slots
from tests.support.mail_corpus import MARKS, SHOWN, SLOT, packed, quoted_tightly

surroundings = st.binary(max_size=200).map(lambda text: text.replace(b"<", b"(").replace(b"\r", b"\n"))
slot_counts = st.integers(1, 3)


def edit(body: Body, raw: bytes) -> tuple[bytes, bytes]:
    """The raw body with its banners, and the text it should then have, fillers left out."""
    slots = [slot.make_edits(SHOWN) for slot in find_slots(body.text, MARKS)]
    text, wanted, at = body.text, bytearray(), 0
    for one in (one for edits in slots for one in edits):
        wanted += text[at : one.start] + one.new
        at = one.end
    wanted += text[at:]
    changed, at = bytearray(), 0
    for splice in body.splice(slots):
        changed += raw[at : splice.start] + splice.new
        at = splice.end
    return bytes(changed + raw[at:]), bytes(wanted)


def without_fillers(text: bytes) -> bytes:
    picture = SHOWN.image_url_2x.encode() + b'"'
    first, *others = text.split(picture)
    return first + b"".join(picture + b" " + other.lstrip(b" \r\n") for other in others)


def make_text(before: bytes, between: bytes, count: int) -> bytes:
    return before + between.join([SLOT.encode()] * count) + between


@settings(max_examples=60)
@given(surroundings, surroundings, slot_counts, st.integers(4, 76))
def test_quoted_printable(before, between, count, width):
    text = make_text(before, between, count).replace(b"\n", b"\r\n")
    raw = quoted_tightly(text, width)

    changed, wanted = edit(QuotedBody(raw, 0, len(raw)), raw)

    assert quopri.decodestring(changed).replace(b"\r\n", b"\n") == wanted.replace(b"\r\n", b"\n")
    assert max(map(len, changed.split(b"\r\n"))) <= 76


@settings(max_examples=60)
@given(surroundings, surroundings, slot_counts, st.integers(1, 90))
def test_base64(before, between, count, width):
    raw = packed(make_text(before, between, count), width)

    changed, wanted = edit(Base64Body(raw, 0, len(raw)), raw)

    assert without_fillers(b64decode(changed, validate=False)) == without_fillers(wanted)
    assert max(map(len, changed.split(b"\r\n"))) <= max(76, width)
    same = len(set(raw.split(b"\r\n")) - set(changed.split(b"\r\n")))
    if width % 4 == 0:
        assert same <= count * (len(SLOT) * 4 // 3 // width + 2), "lines outside the slots changed"


@settings(max_examples=60)
@given(surroundings, surroundings, slot_counts)
def test_plain(before, between, count):
    raw = make_text(before, between, count)

    changed, wanted = edit(PlainBody(raw, 0, len(raw)), raw)

    assert without_fillers(changed) == without_fillers(wanted)
