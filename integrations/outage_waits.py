"""Outage waits: what a sync, delivery, restore or read waits out, for how long, and in which words."""

from __future__ import annotations

from datetime import timedelta

from portal.outages import is_database_outage, is_disk_full
from portal.outages import is_outage as is_outage_here

from .errors import IntegrationError, RateLimited, UnexpectedReply, Unreachable

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=15)


def is_outage(error: BaseException | None) -> bool:
    """Return whether Outreach, or what the portal depends on, could not answer now.

    Work that meets one puts its lease down and is tried again after `get_pause`, without end; a person may
    stop it. An answer that cannot be used counts: a page of HTML in the answer's place is a gateway's.
    Anything else that is not in the failure family is an error of the portal, and ends the work.
    """
    return isinstance(error, (Unreachable, RateLimited, UnexpectedReply)) or is_outage_here(error)


def get_pause(tries: int, error: BaseException | None = None) -> timedelta:
    """Return how long to wait after this many tries in a row that met an outage: 30 s, doubled up to 15 min.

    A limit that says how long to wait is followed exactly.
    """
    if isinstance(error, RateLimited):
        return timedelta(seconds=error.retry_after_seconds)
    return min(FIRST_PAUSE * 2 ** min(max(tries - 1, 0), 10), LONGEST_PAUSE)


def say_outage(error: BaseException) -> str:
    """Return what does not answer, and who must act, in a sentence for a person."""
    if isinstance(error, UnexpectedReply):
        why = error.detail or error.message
        return (
            f"A reply of Outreach could not be used: {why}. "
            "The portal tries again; tell the operator if it happens again."
        )
    if isinstance(error, IntegrationError):
        return error.message
    if is_disk_full(error):
        return (
            "A disk of this portal is full. The operator must free space; until then the portal keeps trying."
        )
    if is_database_outage(error):
        return "The portal’s database did not answer. No action needed: the portal tries again."
    return (
        "This portal ran out of memory, files or threads, or its cache is unavailable. "
        "The portal tries again; tell the operator if it happens again."
    )


def explain_outage(error: BaseException) -> str:
    """Return what the operator's log says of it: kind and detail, never a reply's body.

    A database's own first line is one of its connection, its disk or its locks, and names no row's values.
    """
    detail = error.detail if isinstance(error, IntegrationError) else str(error).partition("\n")[0][:200]
    words = f"{type(error).__name__}: {say_outage(error)}"
    return f"{words} ({detail})" if detail and detail not in words else words
