"""Restore of originals: puts originals back into mailboxes that still hold what we wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from integrations.disconnect.steps import finish_restoring
from integrations.gateway import open_gateway
from integrations.ledger.record import record_act
from integrations.models import Connection, ConnectionState, Mailbox
from integrations.signature_service import Restoration
from portal.models import Domain
from signatures.models import (
    UNFINISHED_DELIVERY,
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    Sender,
    Snapshot,
)

from .active_mailboxes import activate_planned
from .base import (
    DeliveryBlocked,
    GatewayLike,
    OpenGateway,
    ReportProgress,
)
from .executor import carry_out_run
from .mailbox_judgement import was_edited
from .permission import get_write_block_reason
from .placements import (
    get_account_keys,
    get_placements,
)
from .restore_report import describe_run
from .restore_strategy import RestoreStrategy, is_restoring
from .runs import (
    IDLE,
    SETTLED_CODES,
    get_disconnect_restore,
    give_up,
    is_due,
)

CHUNK = 500


def start_restore(connection: Connection, *, actor: str, only_sender: Sender | None = None) -> DeliveryRun:
    """Queue a restore of every original that was not restored yet; return one that is under way as it is.

    Ends deliveries that have not begun, wait or halted; for a disconnect, which restores everything, also an earlier
    restore.
    Raises: DeliveryBlocked, where a delivery is writing (when disconnecting, it stops automatically),
    or, outside a disconnect, where nothing may be written.
    """
    is_disconnecting = connection.state == ConnectionState.DISCONNECTING
    why_not = "" if is_disconnecting else get_write_block_reason(connection)
    if is_disconnecting and only_sender is not None:
        raise DeliveryBlocked("Outreach is being disconnected, which restores every original.")
    present = get_disconnect_restore(connection) if is_disconnecting else _get_unfinished(connection)
    if present is not None and not present.is_finished:
        return present
    if why_not:
        raise DeliveryBlocked(why_not)
    # Opened plans, and what a process of an earlier version left half-made.
    DeliveryRun.objects.filter(
        connection=connection, kind=DeliveryRun.Kind.RESTORE, state=DeliveryRunState.PLANNING
    ).delete()
    _give_up_idle(connection, with_restores=is_disconnecting)
    try:
        with transaction.atomic():
            _refuse_beside_others(connection)
            run = DeliveryRun.objects.create(
                domain=connection.domain,
                connection=connection,
                kind=DeliveryRun.Kind.RESTORE,
                state=DeliveryRunState.QUEUED,
                queued_at=timezone.now(),
                started_by_label=actor,
            )
            for rows in _plan_chunks(run, only_sender):
                Delivery.objects.bulk_create(rows, batch_size=200)
                run.planned += len(rows)
            activate_planned(run)
            run.save(update_fields=["planned"])
            record_act(
                "restore started",
                domain=run.domain,
                connection=connection,
                actor_label=actor,
                job=run.job_label,
                detail=f"{run.planned} mailboxes",
            )
    except IntegrityError as error:
        raise DeliveryBlocked("A delivery is running. Restore originals when it has ended.") from error
    return run


def _refuse_beside_others(connection: Connection) -> None:
    """Refuse to start beside a delivery, which might write to mailboxes that were restored already.

    Raises: DeliveryBlocked. Locks the domain as `start_delivery` does, so that both cannot start at once.
    """
    Domain.objects.select_for_update().get(pk=connection.domain_id)
    if DeliveryRun.objects.filter(domain=connection.domain_id, state__in=UNFINISHED_DELIVERY).exists():
        raise DeliveryBlocked("A delivery is running. Restore originals when it has ended.")


def _get_unfinished(connection: Connection) -> DeliveryRun | None:
    restores = DeliveryRun.objects.filter(connection=connection, kind=DeliveryRun.Kind.RESTORE)
    return restores.filter(state__in=[*UNFINISHED_DELIVERY, DeliveryRunState.HALTED]).first()


def _give_up_idle(connection: Connection, *, with_restores: bool) -> None:
    """End every run of the domain that no process is carrying out now."""
    runs = DeliveryRun.objects.filter(domain=connection.domain_id)
    if not with_restores:
        runs = runs.filter(kind=DeliveryRun.Kind.DELIVER)
    ids = runs.filter(Q(state__in=IDLE) | is_due()).values_list("pk", flat=True)
    give_up(list(ids), "Ended because the originals are restored.")


def get_owed(connection: Connection, only_sender: Sender | None = None) -> QuerySet[Snapshot]:
    """Return the originals that were not restored, of all mailboxes or of one sender's.

    During a disconnect, without those that it found edited since, or gone.
    """
    owed = Snapshot.objects.filter(
        domain=connection.domain_id, account_key__in=get_account_keys(connection), restored_at=None
    )
    if connection.state == ConnectionState.DISCONNECTING and connection.disconnect_requested_at is not None:
        settled = Delivery.objects.filter(
            run__connection=connection,
            run__kind=DeliveryRun.Kind.RESTORE,
            finished_at__gte=connection.disconnect_requested_at,
            reason_code__in=SETTLED_CODES,
        )
        owed = owed.exclude(mailbox_remote_id__in=settled.values("mailbox_remote_id"))
    if only_sender is None:
        return owed
    mailboxes = Mailbox.objects.filter(connection=connection, person_remote_id=only_sender.person.remote_id)
    return owed.filter(mailbox_remote_id__in=mailboxes.values("remote_id"))


def _in_chunks(owed: QuerySet[Snapshot]) -> Iterator[list[Snapshot]]:
    last = 0
    while snapshots := list(owed.order_by("pk").filter(pk__gt=last).defer("original_html")[:CHUNK]):
        yield snapshots
        last = snapshots[-1].pk


def preview_restore(connection: Connection, *, only_sender: Sender | None = None) -> Restoration:
    """Return what a restore would do, as far as the mirror and earlier replies tell. Makes no call."""
    restored = conflicts = 0
    for snapshots in _in_chunks(get_owed(connection, only_sender)):
        ids = [snapshot.mailbox_remote_id for snapshot in snapshots]
        placements = get_placements(connection, ids)
        for mailbox in Mailbox.objects.filter(connection=connection, remote_id__in=ids):
            is_edited = was_edited(mailbox, placements.get(mailbox.remote_id))
            conflicts += is_edited
            restored += not is_edited
    return Restoration(total=restored + conflicts, restored=restored, conflicts=conflicts)


def _plan_chunks(run: DeliveryRun, only_sender: Sender | None) -> Iterator[list[Delivery]]:
    for snapshots in _in_chunks(get_owed(run.connection, only_sender)):
        ids = [snapshot.mailbox_remote_id for snapshot in snapshots]
        owners = _get_owners(run.connection, ids)
        senders = dict(
            Sender.objects.filter(
                person__connection=run.connection, person__remote_id__in=set(owners.values())
            ).values_list("person__remote_id", "pk")
        )
        rows = [
            Delivery(
                run=run,
                mailbox_remote_id=snapshot.mailbox_remote_id,
                mailbox_email=snapshot.mailbox_email,
                person_remote_id=owners.get(snapshot.mailbox_remote_id, ""),
                sender_id=senders.get(owners.get(snapshot.mailbox_remote_id, "")),
            )
            for snapshot in snapshots
        ]
        yield list({row.mailbox_remote_id: row for row in rows}.values())


def _get_owners(connection: Connection, mailbox_ids: Sequence[str]) -> dict[str, str]:
    """Return mailbox id -> its owner: as the mirror says, or else the owner when we last wrote to it."""
    written = Delivery.objects.filter(
        run__domain=connection.domain_id, mailbox_remote_id__in=mailbox_ids
    ).exclude(person_remote_id="")
    mirrored = Mailbox.objects.filter(connection=connection, remote_id__in=mailbox_ids)
    return dict(written.order_by("id").values_list("mailbox_remote_id", "person_remote_id")) | dict(
        mirrored.exclude(person_remote_id="").values_list("remote_id", "person_remote_id")
    )


def carry_out_restore(
    run_id: int, *, progress: ReportProgress | None = None, gateway_factory: OpenGateway | None = None
) -> DeliveryRun:
    """Take the restore as far as it can go now; where it completes a disconnect's first step, the next one is due."""
    run = carry_out_run(
        run_id,
        kind=DeliveryRun.Kind.RESTORE,
        make_strategy=RestoreStrategy,
        open_gateway=gateway_factory or _open_gateway,
        progress=progress,
    )
    _report(run)
    return run


def restore_connection(connection_id: UUID | str) -> DeliveryRun | None:
    """Put the originals of a connection that is being disconnected back, as far as that goes now; None for another.

    Raises: DeliveryBlocked, while a delivery is still stopping.
    """
    connection = Connection.objects.select_related("domain").get(pk=connection_id)
    if not is_restoring(connection):
        return None
    run = get_disconnect_restore(connection)
    if run is not None and _report(run):  # killed between its end and the report of it
        return run
    run = start_restore(connection, actor=connection.disconnect_requested_by_label)
    return carry_out_restore(run.pk)


def _report(run: DeliveryRun) -> bool:
    """Let the disconnect go on where the restore is complete and no original is owed; return whether it does."""
    connection = Connection.objects.get(pk=run.connection_id)
    is_done = run.state == DeliveryRunState.COMPLETE and run == get_disconnect_restore(connection)
    if not is_done or not is_restoring(connection) or get_owed(connection).exists():
        return False
    outcome = describe_run(run)
    finish_restoring(
        run.connection_id, restored=outcome.restored, conflicts=outcome.conflicts, failed=outcome.failed
    )
    return True


def _open_gateway(run: DeliveryRun) -> AbstractContextManager[GatewayLike]:
    return open_gateway(
        run.connection,
        job=run.job_label,
        actor_label=run.started_by_label,
        for_restoring=run.connection.state == ConnectionState.DISCONNECTING,
    )
