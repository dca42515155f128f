"""Bodies of requests: whole, or refused for their size, their pace, or their end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from http import HTTPStatus
from typing import Any

import pytest

from portal.webserver.request_body import ANYBODYS_BYTES, LARGEST_BYTES, MOST_AT_ONCE, BodyReader, BodyRefused


class Loop(asyncio.SelectorEventLoop):
    """A loop whose clock can be moved on."""

    moved = 0.0

    def time(self) -> float:
        return super().time() + self.moved


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(coroutine)


async def send(pieces: list[bytes], *, pause: float = 0) -> AsyncIterator[bytes]:
    """Give each piece `pause` seconds after the one before."""
    for piece in pieces:
        asyncio.get_running_loop().moved += pause  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        yield piece


async def receive(chunks: AsyncIterator[bytes], length: int, *, signed_in: bool = False) -> bytes:
    async def is_signed_in() -> bool:
        return signed_in

    with await BodyReader().read(chunks, length=length, is_signed_in=is_signed_in) as body:
        return body.read()


def refuse(coroutine: Coroutine[Any, Any, Any]) -> HTTPStatus:
    with pytest.raises(BodyRefused) as refused:
        run(coroutine)
    assert refused.value.text.endswith(".")
    return refused.value.status


def test_a_body_comes_whole_at_any_pace_within_its_time():
    pieces = [b"abc"] * 5

    assert run(receive(send(pieces), 15)) == b"abc" * 5
    assert run(receive(send(pieces, pause=5.9), 15)) == b"abc" * 5


@pytest.mark.parametrize(
    ("pieces", "pause"),
    [([b"a"] * 4, 10.1), ([b"a"] * 100, 5), ([b"a"] * 100, 0.4)],
    ids=["idle", "slow", "drip"],
)
def test_a_body_that_takes_too_long_is_refused(pieces, pause):
    assert refuse(receive(send(pieces, pause=pause), len(pieces))) == HTTPStatus.REQUEST_TIMEOUT


@pytest.mark.parametrize("length", [5, 3])
def test_a_body_that_is_not_as_long_as_it_was_said_is_refused(length):
    assert refuse(receive(send([b"ab", b"cd"]), length)) == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize(
    ("length", "signed_in", "is_refused"),
    [
        (ANYBODYS_BYTES, False, False),
        (ANYBODYS_BYTES + 1, False, True),
        (ANYBODYS_BYTES + 1, True, False),
        (LARGEST_BYTES + 1, True, True),
    ],
)
def test_how_much_may_be_sent_hangs_on_who_sends(length, signed_in, is_refused):
    coroutine = receive(send([b"a" * length]), length, signed_in=signed_in)

    if is_refused:
        assert refuse(coroutine) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    else:
        assert len(run(coroutine)) == length


def test_a_large_body_of_somebody_signed_in_has_longer():
    pieces = [b"a" * 1_000_000] * 20

    assert len(run(receive(send(pieces, pause=9), 20_000_000, signed_in=True))) == 20_000_000
    assert (
        refuse(receive(send([b"a"] * 100, pause=9), 20_000_000, signed_in=True)) == HTTPStatus.REQUEST_TIMEOUT
    )


def test_one_body_too_many_ends_the_one_that_has_been_coming_for_longest():
    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async def nobody() -> bool:
        return False

    async def fill() -> list[HTTPStatus]:
        reader = BodyReader()
        slow = [
            asyncio.create_task(reader.read(never(), length=1, is_signed_in=nobody))
            for _ in range(MOST_AT_ONCE)
        ]
        await asyncio.sleep(0)
        with await reader.read(send([b"a"]), length=1, is_signed_in=nobody) as body:
            assert body.read() == b"a"
        await asyncio.sleep(0)
        over = [task.exception() for task in slow if task.done()]
        assert slow[0].done()
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        return [error.status for error in over if isinstance(error, BodyRefused)]

    assert run(fill()) == [HTTPStatus.REQUEST_TIMEOUT]
