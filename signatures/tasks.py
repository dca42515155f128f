"""Entry points for the background worker. Each fetches its row, calls one function, and may run twice."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from integrations.models import READ_TO_END, Connection, ConnectionState, DisconnectStep, RunState, SyncRun
from portal.background import enqueue
from signatures.delivery.after_sync import follow_mirror, get_unfollowed_sync, plan_automatic_delivery
from signatures.delivery.giving_up import give_up
from signatures.delivery.lease import is_due
from signatures.delivery.restore_report import get_leaving_run

from .analytics import aggregation, spool
from .delivery import restore
from .delivery import retention as delivery_retention
from .delivery import runs as delivery_runs
from .models import UNFINISHED_DELIVERY, DeliveryRun, DeliveryRunState
from .recipients import match_counts, retention

MAKING = timedelta(minutes=5)  # longer than listing what to restore took an earlier version
UNCLAIMED = timedelta(seconds=30)  # a queued run that nobody took by then lost its task


def follow_sync(*, run_id: int) -> None:
    """Senders follow a completed sync, and what it changed is delivered where that is automatic."""
    run = SyncRun.objects.select_related("connection", "connection__domain").get(pk=run_id)
    if run.state not in READ_TO_END or run.connection.state != ConnectionState.ACTIVE:
        return
    follow_mirror(run)
    if run.state != RunState.COMPLETE:
        return  # too much of Outreach is not known to write by ourselves
    planned = plan_automatic_delivery(run.connection)
    if planned is not None:
        deliver_signatures(run_id=planned.pk)


def plan_delivery(*, run_id: int) -> None:
    """Fill one opened plan."""
    delivery_runs.fill_plan(run_id)


def deliver_signatures(*, run_id: int) -> None:
    """Carry one started run out, whether it delivers or restores."""
    if DeliveryRun.objects.filter(pk=run_id, kind=DeliveryRun.Kind.RESTORE).exists():
        restore.carry_out_restore(run_id)
    elif DeliveryRun.objects.filter(pk=run_id).exists():
        delivery_runs.carry_out(run_id)


def restore_signatures(*, connection_id: str) -> None:
    """Put the originals back for a connection that is leaving."""
    try:
        restore.restore_connection(connection_id)
    except delivery_runs.DeliveryBlocked:
        return  # a delivery is stopping this moment; the sweep comes again


def sweep_deliveries() -> None:
    """What a lost task left behind is found: unclaimed, lapsed and waiting runs, restores, unfollowed syncs."""
    fresh = Q(state=DeliveryRunState.QUEUED, queued_at__gte=timezone.now() - UNCLAIMED)
    due = DeliveryRun.objects.filter(is_due()).exclude(fresh)
    for run_id in due.values_list("pk", flat=True):
        enqueue("signatures.tasks.deliver_signatures", run_id=run_id)
    for run in _get_abandoned_plans():
        if run.covers_until is None:
            delivery_runs.drop_run(run)  # an automatic one; the next sync finds its changes again
        else:
            enqueue("signatures.tasks.plan_delivery", run_id=run.pk)
    for connection_id in _get_owing_connections():
        enqueue("signatures.tasks.restore_signatures", connection_id=str(connection_id))
    give_up(_get_orphaned_runs(), "Outreach was disconnected.")
    for run_id in _get_unfollowed_syncs():
        enqueue("signatures.tasks.follow_sync", run_id=run_id)


def tally_audiences() -> None:
    """What look-ups said is counted for each audience, and what is known of recipients goes after its hour."""
    match_counts.tally_audiences()
    retention.remove_expired()


def remove_old_decisions() -> None:
    """Decisions whose time is over are gone."""
    retention.remove_old_decisions()


def take_in_banner_events() -> None:
    """What this machine's spool holds is in the database, also of web processes that are gone."""
    spool.sweep_spool()


def sift_banner_events() -> None:
    """Fetches of pictures and clicks that have settled are judged and counted."""
    aggregation.sift_everything()


def remove_old_banner_events() -> None:
    """Single fetches and clicks whose time is over are gone; their counts stay."""
    retention.remove_old_events()


def remove_old_deliveries() -> None:
    """Deliveries whose time is over are gone, except what tells how each mailbox stands."""
    delivery_retention.remove_old_deliveries()


def _get_abandoned_plans() -> list[DeliveryRun]:
    """Return opened plans that nobody fills."""
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    return list(
        DeliveryRun.objects.filter(free, state=DeliveryRunState.PLANNING, queued_at__lt=now - UNCLAIMED)
    )


def _get_owing_connections() -> list[UUID]:
    """Return leaving connections whose restore has not begun, or ended without being reported."""
    leaving = Connection.objects.filter(
        state=ConnectionState.DISCONNECTING, disconnect_step=DisconnectStep.RESTORING
    )
    busy = (*UNFINISHED_DELIVERY, DeliveryRunState.HALTED)
    making = DeliveryRun.objects.filter(
        kind=DeliveryRun.Kind.RESTORE,
        state=DeliveryRunState.PLANNING,
        created_at__gte=timezone.now() - MAKING,
    )
    leaving = leaving.exclude(pk__in=making.values("connection"))
    runs = ((connection.pk, get_leaving_run(connection)) for connection in leaving)
    return [pk for pk, run in runs if run is None or run.state not in busy]


def _get_orphaned_runs() -> list[int]:
    """Return halted runs of connections that are over: nobody can continue them."""
    halted = DeliveryRun.objects.filter(state=DeliveryRunState.HALTED)
    return list(halted.filter(connection__state=ConnectionState.DISCONNECTED).values_list("pk", flat=True))


def _get_unfollowed_syncs() -> list[int]:
    """Return the latest completed sync of each live connection whose senders have not followed it."""
    before = timezone.now() - UNCLAIMED
    live = Connection.objects.filter(state=ConnectionState.ACTIVE)
    found = (get_unfollowed_sync(connection, before=before) for connection in live)
    return [run.pk for run in found if run is not None]
