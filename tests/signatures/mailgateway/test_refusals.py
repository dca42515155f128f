"""What a session refuses: who connects, addresses, parameters, and messages whose end is not sure."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from tests.support.mail_messages import JO, MARIA, NO_SLOT
from tests.support.mail_sink import Client


def test_mail_from_elsewhere_is_not_taken(start_gateway, sink):
    with Client(start_gateway(trusted=(ip_network("192.0.2.0/24"),)).port, "") as client:
        assert client.greeting == "554 5.7.1 This gateway takes no mail from here."
        assert client.read() == "closed"

    assert sink.commands == []


def test_a_message_over_the_limit_is_refused_before_and_after_it_was_sent(start_gateway, sink):
    port = start_gateway(size_limit=100_000).port
    with Client(port) as client:
        assert client.say(f"MAIL FROM:<{MARIA}> SIZE=100001").startswith("552 5.3.4")
        client.envelope(MARIA, [JO])
        assert client.data(b"x" * 300_000).startswith("552 5.3.4")
        client.envelope(MARIA, [JO])
        assert client.data(b"x" * 99_998 + b"\r\n").startswith("250")

    assert [len(one.raw) for one in sink.taken] == [100_000]


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\n", b"\n.\r"])
def test_what_could_be_taken_for_the_end_is_refused(gateway, sink, end):
    smuggled = b"Subject: x\r\n\r\nhello" + end + b"MAIL FROM:<admin@acme.example>\r\n"
    with Client(gateway.port) as client:
        client.envelope(MARIA, [JO])
        client.say("DATA")
        client.send(smuggled + b"\r\n.\r\n")
        assert client.read().startswith("554 5.6.0")

    assert sink.taken == []


def test_commands_behind_the_message_are_refused(gateway, sink):
    with Client(gateway.port) as client:
        client.envelope(MARIA, [JO])
        client.say("DATA")
        client.send(NO_SLOT + b".\r\nMAIL FROM:<admin@acme.example>\r\n")
        assert client.read().startswith("554 5.5.0")
        assert client.read() == "closed"

    assert sink.taken == []


@pytest.mark.parametrize(
    "recipient",
    ['"a>b"@partner.example', '"a<b> SIZE=1"@partner.example', '"a\\">b"@partner.example', '"odd user"@partner.example',
     '"@"@partner.example', "x" * 70 + "@partner.example", "jö@partner.example"],
)  # fmt: skip
def test_a_local_part_in_quotes_may_hold_anything(gateway, sink, recipient):
    with Client(gateway.port) as client:
        assert client.say("MAIL FROM:<maria@acme.example> SMTPUTF8").startswith("250")
        assert client.say(f"RCPT TO:<{recipient}>").startswith("250")
        assert client.data(NO_SLOT).startswith("250")

    assert [one.recipients for one in sink.taken] == [(recipient,)]


@pytest.mark.parametrize(
    "path",
    [
        "<a>b@partner.example>",
        '<"a>b@partner.example>',
        "<<a@b.example>>",
        "<a@b.example",
        '<"a\\">',
        "<a>x=1",
    ],
)
def test_an_address_whose_end_is_not_sure_is_refused(gateway, sink, path):
    with Client(gateway.port) as client:
        assert client.say(f"MAIL FROM:{path}").startswith("501 5.5.4")
        assert client.say(f"MAIL FROM:<{MARIA}>").startswith("250")
        assert client.say(f"RCPT TO:{path}").startswith("501 5.5.4")

    assert sink.commands == [f"MAIL {MARIA}"]


@pytest.mark.parametrize(
    "parameter",
    ["REQUIRETLS", "MT-PRIORITY=3", "BY=120;R", "AUTH=<>", "HOLDFOR=60", "X-OWN=1", "RET=HDRS", "ENVID=a1",
     "NOTIFY=NEVER", "BODY=8BITMIME REQUIRETLS"],
)  # fmt: skip
def test_what_was_not_offered_cannot_be_asked_for(gateway, sink, parameter):
    """The sink offers no DSN; and whatever the gateway does not know, it cannot promise."""
    with Client(gateway.port) as client:
        assert (
            client.say(f"MAIL FROM:<{MARIA}> {parameter}")
            == "555 5.5.4 A parameter that is not offered here."
        )
        assert client.say(f"MAIL FROM:<{MARIA}> BODY=8BITMIME").startswith("250")
        assert client.say(f"RCPT TO:<{JO}> NOTIFY=NEVER").startswith("555 5.5.4")
        assert client.say(f"RCPT TO:<{JO}> SIZE=1").startswith("555 5.5.4")
        assert client.say(f"RCPT TO:<{JO}>").startswith("250")

    assert sink.commands == [f"MAIL {MARIA} BODY=8BITMIME", f"RCPT {JO}"]


@pytest.mark.parametrize(
    "parameter", ["SIZE", "SIZE=", "SIZE=x", "SIZE=-1", "SIZE=1 size=2", "=1", "BODY==7BIT", "-A=1"]
)
def test_parameters_that_cannot_be_read_are_refused(gateway, sink, parameter):
    with Client(gateway.port) as client:
        assert client.say(f"MAIL FROM:<{MARIA}> {parameter}").startswith("501 5.5.4")

    assert sink.commands == []


def test_chunks_are_not_offered_and_never_read_as_commands(gateway, sink):
    with Client(gateway.port) as client:
        assert "CHUNKING" not in client.offers
        client.envelope(MARIA, [JO])
        client.send(b"BDAT 60 LAST\r\nRSET\r\nMAIL FROM:<admin@acme.example>\r\n")
        assert client.read() == "502 5.5.1 CHUNKING is not offered here."
        assert client.read() == "closed"

    assert sink.commands == [f"MAIL {MARIA}", f"RCPT {JO}"]


def test_commands_out_of_order_or_shape_are_refused_with_their_reason(gateway):
    with Client(gateway.port, "") as client:
        assert client.say("MAIL FROM:<a@b.example>").startswith("503")
        assert client.say("EHLO").startswith("501")
        assert client.say("EHLO client.example").startswith("250")
        assert client.say("RCPT TO:<a@b.example>").startswith("503 5.5.1")
        assert client.say("DATA").startswith("503 5.5.1")
        assert client.say("MAIL FROM:a@b.example").startswith("501 5.5.4")
        assert client.say("MAIL TO:<a@b.example>").startswith("501 5.5.4")
        assert client.say("MAIL FROM:<a@b.example>").startswith("250")
        assert client.say("MAIL FROM:<a@b.example>").startswith("503 5.5.1")
        assert client.say("DATA").startswith("503 5.5.1")
        assert client.say("RSET").startswith("250")
        assert client.say("MAIL FROM:<a@b.example>").startswith("250")
        assert client.say("QUIT").startswith("221")
