"""A run's figures as sentences, for commands."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count

from signatures.models import DeliveryRun, DeliveryState


def describe_plan(run: DeliveryRun) -> str:
    """Return who would change, who stays, who cannot and why."""
    lines = [
        f"{run.planned:,} mailboxes would change, {run.unchanged:,} stay, {run.refused:,} cannot, "
        f"{run.left_out:,} are left out because their people are locked in Outreach."
    ]
    return "\n".join([*lines, *list_reasons(run, [DeliveryState.REFUSED])])


def describe_outcome(run: DeliveryRun) -> str:
    """Return what became of a run that was carried out."""
    word = "restored" if run.kind == DeliveryRun.Kind.RESTORE else "delivered"
    lines = [
        f"{run.delivered:,} {word}, {run.unchanged:,} unchanged, {run.refused:,} not possible, "
        f"{run.failed:,} failed, {run.skipped:,} skipped."
    ]
    return "\n".join([*lines, *list_reasons(run, [DeliveryState.REFUSED, DeliveryState.FAILED])])


def list_reasons(run: DeliveryRun, states: Iterable[DeliveryState]) -> list[str]:
    """Return one line for each reason, the commonest first, with how many mailboxes it holds for."""
    rows = run.deliveries.filter(state__in=list(states)).order_by().values_list("reason")
    counted = rows.annotate(times=Count("pk")).order_by("-times", "reason")
    return [f"  {times:,} × {reason}" for reason, times in counted]
