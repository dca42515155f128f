"""Recipient of a request: finds the facts about the address that Outreach wrote into a banner's URL.

The answer comes within WITHIN_SECONDS, also where the database or Outreach is slow; a later result serves the
next request. The address itself is neither stored nor logged.
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
from signatures.campaigns.ruleset import Ruleset
from signatures.campaigns.selection import RecipientFacts
from signatures.recipients import facts

from .domain_cache import DomainCache

WITHIN_SECONDS = 0.012
THREADS = 2
MAX_QUERY = 1_000
MAX_FIELDS = 8
MOST_WAITING = 64  # with more, no facts are used, so that a flood of addresses takes no memory
_waiting = BoundedSemaphore(MOST_WAITING)


def read_address(query: str) -> str:
    """Return the address in `r`, '' where there is none or Outreach did not replace the variable."""
    if "r=" not in query or len(query) > MAX_QUERY or query.count("&") > MAX_FIELDS:
        return ""
    values = parse_qs(query, errors="replace").get("r", [])
    address = values[0] if len(values) == 1 else ""
    return address if is_address(address) and not set("{}%$") & set(address) else ""


def find_facts(domain: DomainCache, address: str, *, network: str) -> RecipientFacts | None:
    """Return what is known of the recipient without asking Outreach; where nothing is known, start a look-up.

    network: the recipient's, whose number of look-ups is limited: see `lookup_share`.
    """
    if domain.ruleset is None or not _waiting.acquire(blocking=False):
        return None
    try:
        known = _get_threads(os.getpid()).submit(_find_facts, domain, domain.ruleset, address, network)
    except RuntimeError:  # the process is ending
        _waiting.release()
        return None
    known.add_done_callback(_leave)
    try:
        return known.result(timeout=WITHIN_SECONDS)
    except (TimeoutError, DatabaseFailure):
        return None


def _leave(_: Future[RecipientFacts | None]) -> None:
    _waiting.release()


def _find_facts(domain: DomainCache, ruleset: Ruleset, address: str, network: str) -> RecipientFacts | None:
    close_old_connections()
    try:
        known = facts.get_cached(domain.domain, address, ruleset=ruleset)
        if known is None:
            # Starts the look-up, if one may start, without waiting; the next request finds its answer.
            facts.get_facts(domain.domain, address, within=0, ruleset=ruleset, network=network)
        return known
    finally:
        close_old_connections()


@lru_cache(maxsize=1)
def _get_threads(pid: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix=f"recipients-{pid}")
