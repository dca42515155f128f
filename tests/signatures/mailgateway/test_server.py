"""Real SMTP sessions through the gateway: what comes out, and what happens when things fail."""

from __future__ import annotations

import threading

import pytest

from signatures.mailgateway.planner import MOST_COPIES
from signatures.mailgateway.smtp_connection import Address
from tests.support.fake_portal import make_shown
from tests.support.installation import wait_until
from tests.support.mail_corpus import CORPUS, PAGE, message, multipart, packed, part
from tests.support.mail_messages import JO, KIM, LEE, MAIL, MARIA, NO_SLOT, get_copy
from tests.support.mail_sink import Client, Taken, hand_in

# ── Works ────────────────────────────────────────────────────────────────────────────────────────


def test_a_recipient_gets_the_message_with_their_own_banner(gateway, sink):
    assert hand_in(gateway.port, MAIL, JO).startswith("250 2.0.0 Kept as 1")

    assert sink.taken == [Taken(MARIA, (JO,), get_copy(MAIL, JO))]


def test_each_recipient_gets_their_own_copy_over_one_connection(gateway, sink, portal):
    assert hand_in(gateway.port, MAIL, JO, KIM, LEE).startswith("250")

    assert sink.taken == [Taken(MARIA, (who,), get_copy(MAIL, who)) for who in (JO, KIM, LEE)]
    wait_until(lambda: portal.receipts == set(), what="the receipts to be struck out")


def test_a_message_without_a_slot_goes_to_all_in_one_transaction(gateway, sink, portal):
    assert hand_in(gateway.port, NO_SLOT, JO, KIM).startswith("250")

    assert sink.taken == [Taken(MARIA, (JO, KIM), NO_SLOT)]
    assert portal.decided == []


def test_those_without_a_banner_of_their_own_share_the_message_as_it_was(gateway, sink, portal):
    portal.on_decide = lambda recipient: make_shown(recipient) if recipient == KIM else None

    assert hand_in(gateway.port, MAIL, JO, KIM, LEE).startswith("250")

    assert sink.taken == [Taken(MARIA, (JO, LEE), MAIL), Taken(MARIA, (KIM,), get_copy(MAIL, KIM))]


def test_the_whole_corpus_comes_out_as_the_rules_say(gateway, sink):
    """Through sockets, byte for byte: dots, bare line ends, NUL and empty messages included."""
    with Client(gateway.port) as client:
        for awkward in CORPUS:
            client.envelope(MARIA, [JO])
            assert client.data(awkward.raw).startswith("250"), awkward.name

    sent = [one if not one or one.endswith(b"\r\n") else one + b"\r\n" for one in (a.raw for a in CORPUS)]
    expected = [
        get_copy(raw, JO) if awkward.is_changed else raw for raw, awkward in zip(sent, CORPUS, strict=True)
    ]
    differing = [
        awkward.name
        for awkward, taken, wanted in zip(CORPUS, sink.taken, expected, strict=True)
        if taken.raw != wanted
    ]
    assert differing == []


def test_the_sender_may_stand_in_the_envelope_or_in_from(gateway, sink):
    assert hand_in(gateway.port, MAIL, JO, sender="bounce-17@outreach.example").startswith("250")
    other = MAIL.replace(b"<maria@acme.example>", b"<team@acme.example>")
    assert hand_in(gateway.port, other, JO).startswith("250")
    assert hand_in(gateway.port, other, JO, sender="mallory@acme.example").startswith("250")

    assert [one.raw for one in sink.taken] == [get_copy(MAIL, JO), get_copy(other, JO), other]


def test_what_the_next_hop_offers_is_offered_and_handed_through(gateway, sink):
    with Client(gateway.port) as client:
        assert set(client.offers.replace("250 ", "250-").split("\n")[1:]) == {
            "250-SIZE 30000000", "250-ENHANCEDSTATUSCODES", "250-8BITMIME", "250-SMTPUTF8",
        }  # fmt: skip
        client.envelope("märia@acme.example", ["jö@customer.example"], " BODY=8BITMIME SMTPUTF8 SIZE=900")
        assert client.data(MAIL).startswith("250")

    assert sink.commands == [
        "MAIL märia@acme.example BODY=8BITMIME SMTPUTF8 SIZE=900",
        "RCPT jö@customer.example",
    ]


def test_the_null_sender_and_an_old_greeting_are_taken(gateway, sink):
    with Client(gateway.port, "HELO old.example") as client:
        assert client.envelope("", [JO]) == ["250 2.1.0 OK", "250 2.1.5 OK"]
        assert client.data(MAIL).startswith("250")

    assert sink.taken == [Taken("<>", (JO,), get_copy(MAIL, JO))]


def test_lmtp_is_answered_for_each_recipient(gateway, sink):
    sink.on_data = lambda taken: "452 4.2.2 Full" if KIM in taken.recipients else None
    with Client(gateway.port, "LHLO client.example") as client:
        client.envelope(MARIA, [JO, KIM, LEE])
        answers = [client.data(MAIL), client.read(), client.read()]

    assert [answer[:9] for answer in answers] == ["250 2.0.0", "452 4.2.2", "250 2.0.0"]
    assert [one.recipients for one in sink.taken] == [(JO,), (LEE,)]


def test_25_megabytes_pass_with_their_banner(gateway, sink):
    large = message(multipart(part(PAGE), part(packed(bytes(18_500_000)), "application/zip", "base64")))
    assert len(large) > 25_000_000

    assert hand_in(gateway.port, large, JO, KIM).startswith("250")

    assert [one.raw == get_copy(large, who) for one, who in zip(sink.taken, (JO, KIM), strict=True)] == [
        True
    ] * 2


# ── Handles ──────────────────────────────────────────────────────────────────────────────────────


def test_what_the_next_hop_refuses_is_refused_in_its_own_words(gateway, sink):
    sink.on_rcpt = lambda who: {KIM: "550 5.1.1 No Kim here", LEE: "451 4.7.1 Lee, later"}.get(who)
    with Client(gateway.port) as client:
        assert client.envelope(MARIA, [JO, KIM, LEE]) == [
            "250 2.1.0 OK", "250 2.1.5 OK", "550 5.1.1 No Kim here", "451 4.7.1 Lee, later",
        ]  # fmt: skip
        assert client.data(MAIL).startswith("250")
        sink.on_mail = lambda sender: "553 5.7.1 Not you"
        assert client.envelope(MARIA, [])[0] == "553 5.7.1 Not you"
        sink.on_mail = lambda sender: None
        sink.on_data = lambda taken: "554-5.7.1 Spam\r\n554 5.7.1 Surely"
        client.envelope(MARIA, [JO])
        assert client.data(NO_SLOT) == "554-5.7.1 Spam\n554 5.7.1 Surely"

    assert [one.recipients for one in sink.taken] == [(JO,)]


def test_a_next_hop_that_is_down_leaves_the_message_with_the_client(start_gateway):
    port = start_gateway(hop=Address("127.0.0.1", 9)).port

    with Client(port) as client:
        assert client.offers.startswith("421 4.4.1")


@pytest.mark.parametrize("broken", ["get_own_keys", "decide"])
def test_when_the_portal_fails_the_message_goes_on_unchanged(gateway, sink, portal, broken, caplog):
    portal.broken = {broken}

    assert hand_in(gateway.port, MAIL, JO, KIM).startswith("250")

    assert sink.taken == [Taken(MARIA, (JO, KIM), MAIL)]
    assert "RuntimeError" in caplog.text
    for secret in ("jo@", "customer.example", "maria@", "figures"):
        assert secret not in caplog.text


def test_when_receipts_fail_the_message_still_goes_on(gateway, sink, portal):
    portal.broken = {"recall", "remember", "forget"}

    assert hand_in(gateway.port, MAIL, JO).startswith("250")

    assert sink.taken == [Taken(MARIA, (JO,), get_copy(MAIL, JO))]


def test_a_decision_that_hangs_holds_nobody_up_past_the_deadline(start_gateway, sink, portal):
    released = threading.Event()

    def decide(recipient):
        if recipient == JO:
            released.wait(20)
        return make_shown(recipient)

    portal.on_decide = decide
    port = start_gateway(deadline_seconds=0.3).port

    assert hand_in(port, MAIL, JO, KIM).startswith("250")

    released.set()
    assert sink.taken == [Taken(MARIA, (JO,), MAIL), Taken(MARIA, (KIM,), get_copy(MAIL, KIM))]


def test_a_message_to_very_many_goes_on_unchanged(gateway, sink, portal):
    many = [f"reader{number}@customer.example" for number in range(MOST_COPIES + 1)]

    assert hand_in(gateway.port, MAIL, *many).startswith("250")

    assert sink.taken == [Taken(MARIA, tuple(many), MAIL)]
    assert portal.decided == []


def test_a_copy_that_the_next_hop_refuses_for_good_goes_on_as_it_was(gateway, sink):
    sink.on_data = lambda taken: "554 5.6.0 I like no banners" if b"/b/d/" in taken.raw else None

    assert hand_in(gateway.port, MAIL, JO).startswith("250")

    assert sink.taken == [Taken(MARIA, (JO,), MAIL)]


def test_a_copy_refused_for_now_is_sent_at_the_retry_and_the_others_not_again(gateway, sink, portal):
    sink.on_data = lambda taken: "452 4.3.1 Kim is full" if KIM in taken.recipients else None

    assert hand_in(gateway.port, MAIL, JO, KIM, LEE) == "452 4.3.1 Kim is full"
    assert [one.recipients for one in sink.taken] == [(JO,), (LEE,)]
    sink.on_data = lambda taken: None
    assert hand_in(gateway.port, MAIL, JO, KIM, LEE).startswith("250")

    assert sorted(one.recipients for one in sink.taken) == [(JO,), (KIM,), (LEE,)]
    assert sorted(portal.decided) == sorted([JO, KIM, LEE])
    wait_until(lambda: portal.receipts == set(), what="the receipts to be struck out")


def test_the_same_message_sent_again_on_purpose_is_passed_on_again(gateway, sink):
    with Client(gateway.port) as client:
        for _ in range(2):
            client.envelope(MARIA, [JO])
            assert client.data(MAIL).startswith("250")

    assert len(sink.get_inbox(JO)) == 2


def test_a_client_that_leaves_before_the_answer_and_comes_back_doubles_nothing(gateway, sink, portal):
    arrived, released = threading.Event(), threading.Event()

    def wait(taken):
        arrived.set()
        released.wait(20)

    sink.on_data = wait
    client = Client(gateway.port)
    client.envelope(MARIA, [JO])
    client.say("DATA")
    client.send(NO_SLOT + b".\r\n")
    assert arrived.wait(20)
    client.close()
    assert hand_in(gateway.port, NO_SLOT, JO).startswith("451 4.3.0")
    released.set()
    wait_until(lambda: portal.receipts, what="the receipt")

    assert hand_in(gateway.port, NO_SLOT, JO) == "250 2.0.0 It was passed on before."
    assert len(sink.get_inbox(JO)) == 1


def test_a_connection_that_breaks_between_copies_is_opened_again(gateway, sink):
    answers = iter([None, "421 4.7.0 Enough for one connection", None])
    sink.on_mail = lambda sender: next(answers, None)

    assert hand_in(gateway.port, MAIL, JO, KIM).startswith("250")

    assert [one.recipients for one in sink.taken] == [(JO,), (KIM,)]


def test_stopping_finishes_the_message_that_is_on_its_way(gateway, sink, mail_loop):
    arrived, released = threading.Event(), threading.Event()

    def wait(taken):
        arrived.set()
        released.wait(20)

    sink.on_data = wait
    with Client(gateway.port) as busy, Client(gateway.port) as idle:
        busy.envelope(MARIA, [JO])
        busy.say("DATA")
        busy.send(NO_SLOT + b".\r\n")
        assert arrived.wait(20)
        stopping = threading.Thread(target=gateway.close)
        stopping.start()
        assert idle.read() == "421 4.3.2 The gateway is stopping."
        released.set()
        assert busy.read().startswith("250")
        stopping.join(20)

    assert len(sink.get_inbox(JO)) == 1


def test_large_messages_wait_for_each_other_and_all_arrive(start_gateway, sink):
    port = start_gateway(size_limit=1_000_000).port
    raw = b"Subject: large\r\n\r\n" + b"x" * 900_000 + b"\r\n"
    threads = [
        threading.Thread(target=hand_in, args=(port, raw, f"reader{n}@customer.example")) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(one.recipients for one in sink.taken) == [
        (f"reader{n}@customer.example",) for n in range(8)
    ]
