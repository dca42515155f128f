"""Runs the gateway: listens, and ends in good order, with every message it took either passed on or handed back."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol
from urllib.parse import urlsplit

import idna

from .budget import Budget
from .passing import Gateway, Portal
from .relay import Address
from .server import House, Intake
from .slot import Marks

LARGE_MESSAGES = 4  # so many of the largest size are in memory at once
STOP_SECONDS = 30.0
PRUNE_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that differs between gateways."""

    host: str
    port: int
    hop: Address
    trusted: tuple[IPv4Network | IPv6Network, ...]
    public_url: str
    size_limit: int
    deadline_seconds: float

    @property
    def name(self) -> str:
        """How the gateway greets. Not the portal's own name: a mail server of that name would see a loop."""
        host = urlsplit(self.public_url).hostname or "localhost"
        return "mailgateway." + (host if host.isascii() else idna.encode(host, uts46=True).decode("ascii"))


class Keeper(Portal, Protocol):
    def forget_old(self) -> None: ...


def run(plan: Plan, portal: Keeper, say: Callable[[str], None]) -> None:
    """Return when SIGTERM or SIGINT came and what was running is done. Raises OSError where it cannot listen."""
    asyncio.run(_run(plan, portal, say))


async def _run(plan: Plan, portal: Keeper, say: Callable[[str], None]) -> None:
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    house, server = await open_house(plan, portal)
    host, port = server.sockets[0].getsockname()[:2]
    say(f"listening on {host}:{port}, passing on to {plan.hop.host}:{plan.hop.port}")
    pruning = loop.create_task(_prune(portal))
    await stopping.wait()
    say("stopping")
    pruning.cancel()
    await close_house(house, server)
    say("stopped")


async def open_house(plan: Plan, portal: Portal) -> tuple[House, asyncio.Server]:
    """Return what listens, in the running loop. Raises OSError."""
    gateway = Gateway(
        plan.hop, portal, Marks(plan.public_url), name=plan.name, deadline_seconds=plan.deadline_seconds
    )
    budget = Budget(LARGE_MESSAGES * plan.size_limit)
    house = House(gateway, plan.trusted, plan.size_limit, plan.name, budget)
    loop = asyncio.get_running_loop()
    return house, await loop.create_server(lambda: Intake(house, loop), plan.host, plan.port)


async def close_house(house: House, server: asyncio.Server) -> None:
    """Nobody comes in any more, and whoever was in has left."""
    server.close()
    await _empty(house)
    house.gateway.close()


async def _empty(house: House) -> None:
    """Sessions between messages have ended; those within one have had their time to finish."""
    house.is_stopping = True
    for session in list(house.sessions):
        session.finish()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            while house.is_busy:
                await asyncio.sleep(0.05)


async def _prune(portal: Keeper) -> None:
    while True:
        with contextlib.suppress(Exception):  # a database that is away now is asked again in an hour
            await asyncio.to_thread(portal.forget_old)
        await asyncio.sleep(PRUNE_SECONDS)
