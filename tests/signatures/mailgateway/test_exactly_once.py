"""Every message once: next hops that answer nothing, late or by halves, retries, restarts and kills."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from signatures.mailgateway.next_hop import stuff
from tests.support.gateway_process import prepare
from tests.support.gateway_process import start_gateway as start_process
from tests.support.installation import Installation, migrate_template, wait_until
from tests.support.mail_corpus import PAGE, message, part
from tests.support.mail_messages import JO, KIM, LEE, MAIL, MARIA, NO_SLOT, get_copy
from tests.support.mail_sink import Client, Sink, Taken, hand_in

NOT_KNOWN = "451 4.3.0 Whether it arrived is not known yet. Try again later."
NO_ANSWER = "451 4.4.2 The next hop does not answer. Try again later."
STOPPING = "451 4.3.2 The gateway is stopping. Try again later."


class SlowHop:
    """Takes the whole message, and answers when it is released."""

    def __init__(self, sink: Sink) -> None:
        self.came: list[tuple[str, ...]] = []
        self.has_come, self.released = threading.Event(), threading.Event()
        sink.on_data = self._wait

    def _wait(self, taken: Taken) -> None:
        self.came.append(taken.recipients)
        self.has_come.set()
        self.released.wait(30)


def send(client: Client, raw: bytes, *recipients: str) -> None:
    """All of the message; the answer is not waited for."""
    client.envelope(MARIA, recipients)
    assert client.say("DATA").startswith("354")
    client.send(b"".join(stuff([raw])) + b".\r\n")


# ── The next hop ─────────────────────────────────────────────────────────────────────────────────


def test_a_next_hop_that_closes_after_the_dot_confirms_nothing_and_is_asked_once(gateway, sink, portal):
    seen: list[Taken] = []
    sink.on_data = lambda taken: seen.append(taken) or "closed"

    assert hand_in(gateway.port, NO_SLOT, JO) == NO_ANSWER

    assert seen == [Taken(MARIA, (JO,), NO_SLOT)]
    assert len(portal.marked) == 1
    assert (portal.receipts, portal.marks) == (set(), set())
    sink.on_data = lambda taken: None
    assert hand_in(gateway.port, NO_SLOT, KIM).startswith("250")
    assert hand_in(gateway.port, NO_SLOT, JO).startswith("250")
    assert [one.recipients for one in sink.taken] == [(KIM,), (JO,)]


def test_each_recipient_hears_what_became_of_their_own_copy(gateway, sink, portal):
    """By LMTP: the next hop breaks off after Kim's copy, and Jo's and Lee's are not sent a second time."""
    seen: list[tuple[str, ...]] = []

    def answer(taken: Taken) -> str | None:
        seen.append(taken.recipients)
        return "closed" if KIM in taken.recipients and len(seen) < 4 else None

    sink.on_data = answer
    with Client(gateway.port, "LHLO client.example") as client:
        send(client, MAIL, JO, KIM, LEE)
        answers = [client.read() for _ in range(3)]
        assert [one[:3] for one in answers] == ["250", "451", "250"]
        send(client, MAIL, KIM)
        assert client.read().startswith("250")

    assert seen == [(JO,), (KIM,), (LEE,), (KIM,)]
    wait_until(
        lambda: (portal.receipts, portal.marks) == (set(), set()), what="nothing to be left written down"
    )


def test_a_next_hop_that_breaks_off_before_the_message_is_asked_anew(gateway, sink, portal):
    sink.breaks = 1

    assert hand_in(gateway.port, MAIL, JO, KIM).startswith("250")

    assert sink.taken == [Taken(MARIA, (who,), get_copy(MAIL, who)) for who in (JO, KIM)]


def test_a_next_hop_that_always_breaks_off_before_the_message_gets_nothing(gateway, sink, portal):
    sink.breaks = 2

    assert hand_in(gateway.port, NO_SLOT, JO) == NO_ANSWER

    assert (sink.taken, portal.marked, portal.receipts) == ([], [], set())


@pytest.mark.parametrize("refusal", ["451 4.7.1 Greylisted", "554 5.7.1 Spam"])
def test_what_the_next_hop_refuses_leaves_no_mark(gateway, sink, portal, refusal):
    sink.on_data = lambda taken: refusal if JO in taken.recipients else None

    assert hand_in(gateway.port, NO_SLOT, JO) == refusal

    assert len(portal.marked) == 1
    assert (portal.receipts, portal.marks) == (set(), set())


# ── Marks ────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_is_marked_before_its_final_dot(gateway, sink, portal):
    before: list[tuple[set[str], set[str]]] = []
    sink.on_data = lambda taken: before.append((set(portal.marks), set(portal.receipts)))

    assert hand_in(gateway.port, MAIL, JO, KIM).startswith("250")

    jo, kim = portal.marked
    assert before == [({jo}, set()), ({kim}, {jo})]
    wait_until(
        lambda: (portal.receipts, portal.marks) == (set(), set()), what="nothing to be left written down"
    )


def test_what_may_still_arrive_is_not_sent_again_and_everybody_else_gets_theirs(gateway, sink, portal):
    """As a gateway finds it that was killed while the next hop had Kim's copy."""
    assert hand_in(gateway.port, MAIL, KIM).startswith("250")
    wait_until(lambda: not portal.receipts, what="the receipt to be struck out")
    marks = set(portal.marked)
    portal.marks = set(marks)

    assert hand_in(gateway.port, MAIL, JO, KIM) == NOT_KNOWN
    with Client(gateway.port, "LHLO client.example") as client:
        send(client, MAIL, JO, KIM, LEE)
        answers = [client.read() for _ in range(3)]

    assert [answers[0], answers[1], answers[2][:3]] == [
        "250 2.0.0 It was passed on before.",
        NOT_KNOWN,
        "250",
    ]
    assert [one.recipients for one in sink.taken] == [(KIM,), (JO,), (LEE,)]
    wait_until(lambda: portal.receipts == set(), what="the receipts of those who were told to be struck out")
    assert portal.marks == marks
    portal.marks.clear()  # the next hop's time is over
    assert hand_in(gateway.port, MAIL, KIM).startswith("250")


def test_a_retry_during_the_first_attempt_strikes_nothing_out(gateway, sink, portal):
    """By LMTP an answer is for good; that of the retry is not about the message."""
    hop = SlowHop(sink)
    first = Client(gateway.port, "LHLO client.example")
    send(first, NO_SLOT, JO)
    assert hop.has_come.wait(20)
    first.close()
    with Client(gateway.port, "LHLO client.example") as second:
        send(second, NO_SLOT, JO)
        assert second.read() == "451 4.3.0 It is being passed on. Try again later."
        assert portal.marks == set(portal.marked)
        hop.released.set()
        wait_until(lambda: portal.receipts, what="the receipt")
        send(second, NO_SLOT, JO)
        assert second.read() == "250 2.0.0 It was passed on before."

    assert len(sink.get_inbox(JO)) == 1


# ── The database ─────────────────────────────────────────────────────────────────────────────────


def test_receipts_that_could_not_be_struck_out_are_struck_out_with_the_next(gateway, sink, portal):
    portal.broken = {"forget"}
    assert hand_in(gateway.port, NO_SLOT, JO).startswith("250")
    assert len(portal.receipts) == 1
    portal.broken = set()

    assert hand_in(gateway.port, NO_SLOT, KIM).startswith("250")

    wait_until(lambda: portal.receipts == set(), what="both receipts to be struck out")
    assert hand_in(gateway.port, NO_SLOT, JO).startswith("250 2.0.0 Kept")


def test_a_database_that_hangs_is_not_waited_for_by_every_message(gateway, sink, portal):
    asked: list[str] = []

    def hang(call: str) -> None:
        asked.append(call)
        raise TimeoutError

    portal._work = hang

    for who in (JO, KIM, LEE):
        assert hand_in(gateway.port, NO_SLOT, who).startswith("250")

    assert asked == ["recall"]
    assert [one.recipients for one in sink.taken] == [(JO,), (KIM,), (LEE,)]


# ── Stopping ─────────────────────────────────────────────────────────────────────────────────────


def stop_while_the_hop_is_at_it(gateway, sink, *recipients: str) -> tuple[SlowHop, Client, threading.Thread]:
    hop, client = SlowHop(sink), Client(gateway.port)
    send(client, MAIL, *recipients)
    assert hop.has_come.wait(20)
    stopping = threading.Thread(target=gateway.close)
    stopping.start()
    return hop, client, stopping


def test_stopping_waits_as_long_as_the_next_hop_and_begins_no_other_copy(start_gateway, sink, portal):
    gateway = start_gateway(receiving_seconds=0.1)
    hop, client, stopping = stop_while_the_hop_is_at_it(gateway, sink, JO, KIM)
    wait_until(lambda: gateway.listener.gateway._is_stopping, what="the time for other messages to be over")
    hop.released.set()

    assert client.read() == STOPPING
    stopping.join(20)

    assert gateway.unfinished == [0]
    assert hand_in(start_gateway().port, MAIL, JO, KIM).startswith("250")
    assert [one.recipients for one in sink.taken] == [(JO,), (KIM,)]


def test_a_next_hop_that_takes_longer_than_stopping_waits_gets_no_second_copy(start_gateway, sink, portal):
    gateway = start_gateway(receiving_seconds=0.1, stop_seconds=0.2)
    hop, client, stopping = stop_while_the_hop_is_at_it(gateway, sink, JO)
    stopping.join(20)

    assert gateway.unfinished == [1]
    assert hand_in(start_gateway().port, MAIL, JO) == NOT_KNOWN
    hop.released.set()
    client.close()


def test_whoever_is_still_sending_is_told_that_the_gateway_stops(start_gateway, sink):
    gateway = start_gateway(receiving_seconds=0.2)
    with Client(gateway.port) as client:
        client.envelope(MARIA, [JO])
        client.say("DATA")
        client.send(b"Subject: half a mess")
        gateway.close()
        assert client.read() == "421 4.3.2 The gateway is stopping."

    assert gateway.unfinished == [0]
    assert sink.taken == []


# ── Killed ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    template = migrate_template(tmp_path_factory.mktemp("migrated"))
    made = prepare(tmp_path_factory.mktemp("installation"), template)
    yield made
    made.close()


def test_killed_while_the_next_hop_is_at_it_nothing_is_sent_again_before_its_time_is_over(
    installation: Installation, tmp_path: Path, sink: Sink, sink_port: int
):
    log, raw = tmp_path / "gateway.log", message(part(PAGE))
    process, port = start_process(installation, log, next_hop=sink_port)
    hop, client = SlowHop(sink), Client(port)
    send(client, raw, JO)
    assert hop.has_come.wait(20)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(20)
    hop.released.set()
    client.close()

    process, port = start_process(installation, log, next_hop=sink_port)
    sink.on_data = lambda taken: None
    assert hand_in(port, raw, JO) == NOT_KNOWN
    assert hand_in(port, raw, KIM).startswith("250")
    assert [one.recipients for one in sink.taken] == [(KIM,)]
    installation.run("""
from datetime import timedelta
from django.db.models import F
from signatures.models import MailReceipt
MailReceipt.objects.update(at=F("at") - timedelta(minutes=12))
""")
    assert hand_in(port, raw, JO).startswith("250")
    process.terminate()
    assert process.wait(20) == 0

    assert hop.came == [(JO,)]
    assert [one.recipients for one in sink.taken] == [(KIM,), (JO,)]
    assert installation.rows("SELECT count(*) FROM signatures_mailreceipt") == [(0,)]
