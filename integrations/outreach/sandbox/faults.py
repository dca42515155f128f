"""Faults: rules that answer in place of the sandbox, or change its answer."""

from __future__ import annotations

import fnmatch
import json
import random
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from .clock import Clock
from .errors import ApiError
from .fault_kinds import AFTERWARDS, DOCUMENT_EDITS, INSTEAD, OPTIONS, RETRY_AFTER
from .http import Request, Response


@dataclass
class Fault:
    """One rule. It acts on the `nth` request that matches and on the following ones, `times` in all.

    path: a shell pattern over the path (`/api/v2/mailboxes/*`); query: a part of the decoded query.
    times: None for without end. probability: of acting on a request that it could act on.
    """

    kind: str
    method: str = "*"
    path: str = "*"
    query: str = ""
    nth: int = 1
    times: int | None = 1
    probability: float = 1.0
    seed: int = 7
    options: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 - repeatable, not secret
        # What a fault remembers from one request to the next: the page to serve twice.
        self.memory: dict[str, Any] = {}

    def acts_on(self, request: Request) -> bool:
        """Return whether the rule acts on this request, and count the request."""
        if (
            self.method not in ("*", request.method)
            or not fnmatch.fnmatchcase(request.decoded_path, self.path)
            or self.query not in unquote_plus(request.query)
        ):
            return False
        self.seen += 1
        if self.seen < self.nth or (self.times is not None and self.hits >= self.times):
            return False
        if self.probability < 1 and self._chance.random() >= self.probability:
            return False
        self.hits += 1
        return True

    def as_dict(self) -> dict[str, Any]:
        names = ("kind", "method", "path", "query", "nth", "times", "probability", "seen", "hits", "options")
        return {name: getattr(self, name) for name in names}


class Faults:
    """The active rules, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.rules: list[Fault] = []
        self._lock = threading.Lock()

    def add(
        self,
        kind: str,
        *,
        method: str = "*",
        path: str = "*",
        query: str = "",
        nth: int = 1,
        times: int | None = 1,
        probability: float = 1.0,
        seed: int = 7,
        **options: Any,
    ) -> Fault:
        """Add a rule. Raises ValueError for an unknown kind or option."""
        known = OPTIONS.get(kind)
        if known is None:
            raise ValueError(f"There is no fault called {kind!r}; there are {', '.join(sorted(OPTIONS))}.")
        if not set(options) <= known:
            raise ValueError(f"{kind} takes {sorted(known)}, not {sorted(set(options) - known)}.")
        if options.get("retry_after", "epoch") not in RETRY_AFTER:
            raise ValueError(f"retry_after is one of {sorted(RETRY_AFTER)}.")
        fault = Fault(kind, method, path, query, nth, times, probability, seed, options)
        with self._lock:
            self.rules.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all rules."""
        with self._lock:
            self.rules.clear()

    def matching(self, request: Request) -> list[Fault]:
        """Return the rules that act on this request; each counts it."""
        if not self.rules:
            return []
        with self._lock:
            return [fault for fault in self.rules if fault.acts_on(request)]

    def instead(self, fault: Fault) -> Response | None:
        """Return the answer that replaces handling the request, or None if the rule only changes the answer."""
        make = INSTEAD.get(fault.kind)
        if make is None:
            return None
        try:
            return make(self.clock, **fault.options)
        except ApiError as error:
            return Response.json(error.status, error.document())

    def spoil(self, fault: Fault, request: Request, response: Response) -> None:
        """Return the response to a handled request, changed as the fault says."""
        change = AFTERWARDS.get(fault.kind)
        if change is not None:
            change(fault, request, response)
            return
        edit = DOCUMENT_EDITS.get(fault.kind)
        if edit is not None and response.status == 200:
            document = json.loads(response.body)
            edit(fault, request, document)
            response.body = json.dumps(document).encode()
