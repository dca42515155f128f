"""Trace: the id that goes from a request or schedule to its tasks, log lines and ledger entries.

An id is made here and never taken from a request: whoever sends one could give another person's work its id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import uuid4

_facts: ContextVar[dict[str, str] | None] = ContextVar("facts", default=None)


def get_trace() -> str:
    """Return the id of the present work; '' outside of any."""
    return (_facts.get() or {}).get("trace", "")


def get_facts() -> Mapping[str, str]:
    """Return the id of the present work and what it is about, such as its domain and run, for log lines."""
    return dict(_facts.get() or {})


@contextmanager
def traced(trace: str = "", **facts: str) -> Iterator[str]:
    """Give the work inside an id, and these facts to its log lines; yields the id.

    trace: the id of what began it. Without one, the work around it continues, or a new one begins.
    """
    around = _facts.get() or {}
    trace = trace or around.get("trace") or uuid4().hex
    token = _facts.set({**around, **facts, "trace": trace})
    try:
        yield trace
    finally:
        _facts.reset(token)


def note(**facts: str) -> None:
    """Add to what the log lines of the present work say, until it ends."""
    present = _facts.get()
    if present is not None:
        present.update(facts)
