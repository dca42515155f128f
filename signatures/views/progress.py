"""How far a delivery is, in figures and in one sentence that says whose turn it is."""

from __future__ import annotations

from dataclasses import dataclass

from signatures.delivery.restore_report import get_owing
from signatures.models import UNFINISHED_DELIVERY, DeliveryRun, DeliveryRunState

IN_PROGRESS = (DeliveryRunState.PLANNING, *UNFINISHED_DELIVERY)


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
        left = left or get_owing(run).count()
    return Progress(run, run.settled, run.planned, _say(run), left)


def count_mailboxes(number: int) -> str:
    """Return '1 mailbox' or '48 mailboxes'."""
    return f"{number:,} {'mailbox' if number == 1 else 'mailboxes'}"


def _say(run: DeliveryRun) -> str:
    done = f"{run.settled:,} of {count_mailboxes(run.planned)}"
    restoring = run.kind == DeliveryRun.Kind.RESTORE
    match run.state:
        case DeliveryRunState.PLANNING:
            return "Comparing every signature with what its mailbox holds. Nothing is written."
        case DeliveryRunState.QUEUED:
            return f"{count_mailboxes(run.planned).capitalize()} wait for the background worker."
        case DeliveryRunState.RUNNING:
            return f"{done} {'looked at' if restoring else 'done'}."
        case DeliveryRunState.WAITING:
            return f"{done} done; waiting."
        case DeliveryRunState.HALTED:
            return f"Stopped after {done}. It asks you whether to go on."
        case DeliveryRunState.COMPLETE:
            return f"Complete: {count_mailboxes(run.delivered)} {'restored' if restoring else 'delivered'}."
        case DeliveryRunState.PLANNED:
            return f"{count_mailboxes(run.planned)} would change."
    return f"Ended after {done}."
