"""Delivery control: pauses a started run, and tries its failed mailboxes again."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from signatures.models import DeliveryRun, DeliveryRunState, DeliveryState
from signatures.releases.live import get_live

from .active_mailboxes import activate_planned, describe_conflict
from .base import PAUSED_CODE, DeliveryBlocked
from .permission import get_write_block_reason
from .rollout_figures import KEPT_CODES
from .runs import get_disconnect_restore, record_run
from .totals import keep_retried

RETRIED = (
    DeliveryRunState.QUEUED,
    DeliveryRunState.RUNNING,
    DeliveryRunState.WAITING,
    DeliveryRunState.HALTED,
)


@transaction.atomic
def pause_delivery(run: DeliveryRun, *, actor: str) -> DeliveryRun:
    """Pause the run until somebody resumes it; writing stops within seconds.

    Raises: DeliveryBlocked, where it has ended, waits for a decision, or is the restore of a disconnect.
    """
    if run == get_disconnect_restore(run.connection):
        raise DeliveryBlocked("This restore belongs to a disconnect. Stop it on the Outreach page.")
    rows, now = DeliveryRun.objects.filter(pk=run.pk, held_at=None), timezone.now()
    held: dict[str, Any] = {"held_at": now, "held_by_label": actor}
    paused = rows.filter(state=DeliveryRunState.RUNNING).update(**held) or rows.filter(
        state__in=[DeliveryRunState.QUEUED, DeliveryRunState.WAITING]
    ).update(
        state=DeliveryRunState.WAITING,
        resume_at=None,
        waiting_since=now,
        cause=f"Paused by {actor}.",
        cause_code=PAUSED_CODE,
        **held,
    )
    if not paused:
        raise DeliveryBlocked("This run has ended or already waits for a decision. Reload the page.")
    record_run(run, f"{run.job_label.split()[0]} paused", actor)
    run.refresh_from_db()
    return run


def retry_delivery(run: DeliveryRun, *, actor: str, reason_code: str = "") -> int:
    """Plan the mailboxes again that were refused or failed, and no other; return how many. A finished run goes on.

    reason_code: only those with this reason. Kept edits, and mailboxes in another run, are not tried again.
    Raises: DeliveryBlocked.
    """
    why_not = get_write_block_reason(run.connection)
    live = get_live(run.domain)
    if not why_not and (live is None or live.pk != run.release_id):
        why_not = f"{run.release} is no longer live. Plan a new delivery instead."
    if why_not:
        raise DeliveryBlocked(why_not)
    try:
        with transaction.atomic():
            number = _plan_failed_again(run, reason_code)
            record_run(run, "delivery retried", actor)
    except IntegrityError as error:
        raise DeliveryBlocked(describe_conflict(run)) from error
    run.refresh_from_db()
    return number


def _plan_failed_again(run: DeliveryRun, reason_code: str) -> int:
    # Locked: a process that completes the run sees these rows as planned, or has completed it before.
    present = DeliveryRun.objects.select_for_update(of=("self",)).get(pk=run.pk)
    is_over = present.state == DeliveryRunState.COMPLETE
    if present.kind != DeliveryRun.Kind.DELIVER or not (is_over or present.state in RETRIED):
        raise DeliveryBlocked("This run has not started or was ended early. Plan a new delivery instead.")
    rows = run.deliveries.filter(state__in=[DeliveryState.REFUSED, DeliveryState.FAILED])
    rows = rows.filter(reason_code=reason_code) if reason_code else rows.exclude(reason_code__in=KEPT_CODES)
    refused = rows.filter(state=DeliveryState.REFUSED).count()
    blocked = rows.filter(state=DeliveryState.REFUSED, finished_at=None).count()
    number = rows.update(
        state=DeliveryState.PLANNED,
        reason_code="",
        reason="",
        attempts=0,
        finished_at=None,
        stage=present.stage,
    )
    if not number:
        raise DeliveryBlocked("No mailbox of this run is left to retry.")
    activate_planned(run)
    keep_retried(present, {"refused": refused, "failed": number - refused})
    changes: dict[str, Any] = {
        "planned": F("planned") + blocked,
        "settled": F("settled") - (number - blocked),
        "refused": F("refused") - refused,
        "failed": F("failed") - (number - refused),
    }
    if is_over:
        changes |= {"state": DeliveryRunState.QUEUED, "queued_at": timezone.now(), "finished_at": None}
    DeliveryRun.objects.filter(pk=run.pk).update(**changes)
    return number
