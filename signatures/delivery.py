"""Signatures reach mailboxes: planned, started, carried out; the original is kept before the first write."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from django.db import IntegrityError, transaction
from django.utils import timezone

from integrations.connections import get_connection
from integrations.gateway import open_gateway
from integrations.ledger import record_act
from integrations.models import Connection
from portal.models import Domain, User

from .engine import carry_out_run
from .givingup import give_up
from .history import note_delivered
from .job import GatewayLike, OpenGateway, Progress
from .judging import DeliveryJob
from .models import Delivery, DeliveryRun, DeliveryRunState
from .permission import say_why_unreadable, say_why_unwritable
from .planning import plan_chunks


class DeliveryBlocked(Exception):
    """Nothing can be planned or started; the message says why to a person."""


def plan_delivery(
    domain: Domain,
    *,
    by_label: str,
    by: User | None = None,
    overwrite_edits: bool = False,
    sender_ids: Sequence[int] | None = None,
) -> DeliveryRun:
    """Return a planned run: a row for each mailbox that would change or cannot, and counts of the rest.

    sender_ids: only these; None for the whole domain, which replaces its earlier plans. Calls nobody.
    Raises: DeliveryBlocked.
    """
    connection = get_connection(domain)
    why_not = say_why_unreadable(connection)
    if connection is None or why_not:
        raise DeliveryBlocked(why_not)
    if sender_ids is None:
        drop_plans(domain)
    run = DeliveryRun.objects.create(
        domain=domain,
        connection=connection,
        state=DeliveryRunState.PLANNING,
        started_by=by,
        started_by_label=by_label,
        overwrites_edits=overwrite_edits,
        covers_until=timezone.now() if sender_ids is None else None,
    )
    for plan in plan_chunks(run, sender_ids):
        Delivery.objects.bulk_create(plan.rows, batch_size=200)
        run.planned += plan.planned
        run.refused += len(plan.rows) - plan.planned
        run.unchanged += plan.unchanged
        run.left_out += plan.left_out
    run.state = DeliveryRunState.PLANNED
    run.save(update_fields=["state", "planned", "refused", "unchanged", "left_out"])
    return run


def drop_plans(domain: Domain) -> None:
    """Plans of the domain that nobody started are gone."""
    plans = DeliveryRun.objects.filter(
        domain=domain, kind=DeliveryRun.Kind.DELIVER, state__in=[DeliveryRunState.PLANNING, DeliveryRunState.PLANNED]
    )
    Delivery.objects.filter(run__in=plans).delete()
    plans.delete()


def drop_run(run: DeliveryRun) -> None:
    """A plan that was only looked at is gone."""
    Delivery.objects.filter(run=run).delete()
    run.delete()


def start_delivery(run: DeliveryRun, *, by_label: str, by: User | None = None) -> DeliveryRun:
    """The planned run is queued, for `carry_out`. An earlier one that halted is given up for it.

    Raises: DeliveryBlocked, where writing is not allowed, another run is unfinished, or this one has started.
    """
    _refuse_unwritable(run)
    try:
        with transaction.atomic():
            halted = DeliveryRun.objects.filter(domain=run.domain_id, state=DeliveryRunState.HALTED).exclude(pk=run.pk)
            give_up(halted.values_list("pk", flat=True), f"Given up for delivery {run.pk}.")
            _queue(run, DeliveryRunState.PLANNED, started_by=by, started_by_label=by_label)
            _record(run, "delivery started", by_label)
    except IntegrityError as error:
        raise DeliveryBlocked("A delivery is running already. Wait until it has ended.") from error
    run.refresh_from_db()
    return run


def resume_delivery(run: DeliveryRun, *, by_label: str) -> DeliveryRun:
    """A halted run is queued again and continues with what is left. Raises: DeliveryBlocked."""
    _refuse_unwritable(run)
    try:
        with transaction.atomic():
            _queue(run, DeliveryRunState.HALTED)
            _record(run, "delivery resumed", by_label)
    except IntegrityError as error:
        raise DeliveryBlocked("Another delivery is running. Wait until it has ended.") from error
    run.refresh_from_db()
    return run


def _refuse_unwritable(run: DeliveryRun) -> None:
    why_not = say_why_unwritable(Connection.objects.get(pk=run.connection_id))
    if why_not and run.kind == DeliveryRun.Kind.DELIVER:
        raise DeliveryBlocked(why_not)


def _queue(run: DeliveryRun, expected: DeliveryRunState, **changes: object) -> None:
    queued = DeliveryRun.objects.filter(pk=run.pk, state=expected).update(
        state=DeliveryRunState.QUEUED, queued_at=timezone.now(), cause="", **changes
    )
    if queued != 1:
        raise DeliveryBlocked("This plan was started or replaced meanwhile. Plan again.")


def _record(run: DeliveryRun, act: str, by_label: str) -> None:
    record_act(
        act,
        domain=run.domain,
        connection=run.connection,
        actor_label=by_label,
        job=run.job_label,
        detail=f"{run.planned} mailboxes",
    )


def carry_out(
    run_id: int, *, progress: Progress | None = None, gateway_factory: OpenGateway | None = None
) -> DeliveryRun:
    """The delivery is as far as it can go now; see `engine.carry_out_run`. Returns the run as it then is.

    progress: called with the run whenever its counts changed, from this thread.
    """
    run = carry_out_run(
        run_id,
        kind=DeliveryRun.Kind.DELIVER,
        make_job=DeliveryJob,
        open_gateway=gateway_factory or _open_gateway,
        progress=progress,
    )
    if run.state == DeliveryRunState.COMPLETE:
        note_delivered(run.connection, run.covers_until)
    return run


def _open_gateway(run: DeliveryRun) -> AbstractContextManager[GatewayLike]:
    return open_gateway(run.connection, job=run.job_label, actor_label=run.started_by_label)
