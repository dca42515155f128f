"""An address that somebody typed is asked once whether it answers with an image, and nothing private is ever asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from signatures.media import typed_addresses
from signatures.media.library import get_offer
from signatures.media.typed_addresses import check_image
from tests.support.banners import PUBLIC_URL
from tests.support.media import add_medium, draw, save

PNG = save(draw())


@dataclass
class Host:
    """A web server on this machine. answers: path -> status, headers and body. asked: path and headers, in order."""

    url: str = ""
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    is_slow: bool = False


@contextmanager
def running() -> Iterator[Host]:
    host = Host()
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.asked.append((self.path, dict(self.headers)))
            status, headers, body = host.answers.get(self.path, (404, {}, b"nothing"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            while host.is_slow and not over.wait(0.1):
                self.wfile.write(b"x")
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        host.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield host
        finally:
            over.set()
            server.shutdown()
            thread.join(10)


@pytest.fixture
def host(settings) -> Iterator[Host]:
    settings.CHECK_IMAGE_ADDRESSES = True
    settings.DEBUG = True  # this machine alone may be asked, and by plain http
    settings.PUBLIC_URL = PUBLIC_URL
    with running() as host:
        yield host


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP"])
def test_an_address_that_answers_with_an_image_is_fine(host, format):
    host.answers["/logo"] = (200, {}, save(draw(), format))

    assert check_image(f"{host.url}/logo") == ""
    assert len(host.asked) == 1


def test_the_question_names_nobody(host):
    host.answers["/logo"] = (200, {"Set-Cookie": "a=b"}, PNG)

    check_image(f"{host.url}/logo?v=1#part")

    path, headers = host.asked[0]
    assert path == "/logo?v=1"
    assert {name: value for name, value in headers.items() if name != "Host"} == {
        "User-Agent": "Countersign",
        "Accept": "image/*",
        "Accept-Encoding": "identity",
    }


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((200, {}, b"<!doctype html><p>Sign in"), "The address does not answer with an image."),
        ((200, {}, b""), "The address does not answer with an image."),
        ((200, {"Content-Type": "image/png"}, b"no image"), "The address does not answer with an image."),
        ((200, {}, b"<?xml version='1.0'?><svg/>"), "answers with SVG, which mail programs do not show"),
        ((404, {}, PNG), "but with status 404"),
        (
            (302, {"Location": "ftp://acme.example/"}, b""),
            "could not be checked: it is not a plain https address",
        ),
        ((302, {"Location": "/logo"}, b""), "could not be checked: it redirects too often"),
        ((302, {"Location": "http://[::1"}, b""), "could not be checked: "),
    ],
)
def test_what_is_no_image_is_said(host, answer, words):
    host.answers["/logo"] = answer

    assert words in check_image(f"{host.url}/logo")
    assert len(host.asked) <= 4


def test_a_redirect_is_followed_without_the_cookie_it_set(host):
    host.answers["/old"] = (301, {"Location": "/new", "Set-Cookie": "seen=1"}, b"")
    host.answers["/new"] = (200, {}, PNG)

    assert check_image(f"{host.url}/old") == ""
    assert [path for path, _ in host.asked] == ["/old", "/new"]
    assert "Cookie" not in host.asked[1][1]


def test_only_the_beginning_is_read_and_a_slow_host_is_left(host, monkeypatch):
    monkeypatch.setattr(typed_addresses, "SECONDS", 0.6)
    host.answers["/large"] = (200, {"Content-Length": "900000000"}, PNG + b"x" * 4_000)
    assert check_image(f"{host.url}/large") == ""

    host.is_slow = True
    begun = time.monotonic()
    words = check_image(f"{host.url}/large")

    assert words == "The address could not be checked: it did not answer in time."
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("path", ["", "/redirect"])
def test_i4_a_private_address_is_never_asked(settings, host, path):
    """Where DEBUG is off: not itself, not by name, and not after a redirect."""
    host.answers["/redirect"] = (302, {"Location": "https://localhost/"}, b"")
    if path:
        assert "no connection could be made" in check_image(f"{host.url}{path}")
        return
    settings.DEBUG = False
    port = host.url.rpartition(":")[2]
    for url in (
        f"https://localhost:{port}/",
        f"https://127.0.0.1:{port}/",
        f"https://[::ffff:127.0.0.1]:{port}/",
    ):
        assert (
            check_image(url) == "The address could not be checked: its host name leads to a private network."
        )
    assert check_image(host.url) == "The address could not be checked: it is not a plain https address."
    assert host.asked == []


def test_nobody_is_asked_where_the_check_is_off_or_busy(host, settings):
    for _ in range(typed_addresses.MOST_AT_ONCE):
        typed_addresses._slots.acquire()
    assert check_image(f"{host.url}/gone") == ""
    for _ in range(typed_addresses.MOST_AT_ONCE):
        typed_addresses._slots.release()
    settings.CHECK_IMAGE_ADDRESSES = False
    assert check_image(f"{host.url}/gone") == ""

    assert host.asked == []


def test_an_address_of_media_is_looked_up_and_not_asked(host, domain):
    url = get_offer(add_medium(domain)).url

    assert check_image(url) == ""
    assert check_image(url.replace("@2x", "").replace("/m/", "/m/A")) == ""  # none of ours: nothing to say
    digest = url.rpartition("/")[2][:32]
    assert check_image(url.replace(digest, "0" * 32)) == "Media has no image at this address."
    assert host.asked == []
