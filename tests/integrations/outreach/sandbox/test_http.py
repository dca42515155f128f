"""The server under the sandbox: keep-alive, and any bytes at all answered or refused, never a crash."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from integrations.outreach.sandbox import Sandbox
from integrations.outreach.sandbox.http import Request, Response
from integrations.outreach.sandbox.server import Server
from tests.support.sandbox_clients import Api


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that answers with what it read."""

    def echo(request: Request) -> Response:
        return Response(200, f"{request.method} {request.path} {request.query} ".encode() + request.body)

    server = Server("127.0.0.1", 0, echo)
    server.start()
    yield server
    server.stop()
    assert server.crashes == []


def talk(server: Server, data: bytes) -> bytes:
    """Send `data`, close our side, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        # The server may refuse and hang up before it has read everything.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65_536):
                received += part
    return received


def status(reply: bytes) -> int | None:
    return int(reply.split(b" ", 2)[1]) if reply else None


def bodies(reply: bytes) -> list[bytes]:
    """The bodies of several responses on one connection."""
    found = []
    while reply:
        head, _, rest = reply.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        found.append(rest[:length])
        reply = rest[length:]
    return found


def test_requests_on_one_connection_are_answered_in_order(server: Server) -> None:
    reply = talk(
        server,
        b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n"
        b"POST /two?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
        b"\r\nGET /three HTTP/1.1\r\nHost: x\r\n\r\n",
    )

    assert bodies(reply) == [b"GET /one  ", b"POST /two a=b abc", b"GET /three  "]


def test_chunked_body_is_read_whole(server: Server) -> None:
    reply = talk(
        server,
        b"POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET /q HTTP/1.1\r\nHost: x\r\n\r\n",
    )

    assert bodies(reply) == [b"POST /p  abc0123456789", b"GET /q  "]


def test_client_that_waits_for_continue_gets_it(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(
            b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"ok")
        assert connection.recv(1000).endswith(b"POST /p  ok")


@pytest.mark.parametrize(
    ("head", "closes"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", False),
    ],
)
def test_connection_is_kept_as_the_client_asks(server: Server, head: bytes, closes: bool) -> None:
    reply = talk(server, head + b"GET /second HTTP/1.1\r\nHost: x\r\n\r\n")

    assert (b"GET /second" not in reply) is closes


def test_head_has_a_length_and_no_body(server: Server) -> None:
    reply = talk(server, b"HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n")

    assert b"Content-Length: 9\r\n" in reply
    assert reply.endswith(b"\r\n\r\n")


def test_absolute_target_is_read_by_its_path(server: Server) -> None:
    reply = talk(server, b"GET http://other.example/a/b?c=d HTTP/1.1\r\nHost: x\r\n\r\n")

    assert bodies(reply) == [b"GET /a/b c=d "]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GET\r\n\r\n", 400),
        (b"GET / \r\n\r\n", 400),
        (b"GET / HTTP/1.1 extra\r\nHost: x\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"G\x00T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"GET / SMTP\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET nonsense HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET /é HTTP/1.1\r\nHost: x\r\n\r\n".encode(), 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nNo colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n: empty\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n", 413),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
    ],
)
def test_malformed_request_is_refused_and_the_connection_closed(
    server: Server, data: bytes, expected: int
) -> None:
    reply = talk(server, data)

    assert status(reply) == expected
    assert reply.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close\r\n" in reply
    assert status(talk(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")) == 200


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n"])
def test_client_that_says_nothing_gets_nothing(server: Server, data: bytes) -> None:
    assert talk(server, data) == b""


def test_random_bytes_never_crash_the_sandbox(sandbox: Sandbox) -> None:
    dice = random.Random(20_261_123)  # noqa: S311 - repeatable, not secret
    server = sandbox._server
    assert server is not None
    whole = [
        b"GET /api/v2/users?page[size]=2&filter[email]=a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer y\r\n\r\n",
        b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\ngrant_typ",
        b'PATCH /_sandbox/users/3 HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{"title":"x"}',
    ]

    for _ in range(300):
        data = bytearray(dice.choice(whole))
        for _ in range(dice.randint(1, 12)):
            position = dice.randrange(len(data))
            change = dice.random()
            if change < 0.5:
                data[position] = dice.randrange(256)
            elif change < 0.8:
                del data[position : position + dice.randint(1, 9)]
                data = data or bytearray(b"\r")
            else:
                data[position:position] = dice.randbytes(dice.randint(1, 9))
        reply = talk(server, bytes(data))
        assert reply == b"" or reply.startswith(b"HTTP/1.1 "), bytes(data)
        assert status(reply) != 500, bytes(data)


def test_random_queries_and_bodies_never_crash_the_api(sandbox: Sandbox, api: Api) -> None:
    dice = random.Random(7)  # noqa: S311 - repeatable, not secret
    names = [
        "page[size]", "page[after]", "page[before]", "sort", "count", "newFilterSyntax", "fields[user]",
        "filter[email]", "filter[email][]", "filter[updatedAt][gte]", "filter[emails]", "filter[emails][]",
        "filter[locked]", "filter[teams][id]", "filter[user][id]", "filter[engagedScore]", "filter[]", "[]",
        "filter[a][b][c]", "provideAuthorizationMeta",
    ]  # fmt: skip
    values = [
        "", "true", "1", "-1", "0", "a,b", "..", "a..b", "1..inf", "neginf..2", "__null__", "2026-01-01", "²",
        "-createdAt", "email,teams", "nan", "9" * 400, "\x00", "\ud7ff", "e30=", "W10=", "%", "2026-13-45",
    ]  # fmt: skip

    for _ in range(300):
        query = [(dice.choice(names), dice.choice(values)) for _ in range(dice.randint(1, 4))]
        plural = dice.choice(("users", "teams", "mailboxes", "prospects"))
        reply = api.get(plural, params=query)
        assert reply.status_code in (200, 400, 501), (plural, query, reply.text)


def test_crash_is_kept_and_answered_with_500() -> None:
    def broken(request: Request) -> Response:
        raise LookupError("on purpose")

    server = Server("127.0.0.1", 0, broken)
    server.start()
    try:
        reply = requests.get(f"http://127.0.0.1:{server.port}/", timeout=5)
    finally:
        server.stop()

    assert reply.status_code == 500
    assert "on purpose" not in reply.text
    assert "LookupError: on purpose" in server.crashes[0]


def test_keep_alive_is_not_slowed_by_delayed_acknowledgements(api: Api) -> None:
    seconds = []
    for _ in range(25):
        started = time.monotonic()
        api.patch("mailbox", "mailboxes/5001", emailSignature="<p>x</p>")
        seconds.append(time.monotonic() - started)

    # A delayed acknowledgement costs every request 40 ms; a busy machine does not slow the fastest.
    assert min(seconds) < 0.035


def test_many_clients_at_once_are_all_served(sandbox: Sandbox, api: Api) -> None:
    ids = [each.id for each in sandbox.directory.mailboxes.values() if each.editable][:40]
    headers = dict(api.session.headers)
    failures: list[object] = []

    def write(mailbox_id: int) -> None:
        mine = Api.__new__(Api)
        mine.sandbox, mine.session = sandbox, requests.Session()
        mine.session.headers.update(headers)
        for turn in range(5):
            html = f"<p>{mailbox_id}:{turn}</p>"
            reply = mine.patch("mailbox", f"mailboxes/{mailbox_id}", emailSignature=html)
            if reply.status_code != 200 or reply.json()["data"]["attributes"]["emailSignature"] != html:
                failures.append((mailbox_id, turn, reply.text))
        mine.session.close()

    threads = [threading.Thread(target=write, args=(mailbox_id,)) for mailbox_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert {each: sandbox.directory.mailboxes[each].email_signature for each in ids} == {
        each: f"<p>{each}:4</p>" for each in ids
    }
    assert len(sandbox.requests.to("/api/v2/mailboxes/", "PATCH")) == 200
    assert sandbox.allowance.used(1) == 200
