"""Stage limits: count a stage's refusals and edited mailboxes, and say when its run stops by itself."""

from __future__ import annotations

import threading

from django.db.models import F, Q

from signatures.models import DeliveryRun, DeliveryRunState, DeliveryState

from .base import Stop

EDITED_CODE = "edited"
NO_REFUSAL = (EDITED_CODE, "left_alone")
LIMIT_CODE = "limit"


class StageLimits:
    """The counts of one run's present stage, from any thread. What a resuming person accepted is not counted again."""

    def __init__(self, run: DeliveryRun) -> None:
        self._run = run
        self._lock = threading.Lock()
        self.count_again()

    def count_again(self) -> None:
        """Count what the rows of the present stage say; planned refusals are no outcome of it."""
        rows = self._run.deliveries.filter(stage=self._run.stage, finished_at__isnull=False)
        differing = rows.exclude(read_back_sha256__in=["", F("returned_sha256")])
        since = self._run.counted_from
        if since is not None:
            rows = rows.filter(finished_at__gte=since)
            differing = differing.filter(read_back_at__gte=since)
        bad = rows.filter(state__in=[DeliveryState.REFUSED, DeliveryState.FAILED])
        self._refusals = bad.exclude(reason_code__in=NO_REFUSAL).count()
        self._edited = rows.filter(Q(reason_code=EDITED_CODE)).count() + differing.count()

    def refuse(self, code: str = "") -> bool:
        """Count one mailbox that was refused or, by its code, edited; return whether the run must stop."""
        with self._lock:
            self._edited += code == EDITED_CODE
            self._refusals += code not in NO_REFUSAL
        return self.get_stop_reason() is not None

    def get_stop_reason(self) -> Stop | None:
        """Return why the run stops by itself, or None."""
        run = self._run
        if run.refusal_limit and self._refusals >= run.refusal_limit:
            return self._stop(
                f"{self._refusals:,} of its mailboxes were refused or failed", run.refusal_limit
            )
        if run.drift_limit and self._edited >= run.drift_limit:
            return self._stop(f"{self._edited:,} of its mailboxes were edited in Outreach", run.drift_limit)
        return None

    def _stop(self, what: str, limit: int) -> Stop:
        cause = (
            f"Stopped automatically in stage {self._run.stage}: {what}, and the limit is {limit:,}. "
            "Review the reasons, then continue or stop."
        )
        return Stop(DeliveryRunState.HALTED, cause, code=LIMIT_CODE)
