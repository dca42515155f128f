"""Observations: store what replies tell of the connection itself, clock difference and forbidden calls."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from integrations.interfaces import CallRecord, Recorder
from integrations.models import Connection

SKEW_STEP_SECONDS = 5  # a smaller change of the clocks' distance is not worth a write
COMPARED_EVERY = timedelta(days=1)


class Observations:
    """Hears every call of one session, from any thread; `store` writes what changed, once, at its end."""

    def __init__(self, connection_id: UUID, *, job: str, record: Recorder) -> None:
        self._id = connection_id
        self._job = job
        self._record = record
        self._lock = threading.Lock()
        self._skew: float | None = None
        self._forbidden: dict[str, dict[str, str]] = {}

    def __call__(self, call: CallRecord) -> None:
        with self._lock:
            if call.skew_seconds is not None:
                self._skew = call.skew_seconds
            if call.cause:
                self._forbidden[call.cause] = {
                    "at": timezone.now().isoformat(timespec="seconds"),
                    "endpoint": call.endpoint,
                    "method": call.method,
                    "scope": call.scope,
                    "object": call.object_id,
                    "job": self._job,
                }
        self._record(call)

    def store(self) -> None:
        """The connection's row tells what was seen; nothing is written where nothing new was."""
        if self._skew is None and not self._forbidden:
            return
        with transaction.atomic():
            row = Connection.objects.select_for_update().filter(pk=self._id).first()
            if row is None:
                return  # its domain was deleted meanwhile
            columns: dict[str, Any] = self._compare_clocks(row)
            if self._forbidden:
                columns["forbidden"] = row.forbidden | self._forbidden
            if columns:
                Connection.objects.filter(pk=self._id).update(**columns)

    def _compare_clocks(self, row: Connection) -> dict[str, Any]:
        if self._skew is None:
            return {}
        now, skew = timezone.now(), round(self._skew)
        is_recent = row.clock_compared_at is not None and now - row.clock_compared_at < COMPARED_EVERY
        is_alike = (
            row.clock_skew_seconds is not None and abs(row.clock_skew_seconds - skew) < SKEW_STEP_SECONDS
        )
        if is_recent and is_alike:
            return {}
        return {"clock_skew_seconds": skew, "clock_compared_at": now}
