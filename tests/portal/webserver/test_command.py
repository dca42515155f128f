"""The web server as `serve` runs it, before requests that are slow, too large, cut, or more than can be answered."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.portal_process import OWNER, PASSWORD, Portal, running_portal

CSRF = "a" * 32
SLOW_PATHS = (
    "/accounts/login/",
    "/accounts/password/reset/",
    "/accounts/sso/",
    "/accounts/sso/acme.example/saml/acs/",
    "/api/v1/decisions",
    "/b/aaaaaaaaaaaaaaaaaaaaaa.png",
    "/healthz",
    "/nowhere",
)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Iterator[Portal]:
    folder = tmp_path_factory.mktemp("webserver")
    with running_portal(folder, migrated_database, people=2) as made, made.served(folder, "--no-worker"):
        yield made


@pytest.fixture
def open_connection(portal: Portal) -> Iterator:
    """Open a connection and send these bytes; it stays open until the end of the test."""
    with contextlib.ExitStack() as stack:

        def connect(sent: bytes) -> socket.socket:
            made = stack.enter_context(socket.create_connection(("127.0.0.1", get_port(portal)), timeout=60))
            made.sendall(sent)
            return made

        yield connect


def get_port(portal: Portal) -> int:
    return int(portal.url.rpartition(":")[2])


def make_head(path: str, *lines: str, method: str = "POST") -> bytes:
    head = (
        f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Cookie: countersign_csrf={CSRF}",
        "Content-Type: application/x-www-form-urlencoded", *lines,
    )  # fmt: skip
    return "\r\n".join((*head, "", "")).encode()


def read_all(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    parts = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def log_in(portal: Portal) -> requests.Session:
    session = requests.Session()
    session.get(f"{portal.url}/accounts/login/")
    token = session.cookies["countersign_csrf"]
    form = {"login": OWNER, "password": PASSWORD, "csrfmiddlewaretoken": token}
    answer = session.post(f"{portal.url}/accounts/login/", form, headers={"Referer": portal.url})
    assert "Log in" not in answer.text.partition("</title>")[0], answer.text[:500]
    session.headers.update({"X-CSRFToken": session.cookies["countersign_csrf"], "Referer": portal.url})
    return session


def test_slow_bodies_slow_heads_and_silent_connections_hold_nobody_up(portal, open_connection):
    slow = [
        open_connection(make_head(path, "Content-Length: 1000") + b"a=")
        for path in SLOW_PATHS
        for _ in range(5)
    ]
    for _ in range(40):
        open_connection(b"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nCook")
        open_connection(b"")

    for path, status in (
        ("/healthz", 200),
        ("/b/aaaaaaaaaaaaaaaaaaaaaa.png", 404),
        ("/accounts/login/", 200),
    ):
        assert requests.get(portal.url + path, timeout=30).status_code == status, path
    log_in(portal)
    for connection in slow:
        assert read_all(connection).split(b"\r\n")[0] == b"HTTP/1.1 408 Request Timeout"
    assert requests.get(f"{portal.url}/healthz", timeout=30).text == "ok"


def test_a_body_that_drips_is_given_up_at_the_end_of_its_time_and_one_in_time_is_whole(
    portal, open_connection
):
    form = f"login={OWNER}&password=wrong&csrfmiddlewaretoken={CSRF}"
    head = make_head("/accounts/login/", f"Content-Length: {len(form)}", "Connection: close")
    piecemeal = open_connection(head)
    for start in range(0, len(form), 20):
        piecemeal.sendall(form[start : start + 20].encode())

    assert b"not correct" in read_all(piecemeal)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("Content-Length: 500001",), b"413 Payload Too Large"),
        (("Content-Length: 99999999999999999999",), b"400 Bad Request"),
        (("Content-Length: -1",), b"400 Bad Request"),
        (("Content-Length: 5", "Content-Length: 6"), b"400 Bad Request"),
        (("Transfer-Encoding: chunked",), b"411 Length Required"),
        (("Content-Length: 500001", "Expect: 100-continue"), b"413 Payload Too Large"),
        ((f"X-Long: {'x' * 600_000}",), b"431 Request Header Fields Too Large"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/accounts/login/", "/b/aaaaaaaaaaaaaaaaaaaaaa.png", "/api/v1/decisions"])
def test_what_is_too_large_is_refused_before_it_is_sent(portal, open_connection, lines, status, path):
    answer = read_all(open_connection(make_head(path, *lines)))

    assert answer.split(b"\r\n")[0] == b"HTTP/1.1 " + status


@pytest.mark.parametrize("session", ["", "countersign_session=", f"countersign_session={'a' * 32}"])
def test_who_is_signed_in_may_send_more_and_a_cookie_of_nobody_does_not_help(
    portal, open_connection, session
):
    large = {"file": ("list.csv", b"address\n" + b"kim@partner.example\n" * 100_000)}
    assert log_in(portal).post(f"{portal.url}/nowhere", files=large).status_code == 404

    refused = open_connection(make_head("/nowhere", "Content-Length: 2000000", f"Cookie: {session}"))

    assert read_all(refused).split(b"\r\n")[0] == b"HTTP/1.1 413 Payload Too Large"


def test_even_who_is_signed_in_sends_no_more_than_the_largest_file(portal, open_connection):
    cookie = log_in(portal).cookies["countersign_session"]

    refused = open_connection(
        make_head("/nowhere", "Content-Length: 40000001", f"Cookie: countersign_session={cookie}")
    )

    assert read_all(refused).split(b"\r\n")[0] == b"HTTP/1.1 413 Payload Too Large"


def test_a_request_that_is_cut_does_nothing(portal, open_connection):
    form = f"email={OWNER}&csrfmiddlewaretoken={CSRF}"
    cut = open_connection(
        make_head("/accounts/password/reset/", f"Content-Length: {len(form) + 9}") + form.encode()
    )
    cut.shutdown(socket.SHUT_WR)

    assert read_all(cut).split(b"\r\n")[0] in (b"", b"HTTP/1.1 400 Bad Request")


def test_a_head_request_a_redirect_and_cookies_are_as_they_were(portal):
    address = f"{portal.url}/accounts/login/"
    page, head = requests.get(address, timeout=30), requests.head(address, timeout=30)
    redirect = requests.get(
        f"{portal.url}/domains/acme.example/?a=ü&b=%ff", allow_redirects=False, timeout=30
    )

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "countersign_csrf" in page.cookies
    assert redirect.status_code == 302
    assert (
        redirect.headers["Location"]
        == "/accounts/login/?next=/domains/acme.example/%3Fa%3D%25C3%25BC%26b%3D%25FF"
    )
