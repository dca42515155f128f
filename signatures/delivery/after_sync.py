"""After a sync: groups and senders follow the mirror; what changed is delivered where that is automatic."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from integrations.models import READ_TO_END, Connection, ConnectionState, Mailbox, SyncRun
from signatures.models import DeliveryRun, DeliveryRunState, Following, Sender
from signatures.senders.groups import refresh_groups
from signatures.senders.refresh import refresh_senders

from .base import DeliveryBlocked
from .permission import say_why_unwritable
from .placements import note_delivered
from .planning import drop_run, plan_delivery
from .runs import start_delivery

AUTOMATIC = "schedule"
"""Who started an automatic delivery, as its run and the ledger name it."""


def follow_mirror(run: SyncRun) -> None:
    """Bring groups and senders up to the mirror, whichever earlier sync was not followed; safe to repeat."""
    connection = run.connection
    following, _ = Following.objects.get_or_create(connection=connection)
    # A group that came, went or was renamed may move or change people whom the sync did not touch.
    since = None if refresh_groups(connection) else following.senders_until
    refresh_senders(connection, since=since)
    Following.objects.filter(pk=following.pk).update(senders_until=run.started_at)


def catch_up(connection: Connection) -> None:
    """Follow the last sync of a live connection, unless that was done; nothing is delivered."""
    run = get_unfollowed_sync(connection, before=timezone.now())
    if run is not None:
        follow_mirror(run)


def get_unfollowed_sync(connection: Connection, *, before: datetime) -> SyncRun | None:
    """Return the last sync that read to its end before then, where the senders have not followed it; or None."""
    if connection.state != ConnectionState.ACTIVE:
        return None
    run = connection.sync_runs.filter(state__in=READ_TO_END, finished_at__lte=before).first()
    following = Following.objects.filter(connection=connection).first()
    until = following.senders_until if following else None
    is_unfollowed = run is not None and run.started_at and (until is None or until < run.started_at)
    return run if is_unfollowed else None


def plan_automatic_delivery(connection: Connection) -> DeliveryRun | None:
    """Return a queued run with what changed since the last automatic one; None where nothing did, or it may not be.

    The first delivery over a connection is never automatic: a person has seen a whole plan before.
    """
    domain = connection.domain
    if (
        not domain.automatic_delivery
        or say_why_unwritable(connection)
        or not _was_delivered_by_a_person(connection)
        or _asks_a_person(connection)
    ):
        return None
    following, _ = Following.objects.get_or_create(connection=connection)
    now = timezone.now()
    changed = _get_changed_senders(connection, following.delivered_until)
    if not changed:
        return None
    run = plan_delivery(domain, actor=AUTOMATIC, sender_ids=changed, keeps_restored=True)
    if not run.planned:
        note_delivered(connection, now)
        drop_run(run)
        return None
    DeliveryRun.objects.filter(pk=run.pk).update(covers_until=now)
    try:
        return start_delivery(run, actor=AUTOMATIC)
    except DeliveryBlocked:
        drop_run(run)  # one is running; the next sync finds these changes again
        return None


def _was_delivered_by_a_person(connection: Connection) -> bool:
    runs = DeliveryRun.objects.filter(connection=connection, kind=DeliveryRun.Kind.DELIVER)
    return runs.filter(state=DeliveryRunState.COMPLETE).exclude(started_by_label=AUTOMATIC).exists()


def _asks_a_person(connection: Connection) -> bool:
    """Return whether a run is halted: starting another would give it up, which is a person's decision."""
    runs = DeliveryRun.objects.filter(domain=connection.domain_id, state=DeliveryRunState.HALTED)
    return runs.exists()


def _get_changed_senders(connection: Connection, since: datetime | None) -> list[int]:
    """Return ids of active senders that changed, or have a mailbox that did, since then; all for None."""
    senders = Sender.objects.filter(person__connection=connection, is_active=True)
    if since is None:
        return list(senders.values_list("pk", flat=True))
    changed = set(senders.filter(changed_at__gte=since).values_list("pk", flat=True))
    mailboxes = Mailbox.objects.filter(connection=connection, changed_at__gte=since, retired_at=None)
    owners = mailboxes.order_by().values("person_remote_id")
    return sorted(changed | set(senders.filter(person__remote_id__in=owners).values_list("pk", flat=True)))
