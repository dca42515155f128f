"""Plan choice: leaves single mailboxes out of a plan before it is started, or takes them back in."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import QuerySet

from integrations.ledger.record import record_act
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, DeliveryState

from .base import DeliveryBlocked
from .planning import LEFT_OUT, WITHOUT


def list_left_out(run: DeliveryRun) -> QuerySet[Delivery]:
    """Return the mailboxes that somebody left out of a run while it was a plan."""
    return run.deliveries.filter(state=DeliveryState.SKIPPED, reason_code=LEFT_OUT.code)


@transaction.atomic
def leave_out(run: DeliveryRun, delivery_ids: Collection[int], *, actor: str) -> int:
    """Leave these mailboxes of a plan out: starting it does not write to them. Return how many.

    They stay left out when it is planned again. A plan with one left out no longer counts as one for everybody.
    Raises: DeliveryBlocked, where it is no plan, or none of them would change.
    """
    _lock(run)
    rows = run.deliveries.filter(pk__in=delivery_ids, state=DeliveryState.PLANNED)
    chosen = dict(rows.order_by("pk").values_list("mailbox_remote_id", "mailbox_email"))
    rows.update(state=DeliveryState.SKIPPED, reason_code=LEFT_OUT.code, reason=LEFT_OUT.reason)
    _store(run, {*run.scope.get(WITHOUT, ()), *chosen})
    return _record(run, "mailboxes left out of a plan", chosen, actor)


@transaction.atomic
def take_in(run: DeliveryRun, delivery_ids: Collection[int], *, actor: str) -> int:
    """Take mailboxes that were left out of a plan back into it. Return how many. Raises: DeliveryBlocked."""
    _lock(run)
    rows = list_left_out(run).filter(pk__in=delivery_ids)
    chosen = dict(rows.order_by("pk").values_list("mailbox_remote_id", "mailbox_email"))
    rows.update(state=DeliveryState.PLANNED, reason_code="", reason="")
    _store(run, {*run.scope.get(WITHOUT, ())} - chosen.keys())
    return _record(run, "mailboxes taken back into a plan", chosen, actor)


def _lock(run: DeliveryRun) -> None:
    """Keep the plan from being started until this is stored; whoever starts it changes the same row."""
    plans = DeliveryRun.objects.filter(pk=run.pk, state=DeliveryRunState.PLANNED)
    if plans.update(state=DeliveryRunState.PLANNED) != 1:
        raise DeliveryBlocked("This plan was started or replaced meanwhile. Nothing was changed.")
    run.refresh_from_db()


def _store(run: DeliveryRun, without: Collection[str]) -> None:
    scope = {key: value for key, value in run.scope.items() if key != WITHOUT}
    if without:
        scope[WITHOUT] = sorted(without)
    run.scope = scope
    run.planned = run.deliveries.filter(state=DeliveryState.PLANNED).count()
    run.covers_until = None if scope or run.kind == DeliveryRun.Kind.RESTORE else run.created_at
    run.save(update_fields=["scope", "planned", "covers_until"])


def _record(run: DeliveryRun, act: str, chosen: dict[str, str], actor: str) -> int:
    if not chosen:
        raise DeliveryBlocked("Choose at least one mailbox of this plan. Nothing was changed.")
    record_act(
        act,
        domain=run.domain,
        connection=run.connection,
        actor_label=actor,
        job=run.job_label,
        detail=", ".join(chosen.values())[:1000],
    )
    return len(chosen)
