"""A gateway between a client and a sink, all on real sockets, with a portal that answers from memory."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network

import pytest

from signatures.mailgateway import service
from signatures.mailgateway.server import Listener
from signatures.mailgateway.service import Plan
from signatures.mailgateway.smtp_connection import Address
from tests.support.fake_portal import FakePortal
from tests.support.mail_corpus import PUBLIC_URL
from tests.support.mail_sink import Loop, Sink, get_port, listen


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
    listener: Listener
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
        listener, server = mail_loop.run(service.listen(plan, portal))
        closed = threading.Event()
        unfinished: list[int] = []

        def close() -> None:
            if not closed.is_set():
                closed.set()
                unfinished.append(mail_loop.run(service.close(listener, server, plan)))

        started.append(Running(get_port(server), close, listener, unfinished))
        return started[-1]

    yield start
    for running in started:
        running.close()


@pytest.fixture
def gateway(start_gateway: Callable[..., Running]) -> Running:
    return start_gateway()
