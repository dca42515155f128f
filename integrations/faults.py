"""Faults: record in the run, the ledger and the log that an error of the portal ended a run."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

from integrations.ledger.record import record_act

from .models import Connection

logger = logging.getLogger(__name__)
HERE = Path(__file__).resolve().parent.parent


def say_fault(error: BaseException, *, job: str) -> str:
    """Return the sentence of a run that an error of the portal ended: which run, which kind of error, and where.

    Without the error's own words, which may hold a value.
    """
    return f"An internal error stopped {job}: {type(error).__name__}{_say_where(error)}. Tell the operator."


def record_fault(error: BaseException, *, connection: Connection, job: str) -> None:
    """The fault is in the operator's log, whole, and in the ledger with the run's number and its reason."""
    logger.error("%s", say_fault(error, job=job), exc_info=error)
    record_act(
        "stopped by a fault",
        domain=connection.domain,
        connection=connection,
        job=job,
        detail=say_fault(error, job=job),
    )


def _say_where(error: BaseException) -> str:
    """Return the innermost line of our own code that the error passed through, or '' where none is known."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(HERE) and "site-packages" not in path.parts:
            return f" in {path.relative_to(HERE).as_posix()}, line {frame.lineno}"
    return ""
