"""Restore: gives mailboxes their originals back where they still hold what we wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from integrations.connector import MailboxRecord
from integrations.disconnect.steps import finish_restoring
from integrations.gateway import open_gateway
from integrations.ledger.record import record_act
from integrations.models import Connection, ConnectionState, DisconnectStep, Mailbox
from integrations.signature_service import Restoration
from integrations.sync.mirror import note_written
from portal.models import Domain
from signatures.models import (
    UNFINISHED_DELIVERY,
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    LeftAloneWhy,
    Placement,
    Sender,
    Snapshot,
)
from signatures.releases.compose import Refusal

from .active_mailboxes import activate_planned
from .base import (
    DeliveryBlocked,
    GatewayLike,
    InPlace,
    OpenGateway,
    Placed,
    ReportProgress,
    RowDecision,
    Stop,
    Write,
)
from .deliver import why_delivery_stops
from .digest import digest
from .executor import carry_out_run
from .left_alone import leave_alone
from .permission import say_why_unwritable
from .placements import get_account_keys, get_placements, get_snapshots, was_written_by_us
from .restore_report import describe_run
from .runs import (
    CONFLICT_CODE,
    GONE_CODE,
    IDLE,
    SETTLED_CODES,
    get_disconnect_restore,
    get_owing,
    give_up,
    is_due,
)
from .status import note_attempts, was_edited

CHUNK = 500
CONFLICT = Refusal(
    CONFLICT_CODE,
    "Somebody edited this signature in Outreach since we wrote it, so it stays. The original is kept here.",
)
GONE = Refusal(GONE_CODE, "Outreach no longer lists this mailbox. The original is kept here.")
OWNER_UNKNOWN = Refusal(
    "owner_unknown",
    "It is not known any more whose mailbox this is, so it could not be read. The original is kept here.",
)
NOT_EDITABLE = Refusal(
    "not_editable", "Outreach does not let our account edit this mailbox. The original is kept here."
)


def start_restore(connection: Connection, *, actor: str, only_sender: Sender | None = None) -> DeliveryRun:
    """A restore of every original not yet given back is queued; one that is under way is returned as it is.

    Deliveries that have not begun, wait or halted are given up for it; a disconnect, which puts everything back,
    gives up an earlier restore as well.
    Raises: DeliveryBlocked, where one is writing this moment (it stops by itself when disconnecting),
    or, outside a disconnect, where nothing may be written.
    """
    is_disconnecting = connection.state == ConnectionState.DISCONNECTING
    why_not = "" if is_disconnecting else say_why_unwritable(connection)
    if is_disconnecting and only_sender is not None:
        raise DeliveryBlocked("Outreach is being disconnected: every original goes back as it is.")
    present = get_disconnect_restore(connection) if is_disconnecting else _get_unfinished(connection)
    if present is not None and not present.is_finished:
        return present
    if why_not:
        raise DeliveryBlocked(why_not)
    # Half-made by a process of an earlier version that died; now a restore is made whole or not at all.
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
        raise DeliveryBlocked("A delivery is running. Originals go back when it has ended.") from error
    return run


def _refuse_beside_others(connection: Connection) -> None:
    """A restore begins where nothing else of the domain is started: a delivery might write what it has passed.

    Raises: DeliveryBlocked. Locks the domain as `start_delivery` does, so that of the two one comes first.
    """
    Domain.objects.select_for_update().get(pk=connection.domain_id)
    if DeliveryRun.objects.filter(domain=connection.domain_id, state__in=UNFINISHED_DELIVERY).exists():
        raise DeliveryBlocked("A delivery is running. Originals go back when it has ended.")


def _get_unfinished(connection: Connection) -> DeliveryRun | None:
    restores = DeliveryRun.objects.filter(connection=connection, kind=DeliveryRun.Kind.RESTORE)
    return restores.filter(state__in=[*UNFINISHED_DELIVERY, DeliveryRunState.HALTED]).first()


def _give_up_idle(connection: Connection, *, with_restores: bool) -> None:
    """Give up every run of the domain that is not being carried out this moment."""
    runs = DeliveryRun.objects.filter(domain=connection.domain_id)
    if not with_restores:
        runs = runs.filter(kind=DeliveryRun.Kind.DELIVER)
    ids = runs.filter(Q(state__in=IDLE) | is_due()).values_list("pk", flat=True)
    give_up(list(ids), "Given up because the originals go back.")


def get_owed(connection: Connection, only_sender: Sender | None = None) -> QuerySet[Snapshot]:
    """Return the originals that were not given back, of all mailboxes or of one sender's.

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
    """Return mailbox id -> whose it is: as the mirror says, or else as it was when we last wrote to it."""
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
    if not _is_restoring(connection):
        return None
    run = get_disconnect_restore(connection)
    if run is not None and _report(run):  # killed between its end and the report of it
        return run
    run = start_restore(connection, actor=connection.disconnect_requested_by_label)
    return carry_out_restore(run.pk)


def _is_restoring(connection: Connection) -> bool:
    return (connection.state, connection.disconnect_step) == (
        ConnectionState.DISCONNECTING,
        DisconnectStep.RESTORING,
    )


def _report(run: DeliveryRun) -> bool:
    """Let the disconnect go on where the restore is complete and no original is owed; return whether it does."""
    connection = Connection.objects.get(pk=run.connection_id)
    is_done = run.state == DeliveryRunState.COMPLETE and run == get_disconnect_restore(connection)
    if not is_done or not _is_restoring(connection) or get_owed(connection).exists():
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


class RestoreStrategy:
    """Puts a mailbox's original back where it holds our last write; what a person wrote stays."""

    def __init__(self, run: DeliveryRun) -> None:
        self._run = run

    def why_stop(self, connection: Connection) -> Stop | None:
        """Return why nothing may be written now, or None; during a disconnect nothing stops a restore."""
        return None if connection.state == ConnectionState.DISCONNECTING else why_delivery_stops(connection)

    def count_allowed(self) -> int | None:
        """Return None: originals go back without a limit of ours."""
        return None

    def wait_for_writes(self) -> Stop:
        """Never asked, as nothing limits a restore."""
        raise AssertionError("a restore has no limit of writes")

    def decide(self, rows: Sequence[Delivery], found: Mapping[str, MailboxRecord]) -> list[RowDecision]:
        """Return what to do with each row."""
        ids = [row.mailbox_remote_id for row in rows]
        snapshots = get_snapshots(self._run.connection, ids)
        placements = get_placements(self._run.connection, ids)
        return [
            self._decide_row(row, found.get(id), snapshots.get(id), placements.get(id))
            for row, id in zip(rows, ids, strict=True)
        ]

    def _decide_row(
        self,
        row: Delivery,
        mailbox: MailboxRecord | None,
        snapshot: Snapshot | None,
        placement: Placement | None,
    ) -> RowDecision:
        if mailbox is None or snapshot is None:
            return GONE if row.person_remote_id else OWNER_UNKNOWN
        held, original = digest(mailbox.signature_html), digest(snapshot.original_html)
        if held == original:
            return InPlace(original, mailbox.signature_html, None, was_ours=True)
        is_ours = placement is not None and placement.returned_sha256 == held
        if not is_ours and not was_written_by_us(self._run.connection, row.mailbox_remote_id, held):
            return CONFLICT
        if mailbox.is_editable is False:
            return NOT_EDITABLE
        return Write(row, snapshot.original_html, mailbox.signature_html)

    def secure(self, writes: Sequence[Write]) -> None:
        """Nothing needs keeping: what a restore writes over is ours."""

    def record(self, placed: Sequence[Placed]) -> None:
        """Note that these mailboxes hold their originals, and nothing of ours."""
        ids = [each.row.mailbox_remote_id for each in placed]
        connection = self._run.connection
        keys = get_account_keys(connection)
        Snapshot.objects.filter(
            domain=connection.domain_id, account_key__in=keys, mailbox_remote_id__in=ids
        ).update(restored_at=timezone.now())
        Placement.objects.filter(
            domain=connection.domain_id, account_key__in=keys, mailbox_remote_id__in=ids
        ).delete()
        note_written(connection, ids, timezone.now())
        if connection.state != ConnectionState.DISCONNECTING:
            held = [
                (each.row.mailbox_remote_id, each.row.mailbox_email, each.returned_sha256) for each in placed
            ]
            leave_alone(connection, held, why=LeftAloneWhy.RESTORED, actor=self._run.started_by_label)

    def note_outcomes(self, rows: Sequence[Delivery]) -> None:
        """Keep the status of these mailboxes true."""
        note_attempts(self._run.connection, rows)

    def why_unsettled(self) -> str:
        """Return what a disconnect asks a person about: mailboxes that may still hold our signature."""
        if not _is_restoring(Connection.objects.get(pk=self._run.connection_id)):
            return ""
        owing = get_owing(self._run).count()
        if not owing:
            return ""
        which = "1 mailbox" if owing == 1 else f"{owing:,} mailboxes"
        return (
            f"{which} could not be given the original back, each for the reason that is listed. "
            "Mend what can be mended and try again, or leave them as they are."
        )
