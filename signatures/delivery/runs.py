"""Delivery runs: how one is started, taken up, continued, stopped, left waiting or ended."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import timedelta

from django.db import IntegrityError, close_old_connections, transaction
from django.db.models import Count, F, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from integrations.errors import RateLimited
from integrations.faults import record_fault, say_fault
from integrations.ledger.record import record_act, record_unknown_write
from integrations.models import Connection, ConnectionState
from integrations.outage_waits import explain_outage, get_pause, is_outage, say_outage
from portal.leases import Lease
from portal.models import Domain, User
from portal.trace import get_trace, traced
from signatures.models import (
    AUTOMATIC,
    UNFINISHED_DELIVERY,
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    DeliveryState,
)

from .active_mailboxes import activate_planned, describe_conflict
from .base import DeliveryBlocked, Stop, Strategy
from .permission import get_write_block_reason, get_write_scope
from .stages import AT_ONCE, Rollout, divide

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=120)  # of a holder that renews it every second
IDLE = (DeliveryRunState.QUEUED, DeliveryRunState.WAITING, DeliveryRunState.HALTED)
LEFT = (DeliveryState.PLANNED, DeliveryState.CLAIMED)
MOST_COUNTED = 32_000  # stalls; more would not fit into the column
CONFLICT_CODE = "conflict"
GONE_CODE = "gone"
SETTLED_CODES = (CONFLICT_CODE, GONE_CODE)  # the mailbox holds its owner's text, or is not there any more
LEAVING = (ConnectionState.DISCONNECTING, ConnectionState.DISCONNECTED)


def load_run(run_id: int) -> DeliveryRun:
    """Return the run as it is now, with its domain and connection."""
    runs = DeliveryRun.objects.select_related("domain", "connection", "connection__domain", "release")
    return runs.get(pk=run_id)


def start_delivery(
    run: DeliveryRun, *, actor: str, by: User | None = None, rollout: Rollout = AT_ONCE
) -> DeliveryRun:
    """Queue the planned run, for `carry_out`. Ends a halted run that has some of its mailboxes.

    An automatic delivery ends none: a halted run waits for a person.
    Raises: DeliveryBlocked, where writing is not allowed, another run has one of its mailboxes, or it has started.
    """
    _refuse_unwritable(run)
    try:
        with transaction.atomic():
            _lock_domain(run)
            if actor != AUTOMATIC:
                give_up(list(_list_halted(run)), f"Ended because {run.job_label} was started.")
            _queue(
                run,
                [DeliveryRunState.PLANNED],
                started_by=by,
                started_by_label=actor,
                stages=divide(run, rollout.sizes) if rollout.sizes else [],
                stage_pause_minutes=rollout.pause_minutes,
                refusal_limit=rollout.refusal_limit,
                drift_limit=rollout.drift_limit,
            )
            activate_planned(run)
            record_run(run, f"{run.job_label.split()[0]} started", actor)
    except IntegrityError as error:
        raise DeliveryBlocked(describe_conflict(run)) from error
    run.refresh_from_db()
    return run


def _lock_domain(run: DeliveryRun) -> None:
    """Let one run of a domain start at a time. Raises: DeliveryBlocked, where a restore would be beside another run."""
    Domain.objects.select_for_update().get(pk=run.domain_id)
    others = DeliveryRun.objects.filter(domain=run.domain_id, state__in=UNFINISHED_DELIVERY).exclude(
        pk=run.pk
    )
    if others.filter(kind=DeliveryRun.Kind.RESTORE).exists():
        raise DeliveryBlocked("Originals are being restored. Start this when that has ended.")
    if run.kind == DeliveryRun.Kind.RESTORE and others.exists():
        raise DeliveryBlocked("A delivery is running. Start the restore when that has ended.")


def _list_halted(run: DeliveryRun) -> QuerySet[DeliveryRun, int]:
    """Return the ids of halted runs that this one replaces: all of them for a plan of the whole domain."""
    halted = DeliveryRun.objects.filter(domain=run.domain_id, state=DeliveryRunState.HALTED).exclude(
        pk=run.pk
    )
    if run.covers_until is None:
        planned = run.deliveries.filter(state=DeliveryState.PLANNED).values("mailbox_remote_id")
        left = Delivery.objects.filter(mailbox_remote_id__in=planned).exclude(active_key=None)
        halted = halted.filter(pk__in=left.values("run"))
    return halted.values_list("pk", flat=True)


def resume_delivery(run: DeliveryRun, *, actor: str) -> DeliveryRun:
    """Queue a halted or waiting run again with the mailboxes that are left; a restore also with those that failed.

    A limit that halted it is accepted by this. Raises: DeliveryBlocked.
    """
    _refuse_unwritable(run)
    try:
        with transaction.atomic():
            _lock_domain(run)
            _queue(run, [DeliveryRunState.HALTED, DeliveryRunState.WAITING], counted_from=timezone.now())
            _plan_owed_again(run)
            record_run(run, f"{run.job_label.split()[0]} resumed", actor)
    except IntegrityError as error:
        raise DeliveryBlocked("Another delivery is running. Wait until it has ended.") from error
    run.refresh_from_db()
    return run


def _refuse_unwritable(run: DeliveryRun) -> None:
    why_not = get_write_block_reason(Connection.objects.get(pk=run.connection_id))
    if why_not and (run.kind == DeliveryRun.Kind.DELIVER or run.state == DeliveryRunState.PLANNED):
        raise DeliveryBlocked(why_not)


def _queue(run: DeliveryRun, expected: Sequence[DeliveryRunState], **changes: object) -> None:
    queued = DeliveryRun.objects.filter(pk=run.pk, state__in=expected).update(
        state=DeliveryRunState.QUEUED,
        queued_at=timezone.now(),
        trace=get_trace(),
        resume_at=None,
        held_at=None,
        cause="",
        cause_code="",
        stalls=0,
        waiting_since=None,
        **changes,
    )
    if queued != 1:
        raise DeliveryBlocked("This plan was started or replaced meanwhile. Plan again.")


def record_run(run: DeliveryRun, act: str, actor: str) -> None:
    """Put into the ledger what somebody did with this run."""
    record_act(
        act,
        domain=run.domain,
        connection=run.connection,
        actor_label=actor,
        job=run.job_label,
        detail=f"{run.planned} mailboxes",
    )


@transaction.atomic
def stop_delivery(run: DeliveryRun, *, actor: str) -> DeliveryRun:
    """End a run; the mailboxes it had not reached keep what they hold. One that is writing stops within seconds.

    Raises: DeliveryBlocked, where it has ended, is a halted restore (which can only be continued), or belongs to a
    disconnect (which is ended on the connection's page).
    """
    idle = DeliveryRun.objects.select_for_update(of=("self",)).filter(pk=run.pk, state__in=IDLE).first()
    if idle is None:
        _ask_to_stop(run, actor)
        return run
    if idle == get_disconnect_restore(idle.connection):
        raise DeliveryBlocked("This restore belongs to a disconnect. Stop it on the Outreach page.")
    if idle.kind == DeliveryRun.Kind.RESTORE and idle.state == DeliveryRunState.HALTED:
        raise DeliveryBlocked("A halted restore can only be continued.")
    give_up([run.pk], f"Stopped by {actor}.")
    run.refresh_from_db()
    record_act(
        f"{run.job_label.split()[0]} stopped",
        domain=run.domain,
        connection=run.connection,
        actor_label=actor,
        job=run.job_label,
        detail=f"{run.skipped} mailboxes left as they are",
    )
    return run


def _ask_to_stop(run: DeliveryRun, actor: str) -> None:
    """Ask the process that writes to stop; it sees this within a second, and what is being sent still arrives."""
    at_work = DeliveryRun.objects.filter(
        pk=run.pk, kind=DeliveryRun.Kind.DELIVER, state=DeliveryRunState.RUNNING
    )
    if at_work.update(stop_asked_by_label=actor) != 1:
        raise DeliveryBlocked("This run has ended or cannot be stopped. Reload the page.")
    record_run(run, "delivery stopped", actor)
    run.refresh_from_db()


@transaction.atomic
def give_up(run_ids: Collection[int], cause: str) -> None:
    """Skip these runs and take them from the process that holds them, which then stops."""
    now = timezone.now()
    left = Delivery.objects.filter(run__in=run_ids, state__in=LEFT)
    counts = dict(left.order_by().values_list("run").annotate(left=Count("pk")))
    left.update(
        state=DeliveryState.SKIPPED, reason_code="run_ended", reason=cause, finished_at=now, active_key=None
    )
    for run in DeliveryRun.objects.filter(pk__in=run_ids):
        DeliveryRun.objects.filter(pk=run.pk).update(
            state=DeliveryRunState.SKIPPED,
            cause=cause,
            finished_at=now,
            lease_until=None,
            skipped=run.skipped + counts.get(run.pk, 0),
        )


def is_due() -> Q:
    """Return which runs may be carried out now: queued, waited long enough, or left behind by a dead process."""
    now = timezone.now()
    return (
        Q(state=DeliveryRunState.QUEUED)
        | Q(state=DeliveryRunState.WAITING, held_at=None, resume_at__lte=now)
        | Q(state=DeliveryRunState.WAITING, held_at=None, resume_at=None, connection__paused_at=None)
        | Q(state=DeliveryRunState.RUNNING, lease_until__lt=now)
    )


@transaction.atomic
def take_run(run_id: int, kind: str) -> Lease | None:
    """Return the hold on a run of this kind that is due, or None where it is not or is held already.

    Writes of a dead process whose outcome nobody knows are planned again, counted as an attempt.
    """
    lease = Lease.take(
        DeliveryRun,
        run_id,
        is_due() & Q(kind=kind),
        lasts=LEASE,
        state=DeliveryRunState.RUNNING,
        started_at=Coalesce("started_at", Value(timezone.now())),
        resume_at=None,
        cause="",
        cause_code="",
    )
    if lease is not None:
        _plan_claimed_again(
            DeliveryRun.objects.select_related("connection", "connection__domain").get(pk=run_id)
        )
    return lease


def _plan_claimed_again(run: DeliveryRun) -> None:
    """Plan writes of unknown outcome again, each counted as an attempt and recorded in the ledger."""
    claimed = Delivery.objects.filter(run=run, state=DeliveryState.CLAIMED)
    with traced(run.trace):
        for mailbox_id in claimed.values_list("mailbox_remote_id", flat=True):
            record_unknown_write(
                run.connection,
                endpoint="write_signature",
                scope=get_write_scope(),
                object_ref=mailbox_id,
                job=run.job_label,
            )
    claimed.update(state=DeliveryState.PLANNED, attempts=F("attempts") + 1)


def complete_run(lease: Lease, run: DeliveryRun, strategy: Strategy) -> None:
    """Complete the run, or halt it for a decision about what it could not settle.

    Mailboxes that somebody planned again meanwhile are left to the next process.
    """
    with transaction.atomic():
        DeliveryRun.objects.select_for_update(of=("self",)).get(pk=run.pk)
        if run.deliveries.filter(state=DeliveryState.PLANNED, active_key__isnull=False).exists():
            lease.release(state=DeliveryRunState.QUEUED, queued_at=timezone.now())
            return
        unsettled = strategy.get_unsettled_reason()
        if unsettled:
            lease.release(state=DeliveryRunState.HALTED, cause=unsettled, waiting_since=timezone.now())
        else:
            end_run(lease, run, DeliveryRunState.COMPLETE, "")


def stop_run(lease: Lease, run: DeliveryRun, stop: Stop, strategy: Strategy) -> None:
    """Put the run into the state that `stop` asks for; one with nothing left to do is complete instead."""
    if stop.state in (DeliveryRunState.SKIPPED, DeliveryRunState.FAILED):
        end_run(lease, run, stop.state, stop.cause)
        return
    left = run.deliveries.filter(state__in=LEFT)
    if stop.state == DeliveryRunState.HALTED and not left.exists():
        complete_run(lease, run, strategy)  # nothing is left that a person could decide about
        return
    wait = stop.resume_in_seconds
    resume_at = None if wait is None else timezone.now() + timedelta(seconds=wait)
    lease.release(
        state=stop.state,
        cause=stop.cause,
        cause_code=stop.code,
        resume_at=resume_at,
        waiting_since=timezone.now(),
        **stop.changes,
    )


def wait_out(lease: Lease, run: DeliveryRun, outage: Exception) -> None:
    """Let the run wait for the outage to pass; each wait without progress is longer, and there is no last one.

    Where the database cannot be reached, the lease expires instead, and the sweep continues the run.
    """
    logger.warning("%s waits: %s", run.job_label, explain_outage(outage))
    close_old_connections()
    try:
        present = DeliveryRun.objects.get(pk=run.pk)
        stalls = present.stalls + (not isinstance(outage, RateLimited))
        lease.release(
            state=DeliveryRunState.WAITING,
            cause=say_outage(outage),
            resume_at=timezone.now() + get_pause(stalls, outage),
            stalls=min(stalls, MOST_COUNTED),
            waiting_since=present.waiting_since or timezone.now(),
        )
    except Exception as error:
        if not is_outage(error):
            raise
        logger.warning("%s continues when its lease expires: %s", run.job_label, explain_outage(error))


def fail_run(lease: Lease, run: DeliveryRun, fault: Exception) -> None:
    """End the run for a fault of ours, which is named in the run, the ledger and the log."""
    with transaction.atomic():
        end_run(lease, run, DeliveryRunState.FAILED, say_fault(fault, job=run.job_label))
        record_fault(fault, connection=run.connection, job=run.job_label)


def end_run(lease: Lease, run: DeliveryRun, state: DeliveryRunState, cause: str) -> None:
    """End the run; what was not attempted is skipped for the run's cause.

    A restore ends only when it is complete. Anything else that would end it halts it, and a person continues it or
    leaves the other mailboxes as they are.
    """
    now = timezone.now()
    if state == DeliveryRunState.HALTED or (
        run.kind == DeliveryRun.Kind.RESTORE and state != DeliveryRunState.COMPLETE
    ):
        lease.release(state=DeliveryRunState.HALTED, cause=cause, waiting_since=now)
        return
    with transaction.atomic():
        left = Delivery.objects.filter(run=run, state__in=LEFT)
        skipped = left.update(
            state=DeliveryState.SKIPPED,
            reason_code="run_ended",
            reason=cause,
            finished_at=now,
            active_key=None,
        )
        lease.release(
            state=state, cause=cause, finished_at=now, waiting_since=None, skipped=F("skipped") + skipped
        )


def _plan_owed_again(run: DeliveryRun) -> int:
    """Plan the mailboxes again that a restore could not put back; return how many.

    Only once everything else was reached: otherwise the first few that fail would keep the others waiting.
    """
    reached = not run.deliveries.filter(state__in=LEFT).exists()
    if run.kind != DeliveryRun.Kind.RESTORE or not reached:
        return 0
    owing = get_owing(run)
    refused = owing.filter(state=DeliveryState.REFUSED).count()
    failed = owing.filter(state=DeliveryState.FAILED).count()
    tried = owing.filter(state__in=[DeliveryState.REFUSED, DeliveryState.FAILED])
    number = tried.update(
        state=DeliveryState.PLANNED, reason_code="", reason="", attempts=0, finished_at=None
    )
    activate_planned(run)
    DeliveryRun.objects.filter(pk=run.pk).update(
        settled=F("settled") - number, refused=F("refused") - refused, failed=F("failed") - failed
    )
    return number


def get_disconnect_restore(connection: Connection) -> DeliveryRun | None:
    """Return the restore that belongs to this connection's disconnect, or None."""
    if connection.state not in LEAVING or not connection.disconnect_restores:
        return None
    runs = DeliveryRun.objects.filter(connection=connection, kind=DeliveryRun.Kind.RESTORE)
    if connection.disconnect_requested_at is not None:  # empty in rows of versions that did not store it
        runs = runs.filter(created_at__gte=connection.disconnect_requested_at)
    return runs.exclude(state__in=[DeliveryRunState.PLANNING, DeliveryRunState.PLANNED]).first()


def get_owing(run: DeliveryRun) -> QuerySet[Delivery]:
    """Return the rows of a restore whose mailboxes may still hold our signature."""
    return run.deliveries.exclude(state=DeliveryState.DELIVERED).exclude(reason_code__in=SETTLED_CODES)
