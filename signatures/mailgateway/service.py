"""Service: runs the gateway until it is stopped; by then each message is passed on or answered with a failure."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from urllib.parse import urlsplit

import idna

from .base import Portal
from .gateway import Gateway
from .memory_blocks import map_large_blocks
from .memory_budget import WAIT_SECONDS, Budget
from .next_hop import END_SECONDS
from .server import DATA_SECONDS, Listener, Session
from .slot import Marks
from .smtp_connection import Address

LARGE_MESSAGES = 4  # how many of the largest size may be in memory at once
RECEIVING_SECONDS = 30.0  # for messages on their way in when the gateway stops
STOP_SECONDS = END_SECONDS + 60  # for the next hop's answers
PRUNE_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The settings of one gateway."""

    host: str
    port: int
    hop: Address
    trusted: tuple[IPv4Network | IPv6Network, ...]
    public_url: str
    size_limit: int
    deadline_seconds: float
    data_seconds: float = DATA_SECONDS
    room_seconds: float = WAIT_SECONDS
    receiving_seconds: float = RECEIVING_SECONDS
    stop_seconds: float = STOP_SECONDS

    @property
    def name(self) -> str:
        """The gateway's host name. Not the portal's own: a mail server of that name would assume a mail loop."""
        host = urlsplit(self.public_url).hostname or "localhost"
        return "mailgateway." + (host if host.isascii() else idna.encode(host, uts46=True).decode("ascii"))


def run(plan: Plan, portal: Portal, say: Callable[[str], None]) -> bool:
    """Run until SIGTERM or SIGINT. Return whether every message that had been accepted was then answered.

    Raises OSError where it cannot listen.
    """
    map_large_blocks()
    return asyncio.run(_run(plan, portal, say))


async def _run(plan: Plan, portal: Portal, say: Callable[[str], None]) -> bool:
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    listener, server = await listen(plan, portal)
    host, port = server.sockets[0].getsockname()[:2]
    say(f"listening on {host}:{port}, passing on to {plan.hop.host}:{plan.hop.port}")
    pruning = loop.create_task(_prune(portal))
    await stopping.wait()
    say(f"stopping; an answer of the next hop is waited for up to {plan.stop_seconds:.0f} seconds")
    pruning.cancel()
    unfinished = await close(listener, server, plan)
    say("stopped" if not unfinished else f"stopped before {unfinished} of its messages were answered")
    return not unfinished


async def listen(plan: Plan, portal: Portal) -> tuple[Listener, asyncio.Server]:
    """Accept connections from now on, in the running loop. Raises OSError."""
    gateway = Gateway(
        plan.hop, portal, Marks(plan.public_url), name=plan.name, deadline_seconds=plan.deadline_seconds
    )
    budget = Budget(LARGE_MESSAGES * plan.size_limit, wait_seconds=plan.room_seconds)
    listener = Listener(
        gateway, plan.trusted, plan.size_limit, plan.name, budget, data_seconds=plan.data_seconds
    )
    loop = asyncio.get_running_loop()
    return listener, await loop.create_server(lambda: Session(listener, loop), plan.host, plan.port)


async def close(listener: Listener, server: asyncio.Server, plan: Plan) -> int:
    """Accept no more connections and end the open ones. Return how many messages were left without an answer."""
    server.close()
    unfinished = await _end_sessions(listener, plan)
    listener.gateway.close()
    return unfinished


async def _end_sessions(listener: Listener, plan: Plan) -> int:
    """End sessions between messages at once; give those within one their time to finish."""
    listener.is_stopping = True
    for session in list(listener.sessions):
        session.finish()
    await _wait_while(lambda: listener.is_receiving, plan.receiving_seconds)
    for session in list(listener.sessions):
        session.finish(at_once=True)
    await _wait_while(lambda: listener.is_busy, plan.receiving_seconds)
    listener.gateway.stop()
    await _wait_while(lambda: listener.is_busy, plan.stop_seconds)
    return len(listener.passing)


async def _wait_while(is_so: Callable[[], bool], seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while is_so():
                await asyncio.sleep(0.05)


async def _prune(portal: Portal) -> None:
    while True:
        with contextlib.suppress(Exception):  # where the database is away, it is tried again in an hour
            await asyncio.to_thread(portal.forget_old)
        await asyncio.sleep(PRUNE_SECONDS)
