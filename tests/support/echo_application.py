"""A WSGI application that answers with what it was asked, to try the adapter in front of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from portal.webserver.thread_pool import ThreadPool
from portal.webserver.wsgi_adapter import BUFFERED_BYTES, WSGIAdapter

PIECE = bytes(range(256)) * 400
PIECES = 5 * BUFFERED_BYTES // len(PIECE)
threads: dict[str, set[int]] = {}


class Pieces:
    """A large answer that tells whether it was closed, and in how many threads it was made."""

    def __init__(self, name: str) -> None:
        self.name = name
        threads[name] = {threading.get_ident()}

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(PIECES):
            threads[self.name].add(threading.get_ident())
            yield PIECE

    def close(self) -> None:
        threads[self.name].add(threading.get_ident())
        threads[f"{self.name} closed"] = set()


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/fail":
        raise ValueError("on purpose")
    if path == "/hang":
        threading.Event().wait(600)
    if path.startswith("/large"):
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return Pieces(path)
    told = {name: value for name, value in environ.items() if isinstance(value, str)}
    told["body"] = environ["wsgi.input"].read().decode("latin-1")
    told["threads"] = {name: len(each) for name, each in threads.items()}
    start_response("201 Created", [("Content-Type", "application/json"), ("X-A", "1"), ("X-A", "2")])
    return [json.dumps(told).encode()]


hanging = ThreadPool("hanging", threads=2, most_waiting=3)
others = ThreadPool("others", threads=1, most_waiting=3)
application = WSGIAdapter(echo, get_pool=lambda path: hanging if path == "/hang" else others)
