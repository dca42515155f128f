"""Rollout figures: how far each stage of a run is, how fast it goes, what was refused, and what it costs in calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Max, Q

from integrations.connection.health import get_year_use
from integrations.models import CallBudget
from signatures.models import (
    UNFINISHED_DELIVERY,
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    DeliverySettings,
    DeliveryState,
)

from .planning import OTHER_RUN_CODE
from .read_back import PEOPLE_PER_READ
from .stages import STAGE_CODE, Rollout
from .write_times import get_quiet_end

BAD = (DeliveryState.REFUSED, DeliveryState.FAILED)
OUT_OF_PLAN = (DeliveryState.REFUSED, DeliveryState.SKIPPED)  # where they have no end
USUAL_SPEED = 10.0  # writes a second, until a run's own speed is known
KEPT_CODES = ("edited", "left_alone", OTHER_RUN_CODE)
"""Reasons that trying again does not change."""

REMEDIES = {
    "not_editable": "Share the mailbox with the integration user in Outreach, then retry.",
    "edited": "Keep the edit, or plan again with “Overwrite manual edits”.",
    "left_alone": "Nothing to do. To write to it again, deliver to this person from the sender’s page.",
    OTHER_RUN_CODE: "Wait until the other delivery has ended, then plan again.",
    "lock_unknown": "Sync again, then retry.",
    "editable_unknown": "Sync again, then retry.",
    "rejected": "Correct the template or the values that the reason names, publish, and plan again.",
    "no_template": "Assign a template, publish, and plan again.",
    "gone": "Nothing to do. The next sync removes the mailbox.",
    "moved": "Nothing to do. The next sync shows the new owner.",
    "person_gone": "Nothing to do. The next sync shows it.",
    "unreachable": "Retry when Outreach answers again.",
    "unreadable": "Retry. Tell the operator if it happens again.",
}
OTHERWISE = "Check the sender’s page, then retry."


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. size: as planned, None for everybody left. look: done, now, stopped, or '' for one to come."""

    number: int
    size: int | None
    look: str
    total: int
    written: int
    refused: int
    settled: int
    ended_at: datetime | None

    @property
    def left(self) -> int:
        return self.total - self.settled


@dataclass(frozen=True, slots=True)
class Cause:
    """Why mailboxes were refused, and what to do. may_retry: trying again can change it."""

    code: str
    reason: str
    mailboxes: int
    remedy: str
    may_retry: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """equal, differing: delivered mailboxes that were read back. seconds_left: None where nothing moves."""

    stages: tuple[Stage, ...]
    equal: int
    differing: int
    per_second: float
    seconds_left: int | None
    refused_now: int

    @property
    def present(self) -> Stage | None:
        return next((stage for stage in self.stages if stage.look in ("now", "stopped")), None)


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls that a plan needs.

    done_at: when it would be over if it started now; hour_left: calls, of hour_limit.
    """

    needed: int
    hour_left: int
    hour_limit: int
    year: int
    year_used: int
    done_at: datetime


def count_states(run: DeliveryRun) -> Sequence[Mapping[str, Any]]:
    """Return figures of the run's mailboxes for each stage and state; one query."""
    is_equal = Q(read_back_sha256=F("returned_sha256"))
    is_read = Q(state=DeliveryState.DELIVERED) & ~Q(read_back_sha256="")
    rows = run.deliveries.order_by("stage", "state").values("stage", "state")
    return list(
        rows.annotate(
            number=Count("pk"),
            settled=Count("finished_at"),
            equal=Count("pk", filter=is_read & is_equal),
            differing=Count("pk", filter=is_read & ~is_equal),
            ended_at=Max("finished_at"),
        )
    )


def get_figures(run: DeliveryRun, counts: Sequence[Mapping[str, Any]], *, at: datetime) -> Figures:
    """Return how far a started run is; one query. counts: of `count_states`."""
    of_stage: dict[int, list[Mapping[str, Any]]] = {}
    for row in counts:
        of_stage.setdefault(row["stage"], []).append(row)
    stages = tuple(
        stage for number, rows in of_stage.items() if (stage := _make_stage(run, number, rows)).total
    )
    minute_ago = at - timedelta(minutes=1)
    began = max(run.started_at or at, minute_ago)
    per_second = _count_written(run, minute_ago) / max((at - began).total_seconds(), 1.0)
    present = next((stage for stage in stages if stage.number == run.stage), None)
    return Figures(
        stages,
        equal=sum(row["equal"] for row in counts),
        differing=sum(row["differing"] for row in counts),
        per_second=per_second,
        seconds_left=_foresee(run, stages, per_second, at),
        refused_now=present.refused if present else 0,
    )


def _count_written(run: DeliveryRun, since: datetime) -> int:
    if run.finished_at is not None and run.finished_at < since:
        return 0
    return run.deliveries.filter(state=DeliveryState.DELIVERED, finished_at__gte=since).count()


def _make_stage(run: DeliveryRun, number: int, rows: Sequence[Mapping[str, Any]]) -> Stage:
    # What was blocked or left out in the plan was never to be written.
    row = {
        "total": sum(row["settled"] if row["state"] in OUT_OF_PLAN else row["number"] for row in rows),
        "written": sum(row["number"] for row in rows if row["state"] == DeliveryState.DELIVERED),
        "refused": sum(row["settled"] for row in rows if row["state"] in BAD),
        "settled": sum(row["settled"] for row in rows),
        "ended_at": max((row["ended_at"] for row in rows if row["ended_at"]), default=None),
    }
    is_over = run.is_finished or number < run.stage
    look = "done" if is_over and row["settled"] == row["total"] else ""
    if number == run.stage and not run.is_finished and run.cause_code != STAGE_CODE:
        look = "stopped" if run.state == DeliveryRunState.HALTED else "now"
    size = run.stages[number - 1] if number <= len(run.stages) else None
    return Stage(number=number, size=size, look=look, **row)


def _foresee(run: DeliveryRun, stages: Sequence[Stage], per_second: float, at: datetime) -> int | None:
    if run.state not in UNFINISHED_DELIVERY or run.held_at is not None:
        return None
    left = sum(stage.left for stage in stages)
    pauses = sum(stage.number > run.stage for stage in stages) * (run.stage_pause_minutes or 0) * 60
    waits = max((run.resume_at - at).total_seconds(), 0.0) if run.resume_at else 0.0
    return round(left / (per_second or USUAL_SPEED) + pauses + waits)


def list_causes(run: DeliveryRun) -> list[Cause]:
    """Return why mailboxes of a run were refused or are blocked, the commonest first."""
    rows = run.deliveries.filter(state__in=BAD).order_by().values_list("reason_code", "reason")
    counted = rows.annotate(number=Count("pk")).order_by("-number", "reason")
    return [
        Cause(code, reason, number, REMEDIES.get(code, OTHERWISE), code not in KEPT_CODES)
        for code, reason, number in counted
    ]


def list_groups(run: DeliveryRun) -> list[tuple[str, int]]:
    """Return the senders' groups in the live release, with how many planned mailboxes of each would change."""
    planned = run.deliveries.filter(state=DeliveryState.PLANNED).order_by()
    name = "sender__live_group__name"
    rows = planned.values_list(name).annotate(number=Count("pk")).order_by("-number", name)
    return [(name or "No group", number) for name, number in rows]


def count_calls(run: DeliveryRun, rollout: Rollout, *, at: datetime) -> Calls:
    """Return the calls a plan needs, against those left this hour and this year, and when it would be over."""
    people = run.deliveries.filter(state=DeliveryState.PLANNED).values("person_remote_id").distinct().count()
    stages = _count_stages(rollout.sizes, run.planned)
    reads = (-(-people // PEOPLE_PER_READ) + stages - 1) * (2 if stages > 1 else 1)
    needed = run.planned + reads if run.planned else 0
    budget = CallBudget.objects.filter(connection=run.connection_id).first() or CallBudget()
    is_this_hour = budget.window_ends_at is not None and budget.window_ends_at > at
    hour_left = max(budget.limit - (budget.used if is_this_hour else 0), 0)
    settings = DeliverySettings.objects.for_domain(run.domain)
    hours = (needed - hour_left + budget.limit - 1) // max(budget.limit, 1) if needed > hour_left else 0
    if settings.writes_per_hour:
        hours = max(hours, (run.planned - 1) // settings.writes_per_hour)
    pauses = timedelta(minutes=(rollout.pause_minutes or 0) * (stages - 1))
    begins = get_quiet_end(run.domain, settings, at) or at
    year = get_year_use(run.domain, at=at)
    writing = timedelta(seconds=run.planned / USUAL_SPEED)
    done_at = begins + max(timedelta(hours=hours), writing) + pauses
    return Calls(needed, hour_left, budget.limit, year.year, year.used, done_at)


def _count_stages(sizes: Sequence[int | None], planned: int) -> int:
    number, start = 0, 0
    for size in [*sizes, None]:
        if start >= planned:
            break
        number, start = number + 1, planned if size is None else start + size
    return max(number, 1)


def list_rows(run: DeliveryRun) -> Iterator[tuple[object, ...]]:
    """Yield one line of the export for each mailbox of a run."""
    rows = Delivery.objects.filter(run=run).select_related("sender__live_group").order_by("pk")
    for row in rows.iterator(chunk_size=500):
        group = row.sender.live_group if row.sender else None
        yield (
            row.sender or "", row.mailbox_email, row.mailbox_remote_id, group or "", row.stage,
            row.get_state_display(), row.reason_code, row.reason, row.attempts, row.finished_at,
        )  # fmt: skip


COLUMNS = (
    "Sender", "Mailbox", "Mailbox ID", "Group", "Stage", "Status", "Reason code", "Reason", "Attempts",
    "Finished (UTC)",
)  # fmt: skip
