"""Who reads, where an organisation's Outreach writes the reader's address into the banner's: facts, or nobody.

Whatever the database or Outreach does, an answer comes within WITHIN_SECONDS; what comes later is of use to the
next fetch. The address itself is neither stored nor logged.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from threading import BoundedSemaphore
from urllib.parse import parse_qs

from django.db import Error as DatabaseFailure
from django.db import close_old_connections

from signatures.audiences.mail_addresses import is_address
from signatures.campaigns.ruleset import Board
from signatures.campaigns.selection import RecipientFacts
from signatures.recipients import facts

from .domain_cache import Shelf

WITHIN_SECONDS = 0.012
THREADS = 2
MAX_QUERY = 1_000
MAX_FIELDS = 8
MOST_WAITING = 64  # beyond, nobody is known: a flood of addresses costs no memory
_room = BoundedSemaphore(MOST_WAITING)


def read_address(query: str) -> str:
    """Return the address in `r`, '' where there is none; a variable that nobody replaced is none."""
    if "r=" not in query or len(query) > MAX_QUERY or query.count("&") > MAX_FIELDS:
        return ""
    values = parse_qs(query, errors="replace").get("r", [])
    address = values[0] if len(values) == 1 else ""
    return address if is_address(address) and not set("{}%$") & set(address) else ""


def recall(shelf: Shelf, address: str, *, network: str) -> RecipientFacts | None:
    """Return what is known of the reader without asking Outreach; where nothing is, asking begins in the background.

    network: the reader's. How many look-ups its readers may cause is bounded: see `lookup_share`.
    """
    if shelf.board is None or not _room.acquire(blocking=False):
        return None
    try:
        known = _get_threads(os.getpid()).submit(_recall, shelf, shelf.board, address, network)
    except RuntimeError:  # the process is ending
        _room.release()
        return None
    known.add_done_callback(_leave)
    try:
        return known.result(timeout=WITHIN_SECONDS)
    except (TimeoutError, DatabaseFailure):
        return None


def _leave(_: Future[RecipientFacts | None]) -> None:
    _room.release()


def _recall(shelf: Shelf, board: Board, address: str, network: str) -> RecipientFacts | None:
    close_old_connections()
    try:
        known = facts.get_cached(shelf.domain, address, board=board)
        if known is None:
            # Begins the look-up, if one may begin, and waits for nothing; the next fetch finds its answer.
            facts.get_facts(shelf.domain, address, within=0, board=board, network=network)
        return known
    finally:
        close_old_connections()


@lru_cache(maxsize=1)
def _get_threads(pid: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix=f"readers-{pid}")
