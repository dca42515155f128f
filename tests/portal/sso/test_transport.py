"""How an identity provider is called: it may drip, nest, grow or hang, and holds up neither pages nor domains."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.test import Client

from portal.deadline import within
from portal.models import Domain, IdentityProvider, Role, User
from portal.outgoing import is_acceptable
from portal.sso import slots
from portal.sso.discovery import read_configuration
from portal.sso.transport import ProviderUnreachable, call, make_session, read_document
from tests.support.oidc_provider import Provider, Reply, running
from tests.support.page_text import words_of
from tests.support.sso_sign_in import CALLBACK, DANA, LOGIN, come_back, go_out, is_in, read_log, set_up

HEAD = b"HTTP/1.1 200 OK\r\n"
DRIPS: dict[str, tuple[bytes, Callable[[int], bytes]]] = {
    "body": (HEAD + b"Content-Length: 100000\r\n\r\n", lambda number: b" "),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", lambda number: b"1\r\n \r\n"),
    "chunk size": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", lambda number: b"0"),
    "heads": (HEAD, lambda number: b"X-%d: a\r\n" % number),
    "one head": (HEAD + b"X: ", lambda number: b"a"),
    "status line": (b"HTTP/1.1 200 ", lambda number: b"O"),
    "continue": (b"", lambda number: b"HTTP/1.1 100 Continue\r\n\r\n"),
    "nothing": (b"", lambda number: b""),
}


@contextmanager
def dripping(first: bytes, more: Callable[[int], bytes]) -> Iterator[str]:
    """Serve one connection after another with bytes that come ten a second, until the block ends; its address."""
    over = threading.Event()

    def serve(peer: socket.socket) -> None:
        with peer, suppress(OSError):
            peer.recv(65_536)
            peer.sendall(first)
            number = 0
            while not over.wait(0.1):
                peer.sendall(more(number))
                number += 1

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)

        def listen() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            thread.join(10)


@pytest.mark.parametrize("name", DRIPS)
def test_a_provider_that_drips_is_left_when_the_time_is_over(settings, name):
    settings.DEBUG = True
    with dripping(*DRIPS[name]) as address:
        begun = time.monotonic()
        with pytest.raises(ProviderUnreachable) as caught, within(1.0):
            call("GET", address)

    assert caught.value.cause == "too slow"
    assert time.monotonic() - begun < 5  # it would have gone on for as long as it liked


def test_several_calls_share_one_deadline(settings):
    settings.DEBUG = True
    with dripping(*DRIPS["body"]) as address, within(1.0):
        for _ in range(2):
            with pytest.raises(ProviderUnreachable) as caught:
                call("GET", address)

    assert caught.value.cause == "too slow"


@pytest.fixture
def idp() -> Iterator[Provider]:
    with running() as provider:
        provider.claims = {"email": DANA, "email_verified": True}
        yield provider


def test_slow_providers_hold_no_more_than_their_share_of_the_threads(
    idp, domain, other_domain, make_member, settings, caplog
):
    """Two calls of one domain are under way and the third is refused at once; three of all, and so is another's."""
    make_member(domain, Role.EDITOR, DANA)
    set_up(idp, domain, settings)
    with slots.calling("acme.example"), slots.calling("acme.example"):
        own: Any = Client().post(LOGIN)
        with slots.calling("bystander.example"):
            third: Any = Client().post(LOGIN)
    free: Any = Client().post(LOGIN)

    for refused in (own, third):
        assert "Too many people are signing in at once" in words_of(refused)
    assert free.status_code == 302
    assert [words.partition("refused: ")[2] for _, words in read_log(caplog)] == [
        "too many calls to the provider at once"
    ] * 2


def test_a_slot_is_given_back_whatever_happened(idp, domain, make_member, settings):
    make_member(domain, Role.EDITOR, DANA)
    set_up(idp, domain, settings)
    idp.replies["/token"] = Reply({}, 500)
    for _ in range(5):
        come_back(Client())
    del idp.replies["/token"]

    come_back(client := Client())

    assert is_in(client)


def test_a_way_back_that_finds_no_slot_can_be_taken_again(client, idp, domain, make_member, settings):
    make_member(domain, Role.EDITOR, DANA)
    set_up(idp, domain, settings)
    asked = go_out(client)
    with slots.calling("acme.example"), slots.calling("acme.example"):
        busy: Any = client.get(CALLBACK, {"code": "code", "state": asked["state"]})

    client.get(CALLBACK, {"code": "code", "state": asked["state"]})

    assert "Too many people" in words_of(busy)
    assert is_in(client)


def test_a_body_that_unpacks_to_more_than_a_megabyte_is_refused(idp, settings):
    settings.DEBUG = True
    idp.replies["/bomb"] = Reply(gzip.compress(b" " * 50_000_000), headers={"Content-Encoding": "gzip"})

    with pytest.raises(ProviderUnreachable) as caught:
        call("GET", f"{idp.issuer}/bomb")

    assert caught.value.cause == "answer too large"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"\xff",
        b"",
        b"1" * 5_000,
        b"null",
        b'"x"',
        b"{" * 900,
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_no_object_reads_as_none(idp, settings, body):
    settings.DEBUG = True
    idp.replies["/odd"] = Reply(body)

    assert read_document(call("GET", f"{idp.issuer}/odd")) == {}


@pytest.mark.parametrize(
    "url",
    [
        "http://login.acme.example", "https://", "https://a:b@acme.example", "https://acme.example/#x", "https://[::1",
        "https://acme.example:x/", "https://acme.example:99999/", "https://acme.example:0/", "https://a b.example/",
        "https://acme.example/\r\nX: y", "https://acmé.example/", "ftp://acme.example", "//acme.example", "",
        "https://acme.example/" + "x" * 3_000, "javascript:alert(1)", "https://acme.example/\x00",
    ],
)  # fmt: skip
def test_an_address_that_is_not_plain_https_is_never_called(settings, url):
    settings.DEBUG = False

    assert not is_acceptable(url)
    with pytest.raises(ProviderUnreachable):
        call("GET", url)


@pytest.mark.parametrize("field", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize(
    "value", ["http://login.acme.example/", "https://x\r\ny", 7, None, "", ["https://a.example"]]
)
def test_a_provider_that_names_other_addresses_than_https_is_refused(
    client, idp, domain, settings, field, value
):
    set_up(idp, domain, settings)
    idp.published[field] = value

    refused: Any = client.post(LOGIN)

    assert "own addresses are not all https" in words_of(refused)


def test_an_authorization_address_with_a_query_keeps_it(client, idp, domain, settings):
    set_up(idp, domain, settings)
    idp.published["authorization_endpoint"] = f"{idp.issuer}/authorize?p=B2C_1_signin"

    out: Any = client.post(LOGIN)

    assert out["Location"].startswith(f"{idp.issuer}/authorize?p=B2C_1_signin&client_id=countersign&")


def test_a_provider_without_a_way_for_a_secret_is_told(client, idp, domain, settings):
    set_up(idp, domain, settings)
    idp.published["token_endpoint_auth_methods_supported"] = ["private_key_jwt"]

    assert "accepts no client secret" in words_of(client.post(LOGIN))


def test_every_row_is_left_as_it_was(idp, domain: Domain, settings, make_member, client):
    owner: User = make_member(domain, Role.OWNER)
    row = set_up(idp, domain, settings)
    idp.claims["sub"] = None

    come_back(client)

    assert list(IdentityProvider.objects.all()) == [row]
    assert User.objects.get() == owner


def test_i4_a_private_network_is_left_before_a_byte_is_sent(settings):
    settings.DEBUG = False
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            peer, _ = server.accept()
            heard.append(peer.recv(100))
            peer.close()

        thread = threading.Thread(target=listen)
        thread.start()
        with pytest.raises(ProviderUnreachable):
            read_configuration(f"https://localhost:{server.getsockname()[1]}")
        thread.join(10)

    assert heard == [b""]


def test_i4_plain_http_and_redirects_are_not_followed_and_answers_are_bounded(idp, settings):
    settings.DEBUG = False
    with make_session() as session, pytest.raises(ProviderUnreachable):
        session.get(idp.issuer)
    settings.DEBUG = True
    answers = {
        "redirect": b"HTTP/1.1 302 Found\r\nLocation: http://localhost/\r\nContent-Length: 0\r\n\r\n",
        "large": b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000,
    }
    for answer in answers.values():
        with socket.create_server(("127.0.0.1", 0)) as server:

            def serve(answer: bytes = answer, server: socket.socket = server) -> None:
                peer, _ = server.accept()
                peer.recv(4096)
                with suppress(OSError):  # they hang up, as they should
                    peer.sendall(answer)
                peer.close()

            thread = threading.Thread(target=serve)
            thread.start()
            with make_session() as session, pytest.raises(ProviderUnreachable):
                session.get(f"http://127.0.0.1:{server.getsockname()[1]}/")
            thread.join(10)
