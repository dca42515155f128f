"""Progress of a sync: its three listings as steps with counts; pure."""

from __future__ import annotations

from dataclasses import dataclass

from integrations.models import READ_TO_END, SyncRun


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
