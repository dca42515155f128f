"""Signatures reach mailboxes: planned, started, carried out; the original is kept before the first write."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from integrations.connection.lifecycle import get_connection
from integrations.gateway import open_gateway
from integrations.ledger.record import record_act
from integrations.models import Connection
from portal.leases import Lease, LeaseLost, is_free
from portal.models import Domain, User
from signatures.models import Delivery, DeliveryRun, DeliveryRunState

from .base import GatewayLike, OpenGateway, Progress
from .deliver import DeliveryJob
from .executor import carry_out_run
from .giving_up import give_up
from .permission import say_why_unreadable, say_why_unwritable
from .placements import note_delivered
from .planning import plan_chunks
from .retries import plan_again

PLAN_LEASE = timedelta(seconds=120)  # longer than a chunk of 500 senders can take


class DeliveryBlocked(Exception):
    """Nothing can be planned or started; the message says why to a person."""


def plan_delivery(
    domain: Domain,
    *,
    by_label: str,
    by: User | None = None,
    overwrite_edits: bool = False,
    sender_ids: Sequence[int] | None = None,
    keeps_restored: bool = False,
) -> DeliveryRun:
    """Return a planned run: a row for each mailbox that would change or cannot, and counts of the rest.

    sender_ids: only these; None for the whole domain, which replaces its earlier plans. Calls nobody.
    keeps_restored: leave mailboxes alone that were given their original back since our last write.
    Raises: DeliveryBlocked.
    """
    run = open_plan(
        domain, by_label=by_label, by=by, overwrite_edits=overwrite_edits, is_whole=sender_ids is None
    )
    return fill_plan(run.pk, sender_ids=sender_ids, keeps_restored=keeps_restored) or run


def open_plan(
    domain: Domain,
    *,
    by_label: str,
    by: User | None = None,
    overwrite_edits: bool = False,
    is_whole: bool = True,
) -> DeliveryRun:
    """Return a run in state PLANNING, for `fill_plan`. is_whole: it replaces the domain's earlier plans.

    Raises: DeliveryBlocked.
    """
    connection = get_connection(domain)
    why_not = say_why_unreadable(connection)
    if connection is None or why_not:
        raise DeliveryBlocked(why_not)
    if is_whole:
        drop_plans(domain)
    return DeliveryRun.objects.create(
        domain=domain,
        connection=connection,
        state=DeliveryRunState.PLANNING,
        queued_at=timezone.now(),
        started_by=by,
        started_by_label=by_label,
        overwrites_edits=overwrite_edits,
        covers_until=timezone.now() if is_whole else None,
    )


def fill_plan(
    run_id: int, *, sender_ids: Sequence[int] | None = None, keeps_restored: bool = False
) -> DeliveryRun | None:
    """Return the run, planned; None where somebody else plans it, or it was replaced meanwhile.

    A plan whose process died is begun anew. The lease is renewed chunk by chunk.
    """
    due = Q(state=DeliveryRunState.PLANNING, kind=DeliveryRun.Kind.DELIVER) & is_free()
    lease = Lease.take(DeliveryRun, run_id, due, lasts=PLAN_LEASE)
    if lease is None:
        return None
    with suppress(LeaseLost):
        return _fill(run_id, lease, sender_ids, keeps_restored=keeps_restored)
    return None


def _fill(
    run_id: int, lease: Lease, sender_ids: Sequence[int] | None, *, keeps_restored: bool
) -> DeliveryRun:
    run = DeliveryRun.objects.select_related("domain", "connection").get(pk=run_id)
    Delivery.objects.filter(run=run).delete()
    counts: dict[str, Any] = dict.fromkeys(("planned", "refused", "unchanged", "left_out"), 0)
    for plan in plan_chunks(run, sender_ids, keeps_restored=keeps_restored):
        counts["planned"] += plan.planned
        counts["refused"] += len(plan.rows) - plan.planned
        counts["unchanged"] += plan.unchanged
        counts["left_out"] += plan.left_out
        with transaction.atomic():
            lease.renew(**counts)
            Delivery.objects.bulk_create(plan.rows, batch_size=200)
    lease.release(state=DeliveryRunState.PLANNED, **counts)
    run.refresh_from_db()
    return run


def drop_plans(domain: Domain) -> None:
    """Plans of the domain that nobody started are gone."""
    plans = DeliveryRun.objects.filter(
        domain=domain,
        kind=DeliveryRun.Kind.DELIVER,
        state__in=[DeliveryRunState.PLANNING, DeliveryRunState.PLANNED],
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
            halted = DeliveryRun.objects.filter(domain=run.domain_id, state=DeliveryRunState.HALTED).exclude(
                pk=run.pk
            )
            give_up(halted.values_list("pk", flat=True), f"Given up for delivery {run.pk}.")
            _queue(run, DeliveryRunState.PLANNED, started_by=by, started_by_label=by_label)
            _record(run, "delivery started", by_label)
    except IntegrityError as error:
        raise DeliveryBlocked("A delivery is running already. Wait until it has ended.") from error
    run.refresh_from_db()
    return run


def resume_delivery(run: DeliveryRun, *, by_label: str) -> DeliveryRun:
    """A halted run is queued again and continues with what is left; a restore also with what it could not put back.

    Raises: DeliveryBlocked.
    """
    _refuse_unwritable(run)
    try:
        with transaction.atomic():
            _queue(run, DeliveryRunState.HALTED)
            plan_again(run)
            _record(run, f"{run.job_label.split()[0]} resumed", by_label)
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
        state=DeliveryRunState.QUEUED,
        queued_at=timezone.now(),
        cause="",
        stalls=0,
        waiting_since=None,
        **changes,
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
