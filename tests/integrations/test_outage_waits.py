"""Which errors are waited out, for how long, and what is said of them."""

from __future__ import annotations

import errno
from datetime import timedelta

import psycopg
import pytest
from django.db import DataError, IntegrityError, InterfaceError, InternalError, OperationalError
from redis import exceptions as redis

from integrations.errors import (
    AccountRestricted,
    ClientMisconfigured,
    ConnectionLost,
    NotFound,
    PolicyViolation,
    RateLimited,
    Refused,
    Rejected,
    ScopeMissing,
    UnexpectedReply,
    Unreachable,
    WritesNotAllowed,
)
from integrations.outage_waits import explain_outage, get_pause, is_outage, say_outage


def because_of(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


FULL = "A disk of this portal is full. The operator must free space; until then the portal keeps trying."
DATABASE = "The portal’s database did not answer. No action needed: the portal tries again."
SPENT = (
    "This portal ran out of memory, files or threads, or its cache is unavailable. "
    "The portal tries again; tell the operator if it happens again."
)
OUTAGES = [
    (Unreachable("Outreach is not answering."), "Outreach is not answering."),
    (RateLimited("Wait.", retry_after_seconds=30), "Wait."),
    (
        UnexpectedReply("It could not be used. Try again.", detail="not JSON:API"),
        "A reply of Outreach could not be used: not JSON:API. "
        "The portal tries again; tell the operator if it happens again.",
    ),
    (OperationalError("terminating connection due to administrator command"), DATABASE),
    (OperationalError("database is locked"), DATABASE),
    (OperationalError("deadlock detected"), DATABASE),
    (InterfaceError("connection already closed"), DATABASE),
    (because_of(InternalError("read-only"), psycopg.errors.ReadOnlySqlTransaction()), DATABASE),
    (because_of(InternalError("idle"), psycopg.errors.IdleInTransactionSessionTimeout()), DATABASE),
    (because_of(OperationalError("could not extend file"), psycopg.errors.DiskFull()), FULL),
    (OperationalError("database or disk is full"), FULL),
    (OSError(errno.ENOSPC, "No space left on device"), FULL),
    (OSError(errno.EDQUOT, "Disk quota exceeded"), FULL),
    (OSError(errno.EMFILE, "Too many open files"), SPENT),
    (RuntimeError("can't start new thread"), SPENT),
    (MemoryError(), SPENT),
    (redis.ConnectionError("refused"), SPENT),
    (redis.BusyLoadingError("loading"), SPENT),
    (redis.TimeoutError("late"), SPENT),
    (redis.OutOfMemoryError("OOM"), SPENT),
]
NO_OUTAGES = [
    None,
    KeyError("title"),
    ValueError("odd"),
    RuntimeError("dictionary changed size during iteration"),
    RecursionError(),
    OSError(errno.EACCES, "Permission denied"),
    OSError(errno.ENOENT, "No such file"),
    IntegrityError("UNIQUE constraint failed"),
    DataError("value too long"),
    because_of(InternalError("aborted"), psycopg.errors.InFailedSqlTransaction()),
    redis.ResponseError("WRONGTYPE"),
    PolicyViolation("not in the table"),
    ConnectionLost("lost"),
    ClientMisconfigured("misconfigured"),
    ScopeMissing("missing", scope="users.all"),
    AccountRestricted("restricted"),
    WritesNotAllowed("paused"),
    Refused("refused"),
    NotFound("gone"),
    Rejected("rejected"),
]


@pytest.mark.parametrize(("error", "said"), OUTAGES, ids=repr)
def test_what_heals_by_itself_is_an_outage_and_says_whose_turn_it_is(error, said):
    assert (is_outage(error), say_outage(error)) == (True, said)


@pytest.mark.parametrize("error", NO_OUTAGES, ids=repr)
def test_a_fault_of_ours_and_what_needs_a_person_are_no_outages(error):
    assert is_outage(error) is False


def test_the_pauses_grow_to_a_quarter_of_an_hour_and_no_further():
    pauses = [get_pause(tries).total_seconds() for tries in (0, 1, 2, 3, 4, 5, 6, 7, 1_000_000)]

    assert pauses == [30, 30, 60, 120, 240, 480, 900, 900, 900]


def test_a_limit_is_believed_for_as_long_as_it_says():
    limited = RateLimited("Wait.", retry_after_seconds=7.5)

    assert [get_pause(tries, limited) for tries in (1, 9)] == [timedelta(seconds=7.5)] * 2


def test_the_operator_reads_the_detail_of_what_met_no_answer():
    error = Unreachable("Outreach is not answering.", detail="HTTP 503")

    assert explain_outage(error) == "Unreachable: Outreach is not answering. (HTTP 503)"
    cut = OperationalError("terminating connection\nserver closed the connection unexpectedly")
    assert explain_outage(cut) == f"OperationalError: {DATABASE} (terminating connection)"
