"""Logging: lines as text or JSON with the id of the work they belong to; of an outage one line a minute, few mails."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from portal.error_reports import name_view
from portal.outages import is_outage
from portal.trace import get_facts

SAID_EVERY_SECONDS = 60
MAILED_EVERY_SECONDS = 600
FACTS = ("trace", "domain", "run", "task", "view", "method", "endpoint", "status", "milliseconds")
"""What a line may say beside its message, in this order; only what is known."""


def _list_facts(record: logging.LogRecord) -> dict[str, Any]:
    """Return what the line itself was given, and what the work around it is about."""
    known: dict[str, Any] = {**get_facts()} | {
        name: vars(record)[name] for name in FACTS if name in vars(record)
    }
    return {name: known[name] for name in FACTS if name in known}


class TextFormatter(logging.Formatter):
    """One line for people, with trace, domain and run at its end where they are known."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:
        facts = _list_facts(record)
        told = " ".join(f"{name}={facts[name]}" for name in ("trace", "domain", "run") if name in facts)
        return super().formatMessage(record) + (f" [{told}]" if told else "")


class JSONFormatter(logging.Formatter):
    """One JSON object per line; an exception's traceback is a member of it."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_list_facts(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class OutageFilter(logging.Filter):
    """Rewrites an exception that a library logs as its whole message, and lets one a minute through.

    The worker's library writes its state to the cache twice a second, and logs a bare "the connection is
    closed" for each time that the cache's database is away. Anything else passes as it is.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._said_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.msg
        if not isinstance(error, Exception) or not is_outage(error):
            return True
        name = type(error).__name__
        last = self._said_at.get(name)
        if last is not None and self._now() - last < SAID_EVERY_SECONDS:
            return False
        self._said_at[name] = self._now()
        reason = next(iter(str(error).strip().splitlines()), "no reason given")
        record.msg = (
            "The worker cannot reach its database or cache and keeps trying "
            "(%s: %s). Logged again in a minute if it lasts."
        )
        record.args = (name, reason)
        return True


class MailFilter(logging.Filter):
    """Lets one mail in ten minutes through for each kind of error and view, and of an outage one for all views.

    While the database is away every request of a page fails, and each mail is sent before its answer.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._mailed_at: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        request = getattr(record, "request", None)
        view = "" if request is None or is_outage(error) else name_view(request)
        kind = (type(error).__name__ if error else str(record.msg), view)
        last = self._mailed_at.get(kind)
        if last is not None and self._now() - last < MAILED_EVERY_SECONDS:
            return False
        self._mailed_at[kind] = self._now()
        return True
