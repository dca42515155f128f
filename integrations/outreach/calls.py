"""Calls: one call of the table as it is sent, and its record, whether it left or was refused here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from integrations.errors import IntegrationError, ScopeMissing, UnexpectedReply
from integrations.interfaces import CallRecord

from .allowed_calls import Endpoint
from .replies import Reply


@dataclass(frozen=True, slots=True)
class Call:
    """One call that the policy let pass. scope: the permission under which it leaves."""

    endpoint: Endpoint
    scope: str
    path_id: str | None
    query: Mapping[str, str]
    body: Any

    @property
    def path(self) -> str:
        path = self.endpoint.path.replace("{id}", self.path_id or "")
        return f"{path}?{urlencode(self.query, quote_via=quote, safe='')}" if self.query else path

    @property
    def content(self) -> bytes | None:
        return None if self.body is None else json.dumps(self.body, ensure_ascii=False).encode()

    @property
    def fields(self) -> tuple[str, ...]:
        if self.endpoint.attributes_written:
            return self.endpoint.attributes_written
        return tuple(self.query[f"fields[{self.endpoint.resource_type}]"].split(","))

    def describe(
        self,
        *,
        status: int,
        reply: Reply | None,
        failure: IntegrationError | None,
        seconds: float,
        skew_seconds: float | None,
    ) -> CallRecord:
        """Return the record of one attempt. status: 0 where no answer came."""
        data = reply.document.get("data") if reply else []
        problem = failure.message if failure else ""
        if isinstance(failure, UnexpectedReply) and failure.detail:
            problem += f" ({failure.detail})"
        forbidden = "scope" if isinstance(failure, ScopeMissing) else "account"
        return CallRecord(
            endpoint=self.endpoint.name,
            scope=self.scope,
            method=self.endpoint.method,
            verb=self.endpoint.verb,
            status=status,
            outcome="answered" if reply else "failed",
            fields=self.fields,
            object_id=self.path_id or "",
            item_count=len(data) if isinstance(data, list) else 1,
            duration_ms=round(seconds * 1000),
            error=problem,
            cause=forbidden if failure and status == 403 else "",
            skew_seconds=skew_seconds,
        )


def describe_refusal(endpoint: Any, path_id: Any, why: str) -> CallRecord:
    """Return the record of a call that was stopped here; it may be no endpoint at all."""
    method = str(getattr(endpoint, "method", ""))
    writes = bool(getattr(endpoint, "attributes_written", ()))
    return CallRecord(
        endpoint=str(getattr(endpoint, "name", "unknown")),
        scope=str(getattr(endpoint, "scope", "")),
        method=method,
        verb="delete" if method == "DELETE" else "write" if writes else "read",
        status=0,
        outcome="refused",
        fields=(),
        object_id=path_id if isinstance(path_id, str) else "",
        item_count=0,
        duration_ms=0,
        error=why,
    )
