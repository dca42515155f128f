"""Between the web server and a WSGI application: what it is told, how large answers leave, and what hangs."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from portal.webserver.command import make_web_command
from tests.support.echo_application import PIECE, PIECES
from tests.support.installation import ROOT, wait_until
from tests.support.portal_process import find_free_port


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    found = find_free_port()
    command = make_web_command(
        host="127.0.0.1", port=found, workers=1, application="tests.support.echo_application:application"
    )
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"SECRET_IN_ENVIRONMENT": "canary"}, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: is_open(found), seconds=60)
        yield found
    finally:
        process.terminate()
        process.wait(30)


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def exchange(port: int, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(sent)
        parts = []
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def ask(
    port: int, path: str, *, method: str = "GET", timeout: float = 60, **options: Any
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    connection.request(method, path, **options)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_the_application_is_told_the_request_as_it_came_and_nothing_of_the_environment(port):
    head = (
        "POST /a%2Fb/%E2%82%AC/c?x=%E2&y=1 HTTP/1.1", "Host: signatures.acme.example:8443", "X-A: 1", "X-A: 2",
        "X_Forwarded_For: 192.0.2.1", "X-Forwarded-For: 203.0.113.7", "Cookie: a=1", "Cookie: b=2",
        "Content-Type: text/plain", "Content-Length: 4", "Connection: close", "", "body",
    )  # fmt: skip

    top, _, body = exchange(port, "\r\n".join(head).encode()).partition(b"\r\n\r\n")

    assert top.split(b"\r\n")[0] == b"HTTP/1.1 201 Created"
    assert [line for line in top.split(b"\r\n") if line.lower().startswith(b"x-a")] == [b"x-a: 1", b"x-a: 2"]
    told = json_of(body)
    assert told.pop("SERVER_PORT") == str(port)
    assert told == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a/b/€/c".encode().decode("latin-1"),
        "QUERY_STRING": "x=%E2&y=1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "signatures.acme.example:8443",
        "HTTP_X_A": "1,2",
        "HTTP_X_FORWARDED_FOR": "203.0.113.7",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_CONNECTION": "close",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "4",
        "body": "body",
    }


def json_of(body: bytes) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(body)
    told.pop("threads")
    return told


def test_a_large_answer_is_whole_and_made_and_closed_in_one_thread(port):
    status, body = ask(port, "/large")

    assert (status, body == PIECE * PIECES) == (200, True)
    threads = json.loads(ask(port, "/")[1])["threads"]
    assert (threads["/large"], threads["/large closed"]) == (1, 0)


def test_a_reader_who_leaves_in_the_middle_frees_the_thread(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(b"GET /large-left HTTP/1.1\r\nHost: a\r\n\r\n")
    connection.recv(1)
    connection.close()

    assert ask(port, "/")[0] == 201


def test_an_application_that_fails_is_a_500_without_a_word_of_it(port):
    status, body = ask(port, "/fail")

    assert (status, body) == (500, b"An error occurred on the server.\n")
    assert ask(port, "/")[0] == 201


def test_what_hangs_fills_its_own_threads_then_is_refused_and_leaves_the_others_alone(port):
    waiting = []
    for _ in range(5):
        one = socket.create_connection(("127.0.0.1", port), timeout=60)
        one.sendall(b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
        waiting.append(one)
    wait_until(lambda: is_refused(port))

    assert ask(port, "/")[0] == 201

    for one in waiting:
        one.close()


def is_refused(port: int) -> bool:
    try:
        return ask(port, "/hang", timeout=1)[0] == 503
    except TimeoutError:
        return False
