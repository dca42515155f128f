"""What real mail looks like: who stands in From, the names of charsets, and messages made to be slow to read."""

from __future__ import annotations

import time
from base64 import b64decode, b64encode

import pytest

from signatures.mailgateway.bodies import Base64Body, PlainBody, QuotedBody
from signatures.mailgateway.message import LARGEST_PAGE, MOST_SLOTS, examine, join
from signatures.mailgateway.mime import LARGEST_HEADER, MOST_BOUNDARIES, MOST_PARTS
from signatures.mailgateway.slot import MOST_TAGS, find_slots
from tests.support.fake_portal import make_shown
from tests.support.mail_corpus import (
    KEY,
    MARKS,
    PAGE,
    SHOWN,
    make_page,
    make_slot,
    message,
    multipart,
    packed,
    part,
)
from tests.support.mail_sink import hand_in

BOUNCES, JO = "bounces+123@track.example", "jo@customer.example"
SLOT_IN_BRIEF = make_slot().encode()
LOOK_SECONDS = 5.0  # of processor time; what is quadratic takes minutes


def get_from(field: str) -> bytes:
    return f"From: {field}\r\nMIME-Version: 1.0\r\n".encode() + part(PAGE)


def swap(raw: bytes) -> bytes:
    return join(examine(raw, MARKS).write({KEY: make_shown(JO)}))


@pytest.mark.parametrize(
    "field",
    [
        "maria@acme.example",
        "<maria@acme.example>",
        "maria@acme.example <maria@acme.example>",
        "Maria Alvarez (Acme, Inc) <maria@acme.example>",
        "Maria Alvarez (Acme (North), Inc) <maria@acme.example>",
        '"Alvarez, Maria" <Maria@ACME.example>',
        '"Maria \\"Mia\\" <mia@other.example>" <maria@acme.example>',
        "Alvarez, Maria <maria@acme.example>",
        "maria@acme.example (Maria, of Acme)",
        "Maria (who says \"hi) <maria@acme.example>",
        "Maria :) <maria@acme.example>",
        "=?utf-8?q?Maria_=C3=81lvarez?=\r\n <maria@acme.example>",
        "Sales: maria@acme.example;",
        "Mária <maria@acme.example>",
        "Team <team@acme.example>, Maria <maria@acme.example>",
    ],
)  # fmt: skip
def test_a_sender_is_found_in_from_however_mail_programs_write_it(gateway, sink, field):
    raw = get_from(field)

    assert hand_in(gateway.port, raw, JO, sender=BOUNCES).startswith("250")

    assert sink.get_inbox(JO) == [swap(raw)]


@pytest.mark.parametrize(
    "field",
    [
        "mallory@acme.example",
        "maria@acme.example <mallory@acme.example>",
        '"maria@acme.example" <mallory@acme.example>',
        "mallory@acme.example (maria@acme.example)",
        "Mallory (<maria@acme.example>) <mallory@acme.example>",
        "<maria@acme.example> <mallory@acme.example>",
        "maria@acme.example: mallory@acme.example;",
        "Maria (of Acme <maria@acme.example>",
        '"Maria <maria@acme.example>',
        '"maria"@acme.example.other.example',
        "",
        "(" * 50_000,
    ],
)
def test_a_name_or_a_comment_in_from_is_nobodys_address(gateway, sink, field):
    raw = get_from(field)

    assert hand_in(gateway.port, raw, JO, sender=BOUNCES).startswith("250")

    assert sink.get_inbox(JO) == [raw]


KNOWN = [
    "iso-8859-8-i", "iso-8859-8-e", "ISO-8859-6-I", "visual", "windows-874", "dos-874", "cp-850", "ibm-850", "win-1251",
    "windows1252", "x-cp1252", "x-windows-949", "windows-936", "cp-932", "x-sjis", "x-gbk", "x-euc-jp", "x-x-big5",
    "x-mac-roman", "x-mac-cyrillic", "macintosh", "utf-8mb4", "utf8mb4", "x-utf-8", "unicode-1-1-utf-8", "koi8-ru",
    "ks_c_5601-1987", "gb_2312-80", "'utf-8'",
]  # fmt: skip
UNKNOWN = [
    "x-klingon", "unknown-8bit", "unicode-1-1-utf-7", "csunicode11utf7", "x-iso-2022-kr", "iso-2022-cn", "hz-gb-2312",
    "johab", "windows-1361", "viscii", "replacement", "x-user-defined", "cp037", "ibm-037", "mbcs", "rot13", "base64",
    "unicode-1-1-utf-16", "x" * 200,
]  # fmt: skip


@pytest.mark.parametrize("charset", KNOWN)
def test_a_charset_is_known_by_the_names_that_programs_give_it(charset):
    raw = message(part(PAGE.replace(b"figures", b"\xf9\xe5\xed"), f'text/html; charset="{charset}"', "8bit"))

    assert KEY.encode() not in swap(raw)
    assert swap(raw).count(make_shown(JO).click_url.encode()) == 1


@pytest.mark.parametrize("charset", UNKNOWN)
def test_a_message_in_a_charset_that_nobody_can_search_goes_on_unchanged(gateway, sink, charset):
    raw = message(part(PAGE, f'text/html; charset="{charset}"', "8bit"))

    assert hand_in(gateway.port, raw, JO).startswith("250")

    assert sink.get_inbox(JO) == [raw]


@pytest.mark.parametrize(
    ("charset", "codec", "mark"),
    [
        ("unicode", "utf-16-le", b"\xff\xfe"),
        ("ucs-2", "utf-16-le", b""),
        ("utf-16", "utf-16-be", b"\xfe\xff"),
        ("utf-16le", "utf-16-le", b"\xff\xfe"),
    ],
)
def test_utf_16_is_read_in_the_order_of_its_bytes(charset, codec, mark):
    page = mark + make_page().encode(codec)

    changed = swap(message(part(packed(page), f"text/html; charset={charset}", "base64")))

    read = b64decode(changed.partition(b"\r\n\r\n")[2]).decode(codec)
    assert KEY not in read
    assert read.count(make_shown(JO).click_url) == 1


def test_utf_16_whose_mark_contradicts_its_name_goes_on_unchanged(gateway, sink):
    page = b"\xfe\xff" + make_page().encode("utf-16-be")
    raw = message(part(packed(page), "text/html; charset=utf-16le", "base64"))

    assert hand_in(gateway.port, raw, JO).startswith("250")

    assert sink.get_inbox(JO) == [raw]


@pytest.mark.parametrize(
    ("make", "encode"),
    [
        (PlainBody, bytes),
        (QuotedBody, lambda text: text.replace(b"=", b"=3D")),
        (Base64Body, b64encode),
    ],
)
def test_twenty_thousand_slots_on_one_line_are_written_in_time_that_grows_with_their_number(make, encode):
    raw = encode(SLOT_IN_BRIEF * 20_000 + b"<p>" + b"x" * 100_000)
    started = time.process_time()

    body = make(raw, 0, len(raw))
    slots = find_slots(body.text, MARKS)
    splices = body.splice([slot.make_edits(SHOWN) for slot in slots])

    assert time.process_time() - started < 4 * LOOK_SECONDS
    assert len(slots) == 20_000
    assert len(splices) >= 1
    at, new = 0, []
    for splice in splices:
        new += [raw[at : splice.start], splice.new]
        at = splice.end
    written = b"".join([*new, raw[at:]])
    read = make(written, 0, len(written)).text
    assert read.count(SHOWN.click_url.encode()) == 20_000
    assert KEY.encode() not in read
    assert read.endswith(b"<p>" + b"x" * 100_000)


def make_hostile() -> dict[str, bytes]:
    """Messages that hold a slot, and more of something than any mail."""
    ours = part(PAGE)
    empty = b"Content-Type: multipart/mixed; boundary=zz\r\n\r\n"
    short = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" + ours + b"\r\n"
    return {
        "slots": message(part(SLOT_IN_BRIEF * (MOST_SLOTS + 1))),
        "links": message(part(PAGE + b"<a b=c>" * (MOST_TAGS + 1))),
        "slots in many parts": message(multipart(*[part(SLOT_IN_BRIEF * 300)] * 4)),
        "text in many parts": message(multipart(*[part(PAGE + b"x" * (LARGEST_PAGE // 3))] * 3)),
        "parts that hold nothing": message(multipart(*[empty] * (MOST_PARTS + 1), ours)),
        "lines that look like a boundary": message(short + b"--ab\r\n" * (MOST_BOUNDARIES + 1)),
        "fields": message(ours, b"From: maria@acme.example\r\n" + b"a:\r\n" * (LARGEST_HEADER // 4 + 1)),
        "semicolons in a field": message(
            part(PAGE, 'text/html; charset=utf-8; name="' + ";" * 200_000 + '"')
        ),
        "quotes in a field": message(part(PAGE, "text/html; " + 'a="\\";' * 30_000)),
    }


@pytest.mark.parametrize("name", list(make_hostile()))
def test_a_message_with_more_of_something_than_any_mail_goes_on_unchanged(gateway, sink, portal, name):
    raw, bystander = make_hostile()[name], message(part(PAGE))
    started = time.process_time()

    assert hand_in(gateway.port, raw, JO).startswith("250")
    assert hand_in(gateway.port, bystander, "kim@customer.example").startswith("250")

    assert time.process_time() - started < LOOK_SECONDS
    assert sink.get_inbox(JO) == [raw if raw.endswith(b"\r\n") else raw + b"\r\n"]
    assert KEY.encode() not in sink.get_inbox("kim@customer.example")[0]


def test_as_many_slots_as_a_long_conversation_has_are_all_replaced(gateway, sink):
    raw = message(part(b"\r\n".join([SLOT_IN_BRIEF] * MOST_SLOTS) + b"\r\n"))

    assert hand_in(gateway.port, raw, JO).startswith("250")

    assert sink.get_inbox(JO) == [swap(raw)]
    assert sink.get_inbox(JO)[0].count(make_shown(JO).click_url.encode()) == MOST_SLOTS
