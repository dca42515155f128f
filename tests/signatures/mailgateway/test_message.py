"""Awkward messages: banners go in, and outside the slots neither a byte nor a decoded character changes."""

from __future__ import annotations

import email
from email.message import Message
from html.parser import HTMLParser

import pytest

from signatures.mailgateway.message import LeftAlone, examine, join
from tests.support.mail_corpus import (
    ALONE,
    CHANGED,
    CORPUS,
    KEY,
    MARKS,
    OTHER_KEY,
    PUBLIC_URL,
    SHOWN,
    Awkward,
)


def rewrite(raw: bytes) -> bytes:
    """The message as Maria's recipient gets it, by the gateway's own rules."""
    try:
        found = examine(raw, MARKS)
    except LeftAlone:
        return raw
    return join(found.write({KEY: SHOWN})) if KEY in found.keys else raw


def get_leaves(raw: bytes) -> list[Message]:
    return [one for one in email.message_from_bytes(raw).walk() if not one.is_multipart()]


def count_same(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


class Page(HTMLParser):
    """What a browser makes of a page, with what differs between slots marked."""

    def __init__(self, html: str, *, swap: bool) -> None:
        super().__init__()
        self.tokens: list[object] = []
        self._swap, self._is_inside = swap, False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if self._swap and tag == "img" and f"/b/{KEY}" in (given.get("src") or ""):
            sharp = "@2x" in given["src"]
            given["src"] = SHOWN.image_url_2x if sharp else SHOWN.image_url
            if "alt" in given:
                given["alt"] = SHOWN.alt
        elif self._swap and tag == "a" and is_ours(given.get("href") or ""):
            given["href"] = SHOWN.click_url
        self.tokens.append((tag, given))

    def handle_endtag(self, tag):
        self.tokens.append(("/", tag))

    def handle_data(self, data):
        self.tokens.append(data)

    def handle_comment(self, data):
        self.tokens.append(("comment", data))


def is_ours(link: str) -> bool:
    return KEY in link or link == "https://t.example/x9"


@pytest.mark.parametrize("awkward", CHANGED, ids=lambda one: one.name)
def test_the_banner_goes_in_and_everything_decoded_stays_the_same(awkward: Awkward):
    before, after = get_leaves(awkward.raw), get_leaves(rewrite(awkward.raw))

    assert len(before) == len(after)
    differing = [pair for pair in zip(before, after, strict=True) if str(pair[0]) != str(pair[1])]
    assert len(differing) == 1
    for old, new in zip(before, after, strict=True):
        assert old.items() == new.items()
        if (old, new) not in differing:
            assert old.get_payload(decode=True) == new.get_payload(decode=True)
    old, new = (one.get_payload(decode=True).decode(one.get_content_charset()) for one in differing[0])
    assert Page(new, swap=False).tokens == Page(old, swap=True).tokens
    assert SHOWN.image_url.removesuffix(".png") in new


@pytest.mark.parametrize("awkward", CHANGED, ids=lambda one: one.name)
def test_before_and_behind_the_slots_every_raw_byte_stays(awkward: Awkward):
    old, new = awkward.raw, rewrite(awkward.raw)
    before = count_same(old, new)
    behind = count_same(old[before:][::-1], new[before:][::-1])

    changed = old[before : len(old) - behind]

    # No more than the addresses of the slots in between, as their encoding spells them.
    between = 2_000 if "two slots" in awkward.name else 700
    width = 2 if "utf-16" in awkward.name else 1
    assert 0 < len(changed) <= between * width


@pytest.mark.parametrize("awkward", CHANGED, ids=lambda one: one.name)
def test_of_many_slots_only_their_own_lines_change(awkward: Awkward):
    """What is taken out, put back in its place, gives the message as it was."""
    found = examine(awkward.raw, MARKS)
    splices = [splice for page in found.pages for splice in page.splice({KEY: SHOWN})]
    new, restored, moved = rewrite(awkward.raw), bytearray(), 0

    at = 0
    for splice in splices:
        start = splice.start + moved
        restored += new[at:start] + awkward.raw[splice.start : splice.end]
        assert new[start : start + len(splice.new)] == splice.new
        at = start + len(splice.new)
        moved += len(splice.new) - (splice.end - splice.start)
    assert bytes(restored + new[at:]) == awkward.raw


@pytest.mark.parametrize("awkward", CHANGED, ids=lambda one: one.name)
def test_no_line_grows_longer_than_mail_allows(awkward: Awkward):
    for old, new in zip(get_leaves(awkward.raw), get_leaves(rewrite(awkward.raw)), strict=True):
        is_encoded = str(old["Content-Transfer-Encoding"]).lower() in ("base64", "quoted-printable")
        before, after = (max(map(len, str(one.get_payload()).splitlines())) for one in (old, new))
        assert after <= max(76 if is_encoded else 998, before)


@pytest.mark.parametrize("awkward", ALONE, ids=lambda one: one.name)
def test_what_must_not_be_changed_keeps_every_byte(awkward: Awkward):
    assert rewrite(awkward.raw) == awkward.raw


def test_the_corpus_is_large_and_no_two_messages_share_a_name():
    assert len(CORPUS) >= 90
    assert len({one.name for one in CORPUS}) == len(CORPUS)


def test_somebody_elses_slot_stays_beside_ours():
    quoted = next(one for one in CHANGED if one.name == "a quoted reply with somebody else's slot")

    rewritten = rewrite(quoted.raw)

    assert rewritten.count(f"/b/{OTHER_KEY}".encode()) == 1
    assert rewritten.count(f"/c/{OTHER_KEY}".encode()) == 1
    assert KEY.encode() not in rewritten


def test_a_hostile_page_is_read_in_time_that_grows_with_its_size():
    hostile = [
        b"<a " * 300_000,
        b"<img src='" * 100_000,
        b"<!--" * 250_000,
        b'<a "' * 200_000,
        b"<a x=" * 200_000,
    ]
    for page in hostile:
        raw = b"From: a@b\r\nContent-Type: text/html\r\n\r\n" + PUBLIC_URL.encode() + page
        assert rewrite(raw) == raw
