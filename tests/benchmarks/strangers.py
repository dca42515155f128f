"""Strangers who hold what they can of one portal, in a process of their own: `python -m tests.benchmarks.strangers`.

They reach this machine alone, open again what is closed, and end by themselves.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

EACH = 500
SIGN_INS = 16
CSRF = "a" * 32
HOST = "127.0.0.1"

Stranger = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def send_a_slow_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    await _drip(writer)


async def send_a_slow_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_make_head("/accounts/login/", 100_000))
    await _drip(writer)


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def sign_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """At the provider that drips, so that the portal waits for it."""
    form = f"csrfmiddlewaretoken={CSRF}".encode()
    writer.write(_make_head("/accounts/sso/acme.example/login/", len(form)) + form)
    await reader.readline()
    await asyncio.sleep(5)  # threads that wait for the provider are meant here, not a flood of pages


def _make_head(path: str, length: int) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nCookie: countersign_csrf={CSRF}\r\nConnection: close\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


async def _drip(writer: asyncio.StreamWriter) -> None:
    for _ in itertools.count():
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(1)


async def keep_at_it(stranger: Stranger, port: int) -> None:
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                await stranger(reader, writer)
            finally:
                writer.close()
        await asyncio.sleep(1)  # which is how fast they come back


async def drip_as_a_provider(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.CancelledError):  # the portal hung up, or the attack is over
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
        await _drip(writer)


async def attack(port: int, provider_port: int, seconds: float) -> None:
    provider = await asyncio.start_server(drip_as_a_provider, HOST, provider_port)
    tasks = [
        asyncio.create_task(keep_at_it(stranger, port))
        for stranger, number in (
            (send_a_slow_head, EACH), (send_a_slow_body, EACH), (say_nothing, EACH), (sign_in, SIGN_INS),
        )
        for _ in range(number)
    ]  # fmt: skip
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    provider.close()


if __name__ == "__main__":
    asyncio.run(attack(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
