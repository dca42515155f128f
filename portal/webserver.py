"""The web server's command line; measurements start the same one with an application of their own."""

from __future__ import annotations

import sys


def make_web_command(
    *, host: str, port: int, workers: int, application: str = "portal.wsgi:application"
) -> list[str]:
    """Return the command line of the web server."""
    return [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--http", "1", "--no-ws",
        "--host", host, "--port", str(port),
        "--workers", str(workers), "--blocking-threads", "4",
        "--respawn-failed-workers", "--workers-kill-timeout", "15", "--no-access-log",
        application,
    ]  # fmt: skip
