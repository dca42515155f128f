"""Entry points for the background worker. Each fetches its row, calls one function, and may run twice."""

from __future__ import annotations

from integrations.models import READ_TO_END, ConnectionState, RunState, SyncRun
from portal.background import enqueue
from signatures.delivery.after_sync import follow_mirror
from signatures.delivery.automatic import plan_automatic_delivery

from .analytics import aggregation, spool_import
from .delivery import (
    after_release,
    deliver,
    drift_policy,
    planning,
    restore,
    restore_plan,
    status_days,
    sweep,
)
from .delivery import retention as delivery_retention
from .delivery.base import DeliveryBlocked
from .models import DeliveryRun, Release
from .recipients import match_counts, retention


def follow_sync(*, run_id: int) -> None:
    """Senders follow a completed sync, and what it changed is delivered where that is automatic."""
    run = SyncRun.objects.select_related("connection", "connection__domain").get(pk=run_id)
    if run.state not in READ_TO_END or run.connection.state != ConnectionState.ACTIVE:
        return
    follow_mirror(run)
    status_days.note_day(run.connection)
    if run.state != RunState.COMPLETE:
        return  # too much of Outreach is not known to write by ourselves
    for plan in (plan_automatic_delivery, drift_policy.follow_policies):
        planned = plan(run.connection)
        if planned is not None:
            deliver_signatures(run_id=planned.pk)


def follow_release(*, release_id: int) -> None:
    """Every mailbox that a release touches is compared with it."""
    after_release.follow(Release.objects.select_related("domain").get(pk=release_id))


def publish_due_releases() -> None:
    """Scheduled releases whose time has come are live, and their rollouts are started."""
    after_release.publish_due()
    for run_id in after_release.start_rollouts():
        enqueue("signatures.tasks.deliver_signatures", run_id=run_id)


def plan_delivery(*, run_id: int) -> None:
    """Fill one opened plan, of a delivery or of a restore."""
    for fill in (planning.fill_plan, restore_plan.fill_restore):  # each only its own kind
        fill(run_id)


def deliver_signatures(*, run_id: int) -> None:
    """Carry one started run out, whether it delivers or restores."""
    if DeliveryRun.objects.filter(pk=run_id, kind=DeliveryRun.Kind.RESTORE).exists():
        restore.carry_out_restore(run_id)
    elif DeliveryRun.objects.filter(pk=run_id).exists():
        deliver.carry_out(run_id)


def restore_signatures(*, connection_id: str) -> None:
    """Put the originals back for a connection that is leaving."""
    try:
        restore.restore_connection(connection_id)
    except DeliveryBlocked:
        return  # a delivery is stopping this moment; the sweep comes again


def sweep_deliveries() -> None:
    """Queue what a lost task left behind: unclaimed, lapsed and waiting runs, plans, restores, unfollowed syncs."""
    for run_id in sweep.list_due_runs():
        enqueue("signatures.tasks.deliver_signatures", run_id=run_id)
    for run_id in sweep.list_abandoned_plans():
        enqueue("signatures.tasks.plan_delivery", run_id=run_id)
    for connection_id in sweep.list_owing_connections():
        enqueue("signatures.tasks.restore_signatures", connection_id=str(connection_id))
    sweep.end_orphaned_runs()
    sweep.end_expired_exceptions()
    for connection in drift_policy.list_edited_connections():
        replacing = drift_policy.follow_policies(connection)
        if replacing is not None:
            enqueue("signatures.tasks.deliver_signatures", run_id=replacing.pk)
    for run_id in sweep.list_unfollowed_syncs():
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
    spool_import.sweep_spool()


def sift_banner_events() -> None:
    """Fetches of pictures and clicks that have settled are judged and counted."""
    aggregation.aggregate_all_events()


def remove_old_banner_events() -> None:
    """Single fetches and clicks whose time is over are gone; their counts stay."""
    retention.remove_old_events()


def remove_old_deliveries() -> None:
    """Deliveries whose time is over are gone, except what tells how each mailbox stands."""
    delivery_retention.remove_old_deliveries()
    status_days.remove_old_days()


def note_statuses() -> None:
    """Every domain has today's number of mailboxes by status, also where no sync runs by itself."""
    status_days.note_days()
