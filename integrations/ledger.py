"""The only writers of the ledger, and the figures read from it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Protocol

from django.db.models import Count, Max, Q, Sum

from portal.models import Domain

from .consent import list_scopes
from .models import Connection, LedgerEntry, Outcome


class Call(Protocol):
    """What a provider's client says of one attempt to call; see `outreach.ports.CallRecord`."""

    @property
    def endpoint(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def verb(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def outcome(self) -> str: ...
    @property
    def fields(self) -> tuple[str, ...]: ...
    @property
    def object_id(self) -> str: ...
    @property
    def item_count(self) -> int: ...
    @property
    def error(self) -> str: ...


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
    """A privileged act is in the ledger. Call it inside the transaction that does the act."""
    return LedgerEntry.objects.create(
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


class CallCollector:
    """Collects calls from any thread; `flush` writes them from the thread that owns the database.

    Reads that differ in nothing but their count are folded into one entry per flush; writes never are.
    """

    def __init__(self, connection: Connection, *, job: str, actor_label: str) -> None:
        self._connection = connection
        self._job = job
        self._actor_label = actor_label
        self._calls: list[Call] = []
        self._lock = threading.Lock()
        self.left = 0  # calls that left the process

    def __call__(self, call: Call) -> None:
        with self._lock:
            self._calls.append(call)
            if call.outcome != Outcome.REFUSED:
                self.left += 1

    def flush(self) -> None:
        """Every call collected so far is in the ledger."""
        with self._lock:
            calls = list(self._calls)
        if calls:
            LedgerEntry.objects.bulk_create(self._entries(calls), batch_size=500)
        with self._lock:
            # Only now: what could not be written is written with the next flush.
            del self._calls[: len(calls)]

    def _entries(self, calls: Sequence[Call]) -> Iterable[LedgerEntry]:
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


def _fold_key(call: Call) -> tuple[object, ...]:
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
    LedgerEntry.objects.create(
        domain=connection.domain,
        domain_name=connection.domain.name,
        connection_ref=str(connection.pk),
        action="call",
        endpoint=endpoint,
        scope=scope,
        verb="write",
        object_ref=object_ref,
        job=job,
        outcome=Outcome.UNKNOWN,
        detail="The process ended before the answer was recorded.",
    )


@dataclass(frozen=True, slots=True)
class VerbUse:
    """state: used, granted (and not used yet), never (no code path) or 'not granted'."""

    name: str
    state: str
    times: int
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class ScopeUse:
    """One scope as requested, granted and used."""

    scope: str
    title: str
    is_requested: bool
    is_granted: bool
    is_on: bool
    granted_at: datetime | None
    granted_by: str
    verbs: tuple[VerbUse, ...]
    calls: int
    last_at: datetime | None
    last_job: str


def summarise(domain: Domain, connection: Connection | None) -> list[ScopeUse]:
    """Return each requested scope, then each that was granted without being asked for.

    Counts are over everything the ledger holds of this domain, calls that left only.
    """
    used = {
        (row["scope"], row["verb"]): row
        for row in LedgerEntry.objects.filter(domain=domain, action="call")
        .exclude(scope="")
        .exclude(outcome=Outcome.REFUSED)
        .values("scope", "verb")
        .annotate(calls=Sum("times"), last_at=Max("at"), last_id=Max("id"))
        .order_by()
    }
    last_jobs = dict(
        LedgerEntry.objects.filter(id__in=[row["last_id"] for row in used.values()]).values_list("id", "job")
    )
    granted = set(connection.scopes_granted) if connection else set()
    switched_off = set(connection.scopes_switched_off) if connection else set()

    def build(scope: str, title: str, verbs: Iterable[tuple[str, str]], *, is_requested: bool) -> ScopeUse:
        rows = {name: used.get((scope, name)) for name, _ in verbs}
        seen = [row for row in rows.values() if row]
        last = max(seen, key=lambda row: row["last_id"], default=None)
        is_granted = scope in granted
        return ScopeUse(
            scope=scope,
            title=title,
            is_requested=is_requested,
            is_granted=is_granted,
            is_on=is_granted and is_requested and scope not in switched_off,
            granted_at=connection.authorised_at if connection and is_granted else None,
            granted_by=connection.authorised_by_label if connection and is_granted else "",
            verbs=tuple(
                VerbUse(
                    name=name,
                    state=_verb_state(kind, is_granted=is_granted, is_used=row is not None),
                    times=row["calls"] if row else 0,
                    last_at=row["last_at"] if row else None,
                )
                for name, kind in verbs
                for row in [rows[name]]
            ),
            calls=sum(row["calls"] for row in seen),
            last_at=last["last_at"] if last else None,
            last_job=last_jobs.get(last["last_id"], "") if last else "",
        )

    scopes = list_scopes()
    found = [
        build(scope.name, scope.title, [(verb.name, verb.state) for verb in scope.verbs], is_requested=True)
        for scope in scopes
    ]
    for extra in connection.scopes_unasked if connection else []:
        verbs = ("read", "write", "delete") if extra.endswith(".all") else (extra.rpartition(".")[2],)
        found.append(build(extra, "Not asked for", [(verb, "never") for verb in verbs], is_requested=False))
    return found


def _verb_state(kind: str, *, is_granted: bool, is_used: bool) -> str:
    if is_used:
        return "used"
    if kind == "never":
        return "never"
    return "granted" if is_granted else "not granted"


def count_refused(domain: Domain) -> int:
    """Return how many calls were stopped here before anything left."""
    return (
        LedgerEntry.objects.filter(domain=domain, outcome=Outcome.REFUSED).aggregate(n=Sum("times"))["n"] or 0
    )


def count_calls(domain: Domain, *, since: datetime) -> tuple[int, int]:
    """Return (calls, signature writes among them) that left since then."""
    totals = (
        LedgerEntry.objects.filter(domain=domain, action="call", at__gte=since)
        .exclude(outcome=Outcome.REFUSED)
        .aggregate(calls=Sum("times"), writes=Count("id", filter=Q(verb="write")))
    )
    return totals["calls"] or 0, totals["writes"] or 0
