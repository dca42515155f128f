"""Record: writes privileged acts, calls, and writes whose answer nobody saw into the ledger."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from integrations.catalogue import list_calls
from integrations.interfaces import CallRecord
from integrations.models import Connection, LedgerEntry, Outcome
from portal.models import Domain
from portal.trace import get_facts

from . import chain

logger = logging.getLogger(__name__)


def record_act(
    action: str,
    *,
    domain: Domain,
    actor_label: str = "",
    connection: Connection | None = None,
    detail: str = "",
    object_ref: str = "",
    job: str = "",
) -> LedgerEntry:
    """A privileged act is in the ledger. Call it inside the transaction that does the act, as its last step."""
    entry = LedgerEntry(
        domain=domain,
        domain_name=domain.name,
        connection_ref=str(connection.pk) if connection else "",
        action=action,
        actor_label=actor_label,
        object_ref=object_ref,
        job=job,
        outcome=Outcome.DONE,
        detail=detail,
    )
    chain.append([entry], domain=domain)
    return entry


class CallCollector:
    """Collects calls from any thread; `flush` writes them from the thread that owns the database.

    Reads that differ in nothing but their count are folded into one entry per flush; writes never are.
    """

    def __init__(self, connection: Connection, *, job: str, actor_label: str) -> None:
        self._connection = connection
        self._job = job
        self._actor_label = actor_label
        self._calls: list[CallRecord] = []
        self._lock = threading.Lock()
        self._facts = {"domain": connection.domain.name, **get_facts()}  # calls may come from other threads
        self.left = 0  # calls that left the process
        self._limits = 0

    def __call__(self, call: CallRecord) -> None:
        _log(call, self._facts)
        with self._lock:
            self._calls.append(call)
            if call.outcome != Outcome.REFUSED:
                self.left += 1
            self._limits += call.status == 429

    def count_limits(self) -> int:
        """Return how many replies said to wait."""
        with self._lock:
            return self._limits

    def flush(self) -> None:
        """Every call collected so far is in the ledger."""
        with self._lock:
            calls = list(self._calls)
        if calls:
            chain.append(list(self._entries(calls)), domain=self._connection.domain)
        with self._lock:
            # Only now: what could not be written is written with the next flush.
            del self._calls[: len(calls)]

    def _entries(self, calls: Sequence[CallRecord]) -> Iterable[LedgerEntry]:
        for _, alike in groupby(calls, key=_fold_key):
            group = list(alike)
            first = group[0]
            yield LedgerEntry(
                domain=self._connection.domain,
                domain_name=self._connection.domain.name,
                connection_ref=str(self._connection.pk),
                action="call",
                endpoint=first.endpoint,
                method=first.method,
                scope=first.scope,
                verb=first.verb,
                fields=list(first.fields),
                object_ref=first.object_id,
                actor_label=self._actor_label,
                job=self._job,
                outcome=first.outcome,
                status=first.status,
                times=len(group),
                item_count=sum(call.item_count for call in group),
                detail=first.error,
            )


def _log(call: CallRecord, facts: Mapping[str, str]) -> None:
    """Log one call without what it was about; a read that was answered is logged at DEBUG alone."""
    is_plain = call.verb == "read" and call.outcome == Outcome.ANSWERED
    told = {"endpoint": call.endpoint, "status": call.status, "milliseconds": call.duration_ms}
    logger.log(
        logging.DEBUG if is_plain else logging.INFO,
        "%s %s: %s %s in %s ms", call.method, call.endpoint, call.outcome, call.status, call.duration_ms,
        extra={**facts, **told},
    )  # fmt: skip


def _fold_key(call: CallRecord) -> tuple[object, ...]:
    unique = id(call) if call.verb != "read" else None
    return (
        call.endpoint,
        call.scope,
        call.outcome,
        call.status,
        call.fields,
        call.object_id,
        call.error,
        unique,
    )


def record_unknown_write(
    connection: Connection, *, endpoint: str, scope: str, object_ref: str, job: str
) -> None:
    """A write that may have left before its process died is in the ledger as such."""
    call = next(call for call in list_calls() if call.name == endpoint)
    entry = LedgerEntry(
        domain=connection.domain,
        domain_name=connection.domain.name,
        connection_ref=str(connection.pk),
        action="call",
        endpoint=endpoint,
        method=call.method,
        scope=scope,
        verb="write",
        fields=list(call.attributes_written),
        object_ref=object_ref,
        job=job,
        outcome=Outcome.UNKNOWN,
        detail="The process ended before the answer was recorded.",
    )
    chain.append([entry], domain=connection.domain)
