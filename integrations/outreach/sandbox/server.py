"""Server: threaded keep-alive HTTP/1.1 on a real socket; its caller gives the answers."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
import time
import traceback
from collections.abc import Callable
from typing import BinaryIO, cast

from .http import BadRequest, Request, Response, read_request

Answer = Callable[[Request], Response]
# A client that sends nothing for this long is disconnected.
IDLE_SECONDS = 300
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Server(socketserver.ThreadingTCPServer):
    """Serves `answer` until stopped. Port 0 takes a free one; `crashes` holds tracebacks of unexpected errors."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 512

    def __init__(self, host: str, port: int, answer: Answer, crashes: list[str] | None = None) -> None:
        self.answer = answer
        self.crashes: list[str] = [] if crashes is None else crashes
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        self._thread: threading.Thread | None = None
        super().__init__((host, port), Connection)

    @property
    def port(self) -> int:
        port: int = self.server_address[1]
        return port

    def start(self) -> None:
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.01}, name="sandbox-outreach", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
            self._thread = None
        self.server_close()
        with self._open_lock:
            still_open = list(self._open)
        for each in still_open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def opened(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.discard(connection)

    def handle_error(self, request: object, client_address: object) -> None:
        self.crashes.append(traceback.format_exc())


class Connection(socketserver.BaseRequestHandler):
    """One client: requests one after another until either side closes."""

    server: Server
    request: socket.socket

    def handle(self) -> None:
        self.server.opened(self.request)
        try:
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.request.settimeout(IDLE_SECONDS)
            with self.request.makefile("rb", 65_536) as stream:
                while self._serve_one(cast(BinaryIO, stream)):
                    pass
        # The client left, or its connection was reset on purpose: neither is an error of the server.
        except OSError:
            pass
        finally:
            self.server.closed(self.request)
            # Closed here, since socketserver would first end it in good order.
            self.request.close()

    def _serve_one(self, stream: BinaryIO) -> bool:
        """Answer the next request; False when the connection is to be closed."""
        try:
            request = read_request(stream, self._proceed)
        except BadRequest as error:
            response = Response.text(error.status, f"{error}\n")
            self.request.sendall(response.encode(keep_alive=False))
            self._hang_up()
            return False
        if request is None:
            return False
        try:
            response = self.server.answer(request)
        except Exception:
            self.server.crashes.append(traceback.format_exc())
            response = Response.text(500, "The sandbox failed; see its list of crashes.\n")
        return self._send(request, response) and request.keep_alive

    def _proceed(self) -> None:
        self.request.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _send(self, request: Request, response: Response) -> bool:
        """Put the response on the wire in one piece, so that Nagle and delayed ACK never meet."""
        how = response.transmission
        if how.delay_seconds:
            time.sleep(how.delay_seconds)
        payload = response.encode(keep_alive=request.keep_alive, with_body=request.method != "HEAD")
        if how.cut_after is not None:
            self.request.sendall(payload[: how.cut_after])
            self._reset(how.cut_after)
            return False
        if how.drip is None:
            self.request.sendall(payload)
            return True
        size, pause = how.drip
        for start in range(0, len(payload), size):
            self.request.sendall(payload[start : start + size])
            time.sleep(pause)
        return True

    def _hang_up(self) -> None:
        """Close our side, and read what the client still sends for a while.

        Closing with bytes unread resets the connection, and a reset can overtake the refusal.
        """
        self.request.shutdown(socket.SHUT_WR)
        self.request.settimeout(1)
        for _ in range(256):
            if not self.request.recv(65_536):
                return

    def _reset(self, already_sent: int) -> None:
        """Reset the connection in place of an orderly end."""
        if already_sent:
            # A reset discards what has not left yet.
            time.sleep(0.02)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
