"""Command line of the web server; benchmarks use the same one with their own application."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

HEAD_SECONDS = 10  # of a request, and of a connection that is kept open without one
LARGEST_HEAD_BYTES = 65_536
MOST_CONNECTIONS = 4_096  # of each process; more wait until one ends
OTHER_FILES = 1_024  # bodies on disk, database, spool
JSON_LOG = Path(__file__).with_name("json_log.json")
BACKLOG = 4_096  # the kernel may hold fewer: net.core.somaxconn


def make_web_command(
    *,
    host: str,
    port: int,
    workers: int,
    application: str = "portal.rsgi:application",
    logs_json: bool = False,
) -> list[str]:
    """Return the command line of the web server. logs_json: its own lines are JSON, as the portal's are."""
    return [
        sys.executable, "-m", "granian", "--interface", "rsgi", "--http", "1", "--no-ws",
        "--host", host, "--port", str(port),
        "--workers", str(workers), "--backlog", str(BACKLOG), "--backpressure", str(_get_most_connections()),
        "--http1-header-read-timeout", str(HEAD_SECONDS * 1_000),
        "--http1-buffer-size", str(LARGEST_HEAD_BYTES),
        "--respawn-failed-workers", "--workers-kill-timeout", "15", "--no-access-log",
        *(["--log-config", str(JSON_LOG)] if logs_json else []),
        application,
    ]  # fmt: skip


def raise_file_limit() -> None:
    """Raise the limit of open files to what the connections need, or as far as the machine allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_get_file_limit(), hard))


def _get_most_connections() -> int:
    return min(MOST_CONNECTIONS, max(_get_file_limit() - OTHER_FILES, 64))


def _get_file_limit() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = MOST_CONNECTIONS + OTHER_FILES
    return enough if hard == resource.RLIM_INFINITY else min(hard, enough)
