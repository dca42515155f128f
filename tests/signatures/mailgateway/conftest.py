"""A gateway between a client and a sink, all on real sockets, with a portal that answers from memory."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest

from signatures.mailgateway.next_hop import Address
from signatures.mailgateway.server import House
from signatures.mailgateway.service import Plan, close_house, open_house
from signatures.mailgateway.slot import Shown

from .corpus import KEY, PUBLIC_URL, SHOWN
from .sink import Loop, Sink, get_port, listen


def get_token(recipient: str) -> str:
    return "T" + "".join(letter for letter in recipient if letter.isalnum())


@dataclass
class FakePortal:
    """Maria's slots are hers; every recipient gets a banner with their own token. `on_decide` may fail or wait.

    marks: of what is at its end. marked: every one there ever was.
    """

    receipts: set[str] = field(default_factory=set)
    marks: set[str] = field(default_factory=set)
    marked: list[str] = field(default_factory=list)
    decided: list[str] = field(default_factory=list)
    on_decide: Callable[[str], Shown | None] | None = None
    broken: set[str] = field(default_factory=set)

    def _work(self, call: str) -> None:
        if call in self.broken:
            raise RuntimeError(f"{call} for jo@customer.example")

    def get_own_keys(self, keys: Collection[str], addresses: Collection[str]) -> set[str]:
        self._work("get_own_keys")
        return {key for key in keys if key == KEY and "maria@acme.example" in addresses}

    def decide(self, key: str, recipient: str) -> Shown | None:
        self._work("decide")
        self.decided.append(recipient)
        if self.on_decide is not None:
            return self.on_decide(recipient)
        return make_shown(recipient)

    def recall(self, receipts: Collection[str]) -> dict[str, bool]:
        self._work("recall")
        return {one: one in self.receipts for one in receipts if one in self.receipts | self.marks}

    def mark(self, receipts: Collection[str]) -> None:
        self._work("mark")
        self.marks |= set(receipts)
        self.marked += receipts

    def unmark(self, receipts: Collection[str]) -> None:
        self._work("unmark")
        self.marks -= set(receipts)

    def remember(self, receipts: Collection[str]) -> None:
        self._work("remember")
        self.receipts |= set(receipts)
        self.marks -= set(receipts)

    def forget(self, receipts: Collection[str]) -> None:
        self._work("forget")
        self.receipts -= set(receipts)
        self.marks -= set(receipts)


def make_shown(recipient: str) -> Shown:
    token = get_token(recipient)
    return dataclasses.replace(
        SHOWN,
        image_url=f"{PUBLIC_URL}/b/d/{token}.png",
        image_url_2x=f"{PUBLIC_URL}/b/d/{token}@2x.png",
        click_url=f"{PUBLIC_URL}/c/d/{token}",
    )


@pytest.fixture
def mail_loop() -> Iterator[Loop]:
    running = Loop()
    yield running
    running.close()


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def sink_port(mail_loop: Loop, sink: Sink) -> int:
    return get_port(mail_loop.run(listen(sink)))


@pytest.fixture
def portal() -> Iterator[FakePortal]:
    yield FakePortal()


@dataclass
class Running:
    """A gateway that listens. close: as SIGTERM ends it. unfinished: messages it then left without an answer."""

    port: int
    close: Callable[[], None]
    house: House
    unfinished: list[int]


@pytest.fixture
def start_gateway(mail_loop: Loop, sink_port: int, portal: FakePortal) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(**options: object) -> Running:
        plan = Plan(
            host="127.0.0.1",
            port=0,
            hop=Address("127.0.0.1", sink_port),
            trusted=(ip_network("127.0.0.0/8"),),
            public_url=PUBLIC_URL,
            size_limit=30_000_000,
            deadline_seconds=3.0,
        )
        plan = dataclasses.replace(plan, **options)
        house, server = mail_loop.run(open_house(plan, portal))
        closed = threading.Event()
        unfinished: list[int] = []

        def close() -> None:
            if not closed.is_set():
                closed.set()
                unfinished.append(mail_loop.run(close_house(house, server, plan)))

        started.append(Running(get_port(server), close, house, unfinished))
        return started[-1]

    yield start
    for running in started:
        running.close()


@pytest.fixture
def gateway(start_gateway: Callable[..., Running]) -> Running:
    return start_gateway()
