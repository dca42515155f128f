"""Once through a real Postfix: in, through the gateway by LMTP, back in at the return door, out to a sink."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from signatures.mailgateway.smtp_connection import Address
from tests.support.installation import wait_until
from tests.support.mail_corpus import ACCENTS, PAGE, TEXT, make_page, message, multipart, part, quoted
from tests.support.mail_messages import JO, KIM, LEE, get_copy
from tests.support.mail_sink import hand_in
from tests.support.portal_process import find_free_port
from tests.support.postfix import running_postfix

pytestmark = pytest.mark.postfix

BODY = part(quoted(make_page(before=ACCENTS).encode()), encoding="quoted-printable")
MAIL = message(multipart(TEXT, BODY, kind="alternative"))


def sign(raw: bytes) -> tuple[bytes, bytes]:
    """The message with a DKIM signature, and the record that its key is published in."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    headers = [b"From", b"To", b"Subject", b"Date", b"Message-ID"]
    signature = dkim.sign(raw, b"mail", b"acme.example", private, include_headers=headers)
    return signature + raw, b"v=DKIM1; k=rsa; p=" + b64encode(public)


def test_mail_passes_postfix_and_gateway_whole_and_exactly_once(
    tmp_path: Path, start_gateway, sink, sink_port
):
    port = find_free_port()
    with running_postfix(tmp_path, gateway=port, sink=sink_port) as postfix:
        return_door = Address("127.0.0.1", postfix.return_door)
        gateway = start_gateway(port=port, hop=return_door)

        # Each recipient's own banner, everything else as it was handed in.
        hand_in(postfix.entrance, MAIL, JO, KIM)
        wait_until(lambda: len(sink.taken) == 2, what="both copies")
        assert {one.recipients for one in sink.taken} == {(JO,), (KIM,)}
        for one in sink.taken:
            assert one.raw.endswith(get_copy(MAIL, one.recipients[0]))

        # Before the queue, by SMTP: the same.
        sink.taken.clear()
        assert hand_in(postfix.proxied, MAIL, JO, KIM).startswith("250")
        wait_until(lambda: len(sink.taken) == 2, what="both copies")
        assert {one.recipients for one in sink.taken} == {(JO,), (KIM,)}
        for one in sink.taken:
            assert one.raw.endswith(get_copy(MAIL, one.recipients[0]))

        # Signed before the gateway: not a byte changes, and the signature still holds.
        sink.taken.clear()
        signed, record = sign(message(part(PAGE)))
        hand_in(postfix.entrance, signed, JO)
        wait_until(lambda: sink.taken, what="the signed message")
        assert sink.taken[0].raw.endswith(signed)
        assert dkim.verify(sink.taken[0].raw, dnsfunc=lambda name, timeout=5: record)

        # The gateway's next hop is down: Postfix keeps the message, and later delivers it once.
        sink.taken.clear()
        gateway.close()
        gateway = start_gateway(port=port, hop=Address("127.0.0.1", find_free_port()))
        hand_in(postfix.entrance, MAIL, JO, LEE)
        wait_until(lambda: postfix.get_queue() == ["deferred"], what="the message to be deferred")
        assert "421 4.4.1" in postfix.log.read_text()
        gateway.close()
        start_gateway(port=port, hop=return_door)
        postfix.retry()
        wait_until(lambda: len(sink.taken) == 2 and postfix.get_queue() == [], what="both copies")
        assert sorted(one.recipients for one in sink.taken) == [(JO,), (LEE,)]
        for one in sink.taken:
            assert one.raw.endswith(get_copy(MAIL, one.recipients[0]))
