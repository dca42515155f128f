"""Where long work is, step by step; pure."""

from __future__ import annotations

from dataclasses import dataclass

from integrations.disconnect.restoration import Restoration
from integrations.models import READ_TO_END, Connection, ConnectionState, DisconnectStep, SyncRun


@dataclass(frozen=True, slots=True)
class Step:
    """state: done, now, failed, skipped or '' for not yet. done and total: 0 where nothing is counted."""

    title: str
    words: str
    state: str
    done: int = 0
    total: int = 0


PHASES = ("teams", "people", "mailboxes")


def get_sync_steps(run: SyncRun) -> list[Step]:
    """Return the three listings of a sync in their order, each with what it has read."""
    counts = (run.teams_read, run.people_read, run.mailboxes_read)
    reached = PHASES.index(run.phase) if run.phase in PHASES else -1
    steps = []
    for place, (phase, count) in enumerate(zip(PHASES, counts, strict=True)):
        state = _phase_state(run, place, reached)
        words = f"{count:,} read" if count or state in ("done", "now") else _WORDS[state]
        steps.append(Step(phase.capitalize(), words, state))
    return steps


_WORDS = {"": "not yet", "skipped": "not reached", "failed": "nothing read"}


def _phase_state(run: SyncRun, place: int, reached: int) -> str:
    if run.state in READ_TO_END or place < reached:
        return "done"
    if place > reached:
        return "skipped" if run.is_finished else ""
    return "failed" if run.is_finished else "now"


_LEAVING = (DisconnectStep.RESTORING, DisconnectStep.REVOKING, DisconnectStep.ERASED)


def get_leaving_steps(connection: Connection, restoration: Restoration) -> list[Step]:
    """Return the steps of leaving: originals back, access revoked at Outreach, tokens erased here."""
    has_left = connection.state == ConnectionState.DISCONNECTED
    reached = len(_LEAVING) if has_left else _reached(connection.disconnect_step)

    def state(place: int) -> str:
        return "done" if place < reached else "now" if place == reached else ""

    restoring = Step(
        "Put the originals back",
        _restore_words(restoration),
        state(0),
        restoration.settled,
        restoration.total,
    )
    if not connection.disconnect_restores:
        restoring = Step("Put the originals back", "left out, as you asked", "skipped")
    revoking = Step("Revoke our access at Outreach", "asked for up to five minutes", state(1))
    if has_left and connection.revocation_confirmed:
        revoking = Step("Revoke our access at Outreach", "confirmed by Outreach", "done")
    elif has_left:
        revoking = Step("Revoke our access at Outreach", "not confirmed by Outreach", "failed")
    return [
        restoring,
        revoking,
        Step("Erase the tokens here", "the last step; after it, not one request", state(2)),
    ]


def _reached(step: str) -> int:
    return _LEAVING.index(DisconnectStep(step)) if step in _LEAVING else 0


def _restore_words(restoration: Restoration) -> str:
    if not restoration.total:
        return "no mailbox holds a signature of ours"
    words = f"{restoration.restored:,} of {restoration.total:,} mailboxes have theirs back"
    if restoration.conflicts:
        words += f"; {restoration.conflicts:,} edited since and left as they are"
    if restoration.failed:
        words += f"; {restoration.failed:,} could not be written"
    return words
