"""Stages: divides a delivery into stages, and begins the next one when it is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from portal.leases import Lease
from portal.models import Domain
from signatures.models import DeliveryRun, DeliveryRunState, DeliverySettings, DeliveryState, Release

from .base import RunStopped, Stop

STAGE_CODE = "stage"


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a delivery is rolled out. sizes: of its stages, None for everybody left; () for one go.

    pause_minutes: between stages; None where each waits for a person. Limits are per stage, 0 for none.
    """

    sizes: tuple[int | None, ...] = ()
    pause_minutes: int | None = 0
    refusal_limit: int = 0
    drift_limit: int = 0


AT_ONCE = Rollout()


def get_rollout(domain: Domain, release: Release | None = None) -> Rollout:
    """Return how a release is rolled out: in the stages it was published with, else in the domain's usual ones."""
    settings = DeliverySettings.objects.for_domain(domain)
    stages = release.rollout.get("stages") if release is not None else None
    return Rollout(
        tuple(stages or settings.stages),
        settings.stage_pause_minutes,
        settings.refusal_limit,
        settings.drift_limit,
    )


def divide(run: DeliveryRun, sizes: Sequence[int | None], *, first: int = 1) -> list[int | None]:
    """Give each planned mailbox its stage, from number `first` on; return the sizes of those that have mailboxes."""
    planned = run.deliveries.filter(state=DeliveryState.PLANNED).order_by("pk")
    left, start, used = planned.count(), 0, list[int | None]()
    for size in [*sizes, None]:
        if left <= start:
            break
        begins_at = planned.values_list("pk", flat=True)[start : start + 1].get()
        planned.filter(pk__gte=begins_at).update(stage=first + len(used))
        is_last = size is None or size >= left - start
        used.append(None if is_last else size)
        start += left if size is None else size
    return used


def begin_next_stage(run: DeliveryRun, lease: Lease) -> bool:
    """Begin the next stage that has mailboxes to write; return whether there is one.

    Raises: RunStopped, where it waits for its time or for a person.
    """
    later = run.deliveries.filter(state=DeliveryState.PLANNED, stage__gt=run.stage).order_by("stage")
    number = later.values_list("stage", flat=True).first()
    if number is None:
        return False
    ended, minutes = run.stage, run.stage_pause_minutes
    changes: dict[str, object] = {"stage": number, "counted_from": None}
    if minutes == 0:
        lease.renew(**changes)
        run.stage, run.counted_from = number, None
        return True
    cause = f"Stage {ended} was written and read back."
    if minutes is None:
        changes["held_at"], changes["held_by_label"] = timezone.now(), ""
        cause += f" Stage {number} waits until somebody continues the run."
    wait = None if minutes is None else minutes * 60.0
    raise RunStopped(Stop(DeliveryRunState.WAITING, cause, wait, code=STAGE_CODE, changes=changes))
