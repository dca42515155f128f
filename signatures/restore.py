"""Mailboxes get back what they held before us, where they still hold what we wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from integrations.connector import MailboxRecord
from integrations.disconnect import finish_restoring
from integrations.gateway import open_gateway
from integrations.ledger import record_act
from integrations.models import Connection, ConnectionState, DisconnectStep, Mailbox
from integrations.restoration import Restoration

from .comparison import digest
from .composing import Refusal
from .delivery import DeliveryBlocked
from .engine import carry_out_run
from .givingup import IDLE, give_up
from .history import get_account_keys, get_placements, get_snapshots, was_written_by_us
from .job import GatewayLike, InPlace, Letter, OpenGateway, Placed, Progress, Stop, Verdict
from .judging import say_delivery_stop
from .lease import is_due
from .models import Delivery, DeliveryRun, DeliveryRunState, Placement, Sender, Snapshot
from .originals import list_originals, write_originals
from .permission import say_why_unwritable
from .planning import was_edited
from .restoration import CONFLICT_CODE, describe_run

__all__ = [
    "carry_out_restore",
    "list_originals",
    "preview_restore",
    "restore_connection",
    "start_restore",
    "write_originals",
]

CHUNK = 500
CONFLICT = Refusal(
    CONFLICT_CODE,
    "Somebody edited this signature in Outreach since we wrote it, so it stays. The original is kept here.",
)
GONE = Refusal("gone", "Outreach no longer lists this mailbox. The original is kept here.")
NOT_EDITABLE = Refusal(
    "not_editable", "Outreach does not let our account edit this mailbox. The original is kept here."
)


def start_restore(connection: Connection, *, by_label: str, only_sender: Sender | None = None) -> DeliveryRun:
    """A restore of every original not yet given back is queued; one that is under way is returned as it is.

    Deliveries that have not begun, wait or halted are given up for it.
    Raises: DeliveryBlocked, where one is writing this moment (it stops by itself when disconnecting),
    or, outside a disconnect, where nothing may be written.
    """
    unfinished = DeliveryRun.objects.filter(connection=connection, kind=DeliveryRun.Kind.RESTORE).exclude(
        state__in=[DeliveryRunState.COMPLETE, DeliveryRunState.FAILED, DeliveryRunState.SKIPPED]
    )
    present = unfinished.exclude(state=DeliveryRunState.PLANNING).first()
    if present is not None:
        return present
    why_not = "" if connection.state == ConnectionState.DISCONNECTING else say_why_unwritable(connection)
    if why_not:
        raise DeliveryBlocked(why_not)
    unfinished.delete()  # half-made by a process that died
    _give_up_deliveries(connection)
    run = DeliveryRun.objects.create(
        domain=connection.domain,
        connection=connection,
        kind=DeliveryRun.Kind.RESTORE,
        state=DeliveryRunState.PLANNING,
        started_by_label=by_label,
    )
    for rows in _plan_chunks(run, only_sender):
        Delivery.objects.bulk_create(rows, batch_size=200)
        run.planned += len(rows)
    try:
        with transaction.atomic():
            run.state, run.queued_at = DeliveryRunState.QUEUED, timezone.now()
            run.save(update_fields=["state", "queued_at", "planned"])
            record_act(
                "restore started",
                domain=run.domain,
                connection=connection,
                actor_label=by_label,
                job=run.job_label,
                detail=f"{run.planned} mailboxes",
            )
    except IntegrityError as error:
        Delivery.objects.filter(run=run).delete()
        run.delete()
        raise DeliveryBlocked("A delivery is running. Originals go back when it has ended.") from error
    return run


def _give_up_deliveries(connection: Connection) -> None:
    """No delivery of the domain is in the way, except one that is being written this moment."""
    runs = DeliveryRun.objects.filter(domain=connection.domain_id, kind=DeliveryRun.Kind.DELIVER)
    ids = runs.filter(Q(state__in=IDLE) | is_due()).values_list("pk", flat=True)
    give_up(list(ids), "Given up because the originals go back.")


def get_owed(connection: Connection, only_sender: Sender | None = None) -> QuerySet[Snapshot]:
    """Return the originals that were not given back, of all mailboxes or of one sender's."""
    owed = Snapshot.objects.filter(
        domain=connection.domain_id, account_key__in=get_account_keys(connection), restored_at=None
    )
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
    """Return what a restore would come to, as far as the mirror and our own replies tell. Calls nobody."""
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
        mirrored = Mailbox.objects.filter(connection=run.connection, remote_id__in=ids)
        owners = dict(mirrored.values_list("remote_id", "person_remote_id"))
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


def carry_out_restore(
    run_id: int, *, progress: Progress | None = None, gateway_factory: OpenGateway | None = None
) -> DeliveryRun:
    """The restore is as far as it can go now; where it ended and we are leaving, the next step of leaving is due."""
    run = carry_out_run(
        run_id,
        kind=DeliveryRun.Kind.RESTORE,
        make_job=RestoreJob,
        open_gateway=gateway_factory or _open_gateway,
        progress=progress,
    )
    if run.is_finished:
        _report(run)
    return run


def restore_connection(connection_id: UUID | str) -> DeliveryRun | None:
    """A connection that is leaving has its originals put back as far as that goes now; None where none is owed.

    Raises: DeliveryBlocked, while a delivery is still stopping.
    """
    connection = Connection.objects.select_related("domain").get(pk=connection_id)
    if (connection.state, connection.disconnect_step) != (
        ConnectionState.DISCONNECTING,
        DisconnectStep.RESTORING,
    ):
        return None
    run = DeliveryRun.objects.filter(
        connection=connection, kind=DeliveryRun.Kind.RESTORE, created_at__gte=connection.state_changed_at
    ).first()
    if run is not None and run.is_finished:  # killed between its end and the report of it
        _report(run)
        return run
    run = start_restore(connection, by_label=connection.disconnect_requested_by_label)
    return carry_out_restore(run.pk)


def _report(run: DeliveryRun) -> None:
    outcome = describe_run(run)
    finish_restoring(
        run.connection_id, restored=outcome.restored, conflicts=outcome.conflicts, failed=outcome.failed
    )


def _open_gateway(run: DeliveryRun) -> AbstractContextManager[GatewayLike]:
    return open_gateway(
        run.connection,
        job=run.job_label,
        actor_label=run.started_by_label,
        for_restoring=run.connection.state == ConnectionState.DISCONNECTING,
    )


class RestoreJob:
    """Gives a mailbox its original back where it holds our last write; anything else is somebody's, and stays."""

    def __init__(self, run: DeliveryRun) -> None:
        self._run = run

    def say_stop(self, connection: Connection) -> Stop | None:
        """Return why nothing may be written now, or None; leaving is no reason, it is the occasion."""
        return None if connection.state == ConnectionState.DISCONNECTING else say_delivery_stop(connection)

    def judge(self, rows: Sequence[Delivery], found: Mapping[str, MailboxRecord]) -> list[Verdict]:
        """Return what to do with each row."""
        ids = [row.mailbox_remote_id for row in rows]
        snapshots = get_snapshots(self._run.connection, ids)
        placements = get_placements(self._run.connection, ids)
        return [
            self._judge_row(row, found.get(id), snapshots.get(id), placements.get(id))
            for row, id in zip(rows, ids, strict=True)
        ]

    def _judge_row(
        self,
        row: Delivery,
        mailbox: MailboxRecord | None,
        snapshot: Snapshot | None,
        placement: Placement | None,
    ) -> Verdict:
        if mailbox is None or snapshot is None:
            return GONE
        held, original = digest(mailbox.signature_html), digest(snapshot.original_html)
        if held == original:
            return InPlace(original, held, None, was_ours=True)
        is_ours = placement is not None and placement.returned_sha256 == held
        if not is_ours and not was_written_by_us(self._run.connection, row.mailbox_remote_id, held):
            return CONFLICT
        if mailbox.is_editable is False:
            return NOT_EDITABLE
        return Letter(row, snapshot.original_html, mailbox.signature_html)

    def secure(self, letters: Sequence[Letter]) -> None:
        """Nothing needs keeping: what a restore writes over is ours."""

    def record(self, placed: Sequence[Placed]) -> None:
        """These mailboxes are their owners' again."""
        ids = [each.row.mailbox_remote_id for each in placed]
        connection = self._run.connection
        keys = get_account_keys(connection)
        Snapshot.objects.filter(
            domain=connection.domain_id, account_key__in=keys, mailbox_remote_id__in=ids
        ).update(restored_at=timezone.now())
        Placement.objects.filter(
            domain=connection.domain_id, account_key__in=keys, mailbox_remote_id__in=ids
        ).delete()
