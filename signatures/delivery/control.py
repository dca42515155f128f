"""Delivery control: what a person asks of a started run beside starting, resuming and stopping it."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from signatures.models import DeliveryRun, DeliveryRunState

from .base import PAUSED_CODE, DeliveryBlocked
from .runs import get_disconnect_restore, record_run


@transaction.atomic
def pause_delivery(run: DeliveryRun, *, actor: str) -> DeliveryRun:
    """Let the run wait until somebody resumes it; one that is writing stops within seconds.

    Raises: DeliveryBlocked, where it is over, asks already, or is the restore of a disconnect.
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
        raise DeliveryBlocked("This run has ended or waits for somebody already. Reload the page.")
    record_run(run, f"{run.job_label.split()[0]} paused", actor)
    run.refresh_from_db()
    return run
