"""Command line: runs a sandbox by itself until it is told to stop."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from .contradictions import CONTRADICTIONS, contradict
from .sandbox import Sandbox


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--people", type=int, default=200, help="users of the invented company")
    parser.add_argument("--teams", type=int, default=12, help="teams of the invented company")
    parser.add_argument("--seed", type=int, default=7, help="the same seed makes the same company")
    parser.add_argument("--domain", default="acme.example", help="mail domain of the invented company")
    parser.add_argument("--client-id", default="sandbox-client", help="the application's id")
    parser.add_argument("--client-secret", default="sandbox-secret", help="the application's secret")
    parser.add_argument(
        "--redirect-uri", action="append", default=[], help="a registered callback address; may be repeated"
    )
    parser.add_argument(
        "--throttle-seconds", type=float, default=60, help="one token per user in so many seconds"
    )
    parser.add_argument(
        "--also-registered",
        action="append",
        default=[],
        metavar="SCOPE",
        help="a further scope of the application; may be repeated",
    )
    parser.add_argument(
        "--contradict",
        action="append",
        default=[],
        choices=sorted(CONTRADICTIONS),
        metavar="NAME",
        help="make the sandbox differ from Outreach's pages in this, such as user.title or clock; may be repeated",
    )
    parser.add_argument(
        "--ready-file", type=Path, help="file to which the address is written once the sandbox answers"
    )


def run(options: argparse.Namespace, say: Callable[[str], None]) -> None:
    """Serve a sandbox until SIGINT or SIGTERM, and print its address."""
    stopped = threading.Event()
    previous = {
        number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with Sandbox(
            people=options.people,
            teams=options.teams,
            seed=options.seed,
            domain=options.domain,
            client_id=options.client_id,
            client_secret=options.client_secret,
            redirect_uris=options.redirect_uri,
            throttle_seconds=options.throttle_seconds,
            host=options.host,
            port=options.port,
        ) as sandbox:
            sandbox.settings.registered_scopes += tuple(options.also_registered)
            for name in options.contradict:
                contradict(sandbox, name)
            if options.ready_file is not None:
                _write_whole(options.ready_file, f"{sandbox.base_url}\n")
            say(f"Sandbox Outreach at {sandbox.base_url} (Ctrl-C ends it), its people at {sandbox.page_url}")
            stopped.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _write_whole(path: Path, text: str) -> None:
    """Write the file at once, so that nobody reads half of it."""
    part = path.with_name(f"{path.name}.part-{os.getpid()}")
    part.write_text(text)
    part.replace(path)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m integrations.outreach.sandbox", description="Run a fake Outreach."
    )
    add_arguments(parser)
    try:
        run(parser.parse_args(), _say)
    except OSError as error:
        parser.exit(1, f"The sandbox cannot listen: {error}\n")
