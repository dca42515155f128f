"""A small sandbox, a client on it that writes everything down, and servers that misbehave by the byte."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from integrations.outreach.client import CALL_SECONDS
from integrations.outreach.oauth import OAuthClient
from integrations.outreach.sandbox import Sandbox
from integrations.outreach.scopes import REQUESTED
from tests.support.wire import REDIRECT_URI, Access, Wire


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(people=60, teams=4, redirect_uris=(REDIRECT_URI,), throttle_seconds=0) as sandbox:
        yield sandbox
        assert sandbox.crashes == []


@pytest.fixture
def make_wire(sandbox: Sandbox) -> Iterator[Callable[..., Wire]]:
    """Make a wire to the sandbox, or to `base_url`; `scopes` are what its token holds."""
    with ExitStack() as stack:

        def make(
            *,
            base_url: str = "",
            scopes: tuple[str, ...] = REQUESTED,
            access: Access | None = None,
            seconds: float = CALL_SECONDS,
        ) -> Wire:
            tokens = sandbox.oauth.issue_tokens(scopes=list(scopes), user_id=1)
            wire = Wire(
                base_url or sandbox.base_url, access or Access([tokens["access_token"]]), seconds=seconds
            )
            stack.callback(wire.client.close)
            return wire

        yield make


@pytest.fixture
def wire(make_wire: Callable[..., Wire]) -> Wire:
    return make_wire()


@pytest.fixture
def oauth(sandbox: Sandbox) -> Iterator[OAuthClient]:
    with OAuthClient(
        base_url=sandbox.base_url, client_id="sandbox-client", client_secret="sandbox-secret"
    ) as client:
        yield client


class RawServer:
    """Answers every connection with `reply(connection, head)`, and keeps all bytes it was sent."""

    def __init__(self, reply: Callable[[socket.socket, bytes], None]) -> None:
        self.heads: list[bytes] = []
        self._reply = reply
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.base_url = f"http://{self.address}"
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                head = connection.recv(65536)
                self.heads.append(head)
                self._reply(connection, head)
            except OSError:
                return  # the client hung up, as it should

    def close(self) -> None:
        if self._listener.fileno() < 0:
            return
        self._listener.shutdown(socket.SHUT_RDWR)  # closing alone does not wake the thread that accepts
        self._listener.close()
        for connection in self._open:
            connection.close()
        self._thread.join(5)


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[socket.socket, bytes], None]], RawServer]]:
    """Start a server that answers with the given function, or with nothing but a closed connection."""
    with ExitStack() as stack:

        def start(reply: Callable[[socket.socket, bytes], None] = lambda connection, head: None) -> RawServer:
            server = RawServer(reply)
            stack.callback(server.close)
            return server

        yield start
