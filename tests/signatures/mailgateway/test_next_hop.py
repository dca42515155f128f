"""The way to the next hop: encryption that is never given up, dots that are doubled, answers that are odd."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from signatures.mailgateway.next_hop import NextHop, stuff
from signatures.mailgateway.smtp_connection import Address, Encryption, HopLost
from tests.support.mail_messages import JO, MAIL, MARIA, get_copy
from tests.support.mail_sink import Client, Sink, get_port, hand_in, listen


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Key and certificate of 127.0.0.1, which nobody has signed but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
def tls_port(mail_loop, sink: Sink, certificate: Path) -> int:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return get_port(mail_loop.run(listen(sink, tls=context)))


def test_mail_goes_on_encrypted_where_the_certificate_is_trusted(
    start_gateway, sink, tls_port, certificate, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    port = start_gateway(hop=Address("127.0.0.1", tls_port, Encryption.STARTTLS)).port

    assert hand_in(port, MAIL, JO).startswith("250")

    assert [one.raw for one in sink.taken] == [get_copy(MAIL, JO)]
    assert sink.encrypted == [True]


def test_a_certificate_that_nobody_trusts_stops_the_mail(start_gateway, sink, tls_port):
    port = start_gateway(hop=Address("127.0.0.1", tls_port, Encryption.STARTTLS)).port

    with Client(port) as client:
        assert client.offers.startswith("421 4.4.1")
    assert sink.commands == []


@pytest.mark.parametrize("encryption", [Encryption.STARTTLS, Encryption.TLS])
def test_mail_never_falls_back_to_clear_text(start_gateway, sink, sink_port, encryption):
    port = start_gateway(hop=Address("127.0.0.1", sink_port, encryption)).port

    with Client(port) as client:
        assert client.offers.startswith("421 4.4.1")
    assert sink.commands == []


@pytest.mark.parametrize(
    "greeting",
    [b"", b"HTTP/1.1 400 Bad Request\r\n", b"554 No\r\n", b"220-never\r\n" * 300, b"220 " + b"x" * 200_000],
)
def test_what_is_no_mail_server_is_taken_for_none(mail_loop, greeting):
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    async def connect() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        await NextHop.connect(Address("127.0.0.1", get_port(server)), name="gateway.example")

    with pytest.raises(HopLost):
        mail_loop.run(connect())


def test_a_next_hop_that_closed_an_idle_connection_is_asked_anew(gateway, sink, mail_loop):
    with Client(gateway.port) as client:
        client.envelope(MARIA, [JO])
        assert client.data(MAIL).startswith("250")
        mail_loop.run(sink.hang_up())
        client.envelope(MARIA, [JO])
        assert client.data(MAIL).startswith("250")

    assert len(sink.taken) == 2


@given(st.lists(st.sampled_from([b".", b"\r", b"\n", b"\r\n", b"\r\n.", b"a", b"..", b""]), max_size=12))
def test_dots_are_doubled_the_same_however_the_message_is_cut(pieces):
    whole = b"".join(pieces)
    wanted = (b"\r\n" + whole).replace(b"\r\n.", b"\r\n..")[2:]
    if whole and not whole.endswith(b"\r\n"):
        wanted += b"\r\n"

    assert b"".join(stuff(pieces)) == wanted
