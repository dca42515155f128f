"""Memory of the gateway: taken as bytes arrive, and nobody who is silent is in another's way."""

from __future__ import annotations

import threading
import time

import pytest

from tests.support.installation import wait_until
from tests.support.mail_sink import Client, hand_in

MARIA = "maria@acme.example"
LIMIT = 4_000_000
LARGE = b"Subject: large\r\n\r\n" + b"x" * 3_900_000 + b"\r\n"
SMALL = b"Subject: small\r\n\r\nHello\r\n"


def begin(port: int, reader: str, options: str = "") -> Client:
    """A client that was told to send its message."""
    client = Client(port)
    client.envelope(MARIA, [f"{reader}@customer.example"], options)
    assert client.say("DATA").startswith("354")
    return client


def send_part(port: int, reader: str, options: str = "") -> Client:
    """A client that sends nearly all of a large message, and then nothing more."""
    client = begin(port, reader, options)
    client.send(LARGE[:-10])
    return client


class Held:
    """A next hop that has messages and does not answer, until it is released."""

    def __init__(self, sink) -> None:
        self.count = 0
        self.released = threading.Event()
        sink.on_data = self._wait

    def _wait(self, taken) -> None:
        self.count += 1
        self.released.wait(30)


@pytest.mark.parametrize("options", ["", f" SIZE={LIMIT}"])
def test_clients_that_say_nothing_after_data_hold_nothing(start_gateway, sink, options):
    port = start_gateway(size_limit=LIMIT, room_seconds=0.5).port
    silent = [begin(port, f"silent{number}", options) for number in range(8)]

    for raw in (SMALL, LARGE):
        for said in ("", f" SIZE={len(raw)}"):
            assert hand_in(port, raw, "jo@customer.example", options=said).startswith("250")

    assert [one.raw for one in sink.taken] == [SMALL, SMALL, LARGE, LARGE]
    for client in silent:
        client.close()


@pytest.mark.parametrize("options", ["", " SIZE=3900000", f" SIZE={LIMIT}"])
def test_where_the_memory_is_full_large_messages_are_told_so_and_small_ones_pass(
    start_gateway, sink, options
):
    port = start_gateway(size_limit=LIMIT, room_seconds=0.5).port
    stuck = [send_part(port, f"stuck{number}", options) for number in range(6)]

    refusal = "451 4.3.1 Too much mail is on its way. Try again later."
    wait_until(lambda: hand_in(port, LARGE, "jo@customer.example") == refusal, what="the memory to be full")
    assert hand_in(port, SMALL, "kim@customer.example").startswith("250")

    for client in stuck:
        client.close()
    wait_until(
        lambda: hand_in(port, LARGE, "jo@customer.example").startswith("250"), what="room for a large message"
    )
    assert sink.get_inbox("kim@customer.example") == [SMALL]


def test_a_message_that_arrived_leaves_room_for_others(start_gateway, sink):
    """Four at the next hop, and a fifth on its way in; twice their size would fill the memory with two."""
    hop = Held(sink)
    port = start_gateway(size_limit=LIMIT, room_seconds=0.5).port
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(hand_in(port, LARGE, f"r{n}@customer.example")))
        for n in range(3)
    ]
    for number, thread in enumerate(threads):
        thread.start()
        wait_until(lambda number=number: hop.count > number, what="the message to be with the next hop")
    hop.released.set()
    for thread in threads:
        thread.join(30)

    assert [answer[:3] for answer in answers] == ["250"] * 3


def test_the_memory_of_a_client_that_left_is_counted_until_the_next_hop_answered(start_gateway, sink):
    hop = Held(sink)
    port = start_gateway(size_limit=LIMIT, room_seconds=0.5).port
    for number in range(3):
        client = begin(port, f"gone{number}")
        client.send(LARGE + b".\r\n")
        wait_until(lambda number=number: hop.count > number, what="the message to be with the next hop")
        client.close()
    busy = send_part(port, "busy")

    assert hand_in(port, LARGE, "jo@customer.example").startswith("451 4.3.1")

    hop.released.set()
    busy.close()
    wait_until(lambda: hand_in(port, LARGE, "jo@customer.example").startswith("250"), what="room")
    assert [len(sink.get_inbox(f"gone{number}@customer.example")) for number in range(3)] == [1, 1, 1]


def test_small_messages_without_a_size_do_not_wait_for_each_other(gateway, sink):
    """Each waits in the next hop until all are there."""
    together = threading.Barrier(5)

    def wait(taken) -> None:
        together.wait(30)

    sink.on_data = wait
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(hand_in(gateway.port, SMALL, f"r{n}@customer.example")))
        for n in range(5)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)

    assert [answer[:3] for answer in answers] == ["250"] * 5
    assert sorted(one.recipients for one in sink.taken) == [(f"r{n}@customer.example",) for n in range(5)]


@pytest.mark.parametrize("said", [1, 1_000, 200_000])
def test_a_message_far_above_its_declared_size_is_refused(gateway, sink, said):
    """A little more is none: a server on the way may have written the message anew."""
    assert hand_in(gateway.port, LARGE, "jo@customer.example", options=f" SIZE={said}").startswith(
        "552 5.3.4"
    )
    little = b"Subject: a little more\r\n\r\n" + b"x" * said + b"\r\n" * 1_000
    assert hand_in(gateway.port, little, "jo@customer.example", options=f" SIZE={said}").startswith("250")

    assert [one.raw for one in sink.taken] == [little]


@pytest.mark.parametrize("piece", [b"", b"x", b"x\r\n", b"x" * 50_000])
def test_a_message_that_takes_too_long_is_dropped(start_gateway, sink, piece):
    """However it drips, and while another passes."""
    port = start_gateway(data_seconds=1.0).port
    client = begin(port, "slow")
    stop = threading.Event()

    def drip() -> None:
        try:
            while not stop.wait(0.05):
                client.send(piece)
        except OSError:
            pass  # hung up

    thread = threading.Thread(target=drip)
    thread.start()
    assert hand_in(port, SMALL, "jo@customer.example").startswith("250")
    assert client.read() == "421 4.4.2 The message took too long. Try again later."
    stop.set()
    thread.join(20)
    client.close()

    assert [one.raw for one in sink.taken] == [SMALL]


def test_reading_a_message_takes_time_that_grows_with_its_size(gateway, sink):
    """All dots, in the smallest lines: every one is doubled on the way."""
    raw = b"Subject: dots\r\n\r\n" + b".\r\n" * 1_000_000
    started = time.process_time()

    assert hand_in(gateway.port, raw, "jo@customer.example").startswith("250")

    assert time.process_time() - started < 20
    assert [one.raw == raw for one in sink.taken] == [True]
