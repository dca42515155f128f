"""Delivery report: a run's figures and sentences, for pages and commands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count

from signatures.models import UNFINISHED_DELIVERY, DeliveryRun, DeliveryRunState, DeliveryState

from .planning import LEFT_OUT
from .runs import get_owing

IN_PROGRESS = (DeliveryRunState.PLANNING, *UNFINISHED_DELIVERY)


def describe_plan(run: DeliveryRun) -> str:
    """Return how many mailboxes would change, stay or are blocked."""
    lines = [
        f"{run.planned:,} mailboxes would change, {run.unchanged:,} unchanged, {run.refused:,} blocked, "
        f"{run.left_out:,} inactive in Outreach."
    ]
    return "\n".join([*lines, *list_reasons(run, [DeliveryState.REFUSED])])


def describe_outcome(run: DeliveryRun) -> str:
    """Return the result of a run that was carried out."""
    word = "restored" if run.kind == DeliveryRun.Kind.RESTORE else "delivered"
    lines = [
        f"{run.delivered:,} {word}, {run.unchanged:,} unchanged, {run.refused:,} blocked, "
        f"{run.failed:,} failed, {run.skipped:,} skipped."
    ]
    return "\n".join([*lines, *list_reasons(run, [DeliveryState.REFUSED, DeliveryState.FAILED])])


def list_reasons(run: DeliveryRun, states: Iterable[DeliveryState]) -> list[str]:
    """Return one line for each reason, most frequent first, with its number of mailboxes."""
    rows = run.deliveries.filter(state__in=list(states)).order_by().values_list("reason")
    counted = rows.annotate(times=Count("pk")).order_by("-times", "reason")
    return [f"  {times:,} × {reason}" for reason, times in counted]


@dataclass(frozen=True, slots=True)
class Progress:
    """A run with its figures. sentence: announced to screen readers when it changes."""

    run: DeliveryRun
    settled: int
    total: int
    sentence: str
    left: int  # mailboxes that are still to be reached, or, of a restore that is halted, to be tried again

    @property
    def is_moving(self) -> bool:
        return self.run.state in IN_PROGRESS

    @property
    def is_halted(self) -> bool:
        return self.run.state == DeliveryRunState.HALTED


def describe_progress(run: DeliveryRun) -> Progress:
    """Return how far a run is."""
    left = max(run.planned - run.settled, 0)
    if run.kind == DeliveryRun.Kind.RESTORE and run.state == DeliveryRunState.HALTED:
        left = left or get_owing(run).exclude(reason_code=LEFT_OUT.code).count()
    return Progress(run, run.settled, run.planned, _describe_state(run), left)


def count_mailboxes(number: int) -> str:
    """Return '1 mailbox' or '48 mailboxes'."""
    return f"{number:,} {'mailbox' if number == 1 else 'mailboxes'}"


def _describe_state(run: DeliveryRun) -> str:
    done = f"{run.settled:,} of {count_mailboxes(run.planned)}"
    restoring = run.kind == DeliveryRun.Kind.RESTORE
    match run.state:
        case DeliveryRunState.PLANNING:
            compared = "mailbox with what it goes back to" if restoring else "signature with its mailbox"
            return f"Comparing every {compared}. Nothing is written."
        case DeliveryRunState.QUEUED:
            return f"{count_mailboxes(run.planned).capitalize()} wait for the worker."
        case DeliveryRunState.RUNNING:
            return f"{done} {'checked' if restoring else 'done'}."
        case DeliveryRunState.WAITING:
            return f"{done} done; waiting."
        case DeliveryRunState.HALTED:
            return f"Stopped after {done}. Continue or stop."
        case DeliveryRunState.COMPLETE:
            return f"Complete: {count_mailboxes(run.delivered)} {'restored' if restoring else 'delivered'}."
        case DeliveryRunState.PLANNED:
            return f"{count_mailboxes(run.planned)} would change."
    return f"Ended after {done}."
