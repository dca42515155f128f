"""Entry points for the background worker. Each fetches its row, calls one function, and may run twice.

`plan_soon` and `count_empty_soon` are for pages: they queue their task only where it is due and not little.
"""

from __future__ import annotations

from integrations.models import READ_TO_END, ConnectionState, RunState, SyncRun
from portal.background import enqueue, enqueue_missing
from portal.models import Domain
from signatures.delivery.after_sync import follow_mirror
from signatures.delivery.automatic import plan_automatic_delivery

from .analytics import aggregation, spool_import
from .analytics import retention as count_retention
from .authoring import empty_counts
from .delivery import (
    after_release,
    after_values,
    deliver,
    drift_policy,
    planning,
    restore_originals,
    restore_plan,
    status_days,
    sweep,
)
from .delivery import retention as delivery_retention
from .delivery.base import DeliveryBlocked
from .media import retention as media_retention
from .models import DeliveryRun, ImportState, Release, SenderImport
from .recipients import match_counts, retention
from .releases import request_mails
from .releases.reach import keep_audiences
from .self_service import change_mails
from .self_service import retention as change_retention
from .senders.company_size import is_small
from .value_files import retention as import_retention
from .value_files.applying import PreviewOutdated
from .value_files.reading import read_rows


def follow_sync(*, run_id: int) -> None:
    """Update senders after a completed sync, and deliver changes where that is automatic."""
    run = SyncRun.objects.select_related("connection", "connection__domain").get(pk=run_id)
    if run.state not in READ_TO_END or run.connection.state != ConnectionState.ACTIVE:
        return
    follow_mirror(run)
    keep_audiences(run.connection.domain)
    status_days.note_day(run.connection)
    if run.state != RunState.COMPLETE:
        return  # too much of Outreach is not known to write by ourselves
    for plan in (plan_automatic_delivery, drift_policy.follow_policies):
        planned = plan(run.connection)
        if planned is not None:
            deliver_signatures(run_id=planned.pk)


def follow_release(*, release_id: int) -> None:
    """Compare every mailbox that a release affects with it."""
    release = Release.objects.select_related("domain").get(pk=release_id)
    after_release.follow(release)
    keep_audiences(release.domain)


def send_request_mails() -> None:
    """Send the mails that requests for approval owe."""
    request_mails.send_request_mails()


def send_change_mails() -> None:
    """Tell approvers what senders changed, and senders what was declined."""
    change_mails.send_change_mails()


def publish_due_releases() -> None:
    """Publish due scheduled releases, start their rollouts, and send what a lost task left of mails."""
    after_release.publish_due()
    request_mails.send_request_mails()
    for run_id in after_release.start_rollouts():
        enqueue("signatures.tasks.deliver_signatures", run_id=run_id)


def plan_delivery(*, run_id: int) -> None:
    """Fill one opened plan, of a delivery or of a restore."""
    for fill in (planning.fill_plan, restore_plan.fill_restore):  # each only its own kind
        fill(run_id)


def plan_soon(run: DeliveryRun) -> None:
    """Fill an opened plan: at once, or in the background where the domain is large."""
    if is_small(run.domain):
        plan_delivery(run_id=run.pk)
    else:
        enqueue("signatures.tasks.plan_delivery", run_id=run.pk)


def count_empty_fields(*, domain_id: int) -> None:
    """Count for how many senders of a large domain each field is empty, where that is due."""
    for domain in Domain.objects.filter(pk=domain_id):
        empty_counts.keep_counts(domain)


def count_empty_soon(domain: Domain) -> None:
    """Have the empty fields counted in the background, where that is due."""
    if not empty_counts.is_current(domain):
        enqueue_missing("signatures.tasks.count_empty_fields", domain_id=domain.pk)


def deliver_signatures(*, run_id: int) -> None:
    """Carry one started run out, whether it delivers or restores."""
    if DeliveryRun.objects.filter(pk=run_id, kind=DeliveryRun.Kind.RESTORE).exists():
        restore_originals.carry_out_restore(run_id)
    elif DeliveryRun.objects.filter(pk=run_id).exists():
        deliver.carry_out(run_id)


def restore_signatures(*, connection_id: str) -> None:
    """Restore the originals of a connection that is being disconnected."""
    try:
        restore_originals.restore_connection(connection_id)
    except DeliveryBlocked:
        return  # a delivery is stopping this moment; the sweep comes again


def sweep_deliveries() -> None:
    """Queue what a lost task left behind: unclaimed, lapsed and waiting runs, plans, restores, unfollowed syncs."""
    take_over()
    for connection_id in sweep.list_owing_connections():
        enqueue_missing("signatures.tasks.restore_signatures", connection_id=str(connection_id))
    sweep.end_orphaned_runs()
    sweep.end_expired_exceptions()
    for connection in drift_policy.list_edited_connections():
        replacing = drift_policy.follow_policies(connection)
        if replacing is not None:
            enqueue("signatures.tasks.deliver_signatures", run_id=replacing.pk)
    for run_id in sweep.list_unfollowed_syncs():
        enqueue_missing("signatures.tasks.follow_sync", run_id=run_id)
    for import_id in import_retention.list_abandoned_imports():
        enqueue_missing("signatures.tasks.work_on_import", import_id=import_id)


def take_over() -> None:
    """Queue the runs and plans that are due and that no process holds; supervisors have it done every few seconds."""
    for run_id in sweep.list_due_runs():
        enqueue_missing("signatures.tasks.deliver_signatures", run_id=run_id)
    for run_id in sweep.list_abandoned_plans():
        enqueue_missing("signatures.tasks.plan_delivery", run_id=run_id)


def work_on_import(*, import_id: int) -> None:
    """Read, apply or undo one file of senders' values, whichever was asked for."""
    state = SenderImport.objects.filter(pk=import_id).values_list("state", flat=True).first()
    if state == ImportState.APPLYING:
        try:
            keep_audiences(after_values.apply_import(import_id).domain)
        except PreviewOutdated:
            state = ImportState.READING
    if state == ImportState.READING:
        read_rows(import_id)
    if state == ImportState.UNDOING:
        keep_audiences(after_values.undo_import(import_id).domain)


def tally_audiences() -> None:
    """Count audience matches of look-ups, and remove expired recipient data."""
    match_counts.tally_audiences()
    retention.remove_expired()


def remove_old_decisions() -> None:
    """Remove expired decisions."""
    retention.remove_old_decisions()


def take_in_banner_events() -> None:
    """Import this machine's spool, including files of ended web processes."""
    spool_import.sweep_spool()


def sift_banner_events() -> None:
    """Classify and count settled impressions and clicks."""
    aggregation.aggregate_all_events()


def remove_old_banner_events() -> None:
    """Remove expired impressions and clicks; their counts stay."""
    retention.remove_old_events()


def remove_old_deliveries() -> None:
    """Remove expired deliveries, except those that explain each mailbox's state, and old imports of values."""
    delivery_retention.remove_old_deliveries()
    import_retention.remove_old_imports()
    status_days.remove_old_days()


def remove_old_media() -> None:
    """Remove the files of removed images once nothing names them."""
    media_retention.remove_old_media()


def remove_decided_changes() -> None:
    """Remove changes by senders that were decided long ago."""
    change_retention.remove_decided_changes()


def remove_old_counts() -> None:
    """Remove daily counts of long ago."""
    count_retention.remove_old_counts()


def note_statuses() -> None:
    """Store today's statuses and their numbers for every domain, also without automatic sync."""
    after_release.follow_dates()
    status_days.note_days()
