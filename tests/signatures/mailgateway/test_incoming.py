"""The text of DATA, however the network cuts it: where it ends, which dots are doubled, what is refused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from signatures.mailgateway.incoming import Incoming
from signatures.mailgateway.next_hop import stuff

FALSE_ENDS = (b"\n.\n", b"\n.\r", b"\r.\n", b"\r.\r")
PIECES = st.lists(
    st.sampled_from([b".", b"\r", b"\n", b"\r\n", b"\r\n.", b"a", b"..", b"b" * 9]), max_size=14
).map(b"".join)


def read(wire: bytes, cuts: list[int], limit: int = 10_000) -> Incoming:
    incoming, at = Incoming(limit), 0
    for size in [*cuts, len(wire)]:
        if chunk := wire[at : at + size]:
            incoming.feed(chunk)
        at += size
    return incoming


@given(PIECES, st.lists(st.integers(1, 4), max_size=40))
def test_a_message_comes_out_as_it_was_however_it_is_cut(raw, cuts):
    whole = raw if raw.endswith(b"\r\n") or not raw else raw + b"\r\n"
    wire = b"".join(stuff([whole])) + b".\r\n"

    incoming = read(wire, cuts)

    assert incoming.is_complete
    if any(end in b"\r\n" + wire[:-3] for end in FALSE_ENDS):
        assert (incoming.refusal or "")[:9] == "554 5.6.0"
        assert incoming.size == 0
    else:
        assert (incoming.refusal, incoming.has_more_behind, incoming.take()) == (None, False, whole)


@given(PIECES, st.lists(st.integers(1, 4), max_size=40))
def test_any_bytes_are_read_the_same_in_one_piece_and_in_many(wire, cuts):
    wire += b"\r\n.\r\n"
    wire = wire[: (b"\r\n" + wire).index(b"\r\n.\r\n") + 3]

    one, many = read(wire, []), read(wire, cuts)

    assert (one.is_complete, one.refusal, one.take()) == (many.is_complete, many.refusal, many.take())


def test_a_message_may_have_as_many_bytes_as_the_limit_and_no_more():
    wire = b"..23456\r\n.\r\n"

    assert read(wire, [], limit=8).take() == b".23456\r\n"
    refused = read(wire, [3, 3], limit=7)
    assert (refused.is_complete, refused.size, (refused.refusal or "")[:9]) == (True, 0, "552 5.3.4")


def test_what_stands_behind_the_end_is_noticed():
    assert read(b"a\r\n.\r\nQUIT\r\n", []).has_more_behind
    assert not read(b"a\r\n.\r\n", []).has_more_behind
