"""What the transport does with bytes that come late, in excess, or not at all."""

import gzip
import os
import socket
import ssl
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from integrations.errors import UnexpectedReply, Unreachable
from integrations.outreach.client import Transport

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture
def transport():
    transport = Transport(max_connections=2)
    yield transport
    transport.close()


def get(transport, base_url, *, seconds=5.0, max_bytes=1_000_000):
    return transport.exchange("GET", base_url + "/x", headers={}, max_bytes=max_bytes, seconds=seconds)


class Drip:
    """Sends a byte at a time, for longer than any deadline of these tests; `is_over` once the last one was sent."""

    def __init__(self, data, every=0.02):
        self.data = data
        self.every = every
        self.is_over = False

    def __call__(self, connection, head):
        for byte in self.data:
            connection.sendall(bytes([byte]))
            time.sleep(self.every)
        self.is_over = True


def whole(body, *more_headers):
    lines = b"".join(header + b"\r\n" for header in more_headers)
    return lambda connection, head: connection.sendall(
        HEAD + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body
    )


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 1000,
        HEAD + b"X-Pad: " + b"y" * 1000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
    ],
    ids=["body", "chunks", "head", "continue"],
)
def test_a_reply_that_drips_ends_at_the_deadline(transport, serve, data):
    reply = Drip(data)
    server = serve(reply)

    with pytest.raises(Unreachable):
        get(transport, server.base_url, seconds=0.4)

    assert not reply.is_over


def test_a_server_that_says_nothing_ends_at_the_deadline(transport, serve):
    released, hung_up = threading.Event(), threading.Event()

    def say_nothing(connection, head):
        released.wait(30)
        hung_up.set()

    server = serve(say_nothing)

    with pytest.raises(Unreachable):
        get(transport, server.base_url, seconds=0.3)

    assert not hung_up.is_set()
    released.set()


def test_a_slow_reply_in_time_is_whole_and_its_connection_serves_again(transport, serve):
    def twice(connection, head):
        for _ in range(2):
            for piece in (HEAD, b"Content-Length: 4\r\n\r\n", b"wh", b"le"):
                connection.sendall(piece)
                time.sleep(0.02)
            connection.recv(65536)

    server = serve(twice)

    assert [get(transport, server.base_url, seconds=2).body for _ in range(2)] == [b"whle", b"whle"]
    assert len(server.heads) == 1


def test_a_body_beyond_its_bound_is_not_read_to_its_end(transport, serve):
    sent = []

    def flood(connection, head):
        connection.sendall(HEAD + b"Content-Length: 1000000000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b"x" * 1_000_000)
            sent.append(1)

    server = serve(flood)

    with pytest.raises(UnexpectedReply, match="was not used"):
        get(transport, server.base_url, max_bytes=100_000)
    assert len(sent) < 50


def test_a_small_packed_body_that_unpacks_beyond_its_bound_is_not_used(transport, serve):
    server = serve(whole(gzip.compress(b"0" * 50_000_000), b"Content-Encoding: gzip"))

    with pytest.raises(UnexpectedReply):
        get(transport, server.base_url, max_bytes=1_000_000)


def test_a_packed_body_is_unpacked(transport, serve):
    server = serve(whole(gzip.compress(b"{}"), b"Content-Encoding: gzip"))

    assert get(transport, server.base_url).body == b"{}"


@pytest.mark.parametrize("packing", [b"br", b"zstd", b"gzip, gzip", b"deflate"])
def test_a_packing_that_was_not_offered_is_not_unpacked(transport, serve, packing):
    server = serve(whole(b"x", b"Content-Encoding: " + packing))

    with pytest.raises(UnexpectedReply):
        get(transport, server.base_url)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP",
        b"HTTP/1.1 abc\r\n\r\n",
        b"\x16\x03\x01\x02\x00 not http at all",
        HEAD,
        HEAD + b"\r\n{}",
        HEAD + b"Content-Length: 10\r\n\r\n{}",
        HEAD + b"Content-Length: 1, 2\r\n\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        HEAD + b"X-Long: " + b"y" * 70_000 + b"\r\n\r\n",
        HEAD + b"X-Many: y\r\n" * 200 + b"\r\n",
    ],
    ids=lambda data: repr(data[-25:]),
)
def test_bytes_that_are_no_whole_answer_are_none(transport, serve, data):
    server = serve(lambda connection, head: connection.sendall(data))

    with pytest.raises(Unreachable) as caught:
        get(transport, server.base_url)

    assert caught.value.permanent is False


def test_nobody_there_is_unreachable(transport):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"http://127.0.0.1:{gone.getsockname()[1]}"

    with pytest.raises(Unreachable):
        get(transport, address)
    with pytest.raises(Unreachable):
        get(transport, "http://nobody.invalid")


def test_plain_http_behind_an_https_address_is_unreachable(transport, serve):
    server = serve(whole(b"{}"))

    with pytest.raises(Unreachable):
        get(transport, server.base_url.replace("http:", "https:"))
    assert not any(b"GET" in head for head in server.heads)


@pytest.fixture
def certificate(tmp_path):
    """Return a file with a key and a certificate for 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sandbox")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "certificate.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM)
    )
    return file


@pytest.fixture
def serve_tls(certificate):
    """Start one TLS server that answers each connection with `reply(connection)`; return its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def start(reply):
        def run():
            with suppress(OSError):
                while True:
                    plain, _ = listener.accept()
                    with suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
                        connection.recv(65536)
                        reply(connection, b"")

        threading.Thread(target=run, daemon=True).start()
        return f"https://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_a_certificate_nobody_vouches_for_is_unreachable(transport, serve_tls):
    heard = []

    with pytest.raises(Unreachable):
        get(transport, serve_tls(lambda connection, head: heard.append(1)))
    assert heard == []


def test_the_deadline_holds_over_tls_too(transport, serve_tls, certificate):
    transport._session.verify = str(certificate)  # nobody else vouches for it, and no setting should
    dripping = Drip(HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000)
    reply = [whole(b"{}"), dripping]
    address = serve_tls(lambda connection, head: reply.pop(0)(connection, head))

    assert get(transport, address).body == b"{}"
    with pytest.raises(Unreachable):
        get(transport, address, seconds=0.4)
    assert not dripping.is_over


@pytest.mark.parametrize("location", [b"http://[", b"/elsewhere", b"//evil.example", b"\xff\xfe", b""])
def test_l4_a_redirect_is_an_answer_like_any_other(transport, serve, location):
    def redirect(connection, head):
        connection.sendall(
            b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 2\r\n\r\nno"
        )

    server = serve(redirect)

    assert get(transport, server.base_url).status == 302
    assert len(server.heads) == 1


def test_nothing_is_taken_from_the_environment(serve, monkeypatch, tmp_path):
    proxy, server = serve(), serve(whole(b"{}"))
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password hidden\n")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setitem(os.environ, name, proxy.base_url)
    monkeypatch.setitem(os.environ, "NETRC", str(netrc))

    transport = Transport()
    get(transport, server.base_url)
    transport.close()

    assert proxy.heads == []
    assert b"uthorization" not in server.heads[0]


def test_no_cookie_is_kept(transport, serve):
    server = serve(whole(b"{}", b"Set-Cookie: a=b; Path=/", b"Connection: close"))

    get(transport, server.base_url)
    get(transport, server.base_url)

    assert len(server.heads) == 2
    assert not any(b"ookie" in head for head in server.heads)


def test_connections_are_reused_and_never_more_than_allowed(transport, sandbox, serve):
    busy, most = [0], [0]
    lock = threading.Lock()

    def count(connection, head):
        while head:
            with lock:
                busy[0] += 1
                most[0] = max(most[0], busy[0])
            time.sleep(0.02)
            with lock:
                busy[0] -= 1
            connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")
            head = connection.recv(65536)

    server = serve(count)
    threads = [threading.Thread(target=get, args=(transport, server.base_url)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert most[0] == 2
    assert len(server.heads) == 2
