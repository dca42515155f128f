"""Delivery sweep: finds runs that a lost task or a dead process left behind."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from integrations.models import Connection, ConnectionState, DisconnectStep
from portal.leases import is_free
from portal.models import Domain
from signatures.models import (
    AUTOMATIC,
    UNFINISHED_DELIVERY,
    DeliveryRun,
    DeliveryRunState,
    LeftAlone,
    MailboxState,
)

from .after_sync import get_unfollowed_sync
from .left_alone import end_leaving_alone
from .planning import drop_run
from .runs import get_disconnect_restore, give_up, is_due
from .status import refresh_domain

MAKING = timedelta(minutes=5)  # an earlier version took less to list what to restore
UNCLAIMED = timedelta(seconds=30)  # a run that is queued for longer has lost its task


def end_expired_exceptions() -> None:
    """Manage mailboxes again whose time of being left alone is over, each with its status."""
    expired = LeftAlone.objects.filter(until__lte=timezone.now())
    for domain in Domain.objects.filter(pk__in=expired.order_by().values("domain")):
        with transaction.atomic():
            ids = list(expired.filter(domain=domain).values_list("pk", flat=True))
            mailboxes = end_leaving_alone(domain, ids, actor=AUTOMATIC)
            states = MailboxState.objects.filter(domain=domain, mailbox__remote_id__in=mailboxes)
            owners = states.exclude(sender=None).values_list("sender", flat=True)
            refresh_domain(domain, sender_ids=list(owners))


def list_due_runs() -> list[int]:
    """Return runs that may be carried out now, without those whose task is about to start."""
    fresh = Q(state=DeliveryRunState.QUEUED, queued_at__gte=timezone.now() - UNCLAIMED)
    return list(DeliveryRun.objects.filter(is_due()).exclude(fresh).values_list("pk", flat=True))


def list_abandoned_plans() -> list[int]:
    """Return opened plans that nobody fills; an automatic one is dropped, as the next sync finds its changes again."""
    opened = DeliveryRun.objects.filter(
        is_free(), state=DeliveryRunState.PLANNING, queued_at__lt=timezone.now() - UNCLAIMED
    )
    for run in opened.filter(started_by_label=AUTOMATIC):
        drop_run(run)
    return list(opened.values_list("pk", flat=True))


def list_owing_connections() -> list[UUID]:
    """Return connections being disconnected whose restore has not begun, or ended without being reported."""
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
    runs = ((connection.pk, get_disconnect_restore(connection)) for connection in leaving)
    return [pk for pk, run in runs if run is None or run.state not in busy]


def end_orphaned_runs() -> None:
    """Give up halted runs of disconnected connections: nobody can continue them."""
    halted = DeliveryRun.objects.filter(state=DeliveryRunState.HALTED)
    orphaned = halted.filter(connection__state=ConnectionState.DISCONNECTED)
    give_up(list(orphaned.values_list("pk", flat=True)), "Outreach was disconnected.")


def list_unfollowed_syncs() -> list[int]:
    """Return the latest completed sync of each live connection whose senders have not followed it."""
    before = timezone.now() - UNCLAIMED
    live = Connection.objects.filter(state=ConnectionState.ACTIVE)
    found = (get_unfollowed_sync(connection, before=before) for connection in live)
    return [run.pk for run in found if run is not None]
