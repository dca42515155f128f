"""Retries: what a restore tried and could not put back is planned again, as a person asked."""

from __future__ import annotations

from django.db.models import F

from signatures.models import DeliveryRun, DeliveryState

from .restore_report import get_owing


def plan_again(run: DeliveryRun) -> int:
    """What a restore tried and could not put back is tried again; return how many mailboxes that are.

    Only once everything else was reached: otherwise the first few that fail would keep the others waiting.
    """
    reached = not run.deliveries.filter(state__in=[DeliveryState.PLANNED, DeliveryState.CLAIMED]).exists()
    if run.kind != DeliveryRun.Kind.RESTORE or not reached:
        return 0
    owing = get_owing(run)
    refused = owing.filter(state=DeliveryState.REFUSED).count()
    failed = owing.filter(state=DeliveryState.FAILED).count()
    tried = owing.filter(state__in=[DeliveryState.REFUSED, DeliveryState.FAILED])
    number = tried.update(
        state=DeliveryState.PLANNED, reason_code="", reason="", attempts=0, finished_at=None
    )
    DeliveryRun.objects.filter(pk=run.pk).update(
        settled=F("settled") - number, refused=F("refused") - refused, failed=F("failed") - failed
    )
    return number
