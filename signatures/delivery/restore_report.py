"""Restore report: answers what integrations asks about originals, as its `signature_service` describes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from uuid import UUID

from django.db import transaction
from django.urls import reverse

from integrations.models import Connection, ConnectionState, NoticeKind
from integrations.signature_service import LeftBehind, Restoration, WrittenText
from integrations.trouble import Trouble
from portal.models import Domain
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, DeliveryState, Placement

from .edit_digest import find_edits
from .edit_digest import note_told as note_told  # a part of the service
from .placements import get_account_keys
from .runs import CONFLICT_CODE, IDLE, get_disconnect_restore, get_owing, give_up
from .texts import find_kept

_JOB = re.compile(r"(delivery|restore) [0-9]{1,15}")


def describe_restore(connection: Connection) -> Restoration:
    """Return how many mailboxes hold our signature, and how far the restore of this disconnect has gone."""
    run = get_disconnect_restore(connection)
    if run is not None:
        return describe_run(run)
    placed = Placement.objects.filter(
        domain=connection.domain_id, account_key__in=get_account_keys(connection)
    )
    total = placed.count()
    return Restoration(total=total, owed=total)


def list_left_behind(connection: Connection) -> list[LeftBehind]:
    """Return what the restore of this disconnect did not put back, with its reason, by address."""
    run = get_disconnect_restore(connection)
    if run is None:
        return []
    left = [
        LeftBehind(
            delivery.mailbox_remote_id,
            delivery.mailbox_email,
            delivery.reason or run.cause or "The restore ended before this mailbox.",
            is_conflict=delivery.reason_code == CONFLICT_CODE,
        )
        for delivery in run.deliveries.exclude(state=DeliveryState.DELIVERED)
    ]
    return sorted(left, key=lambda each: (each.email, each.remote_id))


def find_written(domain: Domain, writes: Collection[tuple[str, str]]) -> dict[tuple[str, str], WrittenText]:
    """Return (job, mailbox id) -> what was written, for those of the ledger's writes that are still known."""
    runs = {int(job.split()[1]): job for job, _ in writes if _JOB.fullmatch(job)}
    rows = Delivery.objects.filter(
        run__domain=domain, run__in=runs, mailbox_remote_id__in={mailbox_id for _, mailbox_id in writes}
    )
    found = list(rows.only("run", "mailbox_remote_id", "mailbox_email", "rendered_sha256"))
    paths = _find_paths(domain, found)
    named = {
        (runs[row.run_id], row.mailbox_remote_id): WrittenText(
            row.mailbox_email, paths.get(row.rendered_sha256, "")
        )
        for row in found
    }
    return {write: text for write, text in named.items() if write in writes}


def find_held(domain: Domain, connection_ref: str) -> dict[str, str]:
    """Return mailbox id -> path of the page that shows what we wrote there last over this connection."""
    last = Delivery.objects.filter(
        run__domain=domain, run__connection=UUID(connection_ref), run__kind=DeliveryRun.Kind.DELIVER
    )
    last = last.filter(state=DeliveryState.DELIVERED).only("mailbox_remote_id", "rendered_sha256")
    rows = {row.mailbox_remote_id: row for row in last.order_by("id")}
    paths = _find_paths(domain, rows.values())
    held = {mailbox_id: paths.get(row.rendered_sha256, "") for mailbox_id, row in rows.items()}
    return {mailbox_id: path for mailbox_id, path in held.items() if path}


def _find_paths(domain: Domain, rows: Iterable[Delivery]) -> dict[str, str]:
    kept = find_kept(domain.pk, {row.rendered_sha256 for row in rows})
    return {sha256: reverse("signatures:kept_text", args=[domain.name, sha256]) for sha256 in kept}


def list_troubles(connection: Connection) -> list[Trouble]:
    """Return a delivery or a restore that stopped for a decision, and edits that wait for one."""
    edited = find_edits(connection)
    return [*_list_halted(connection), *([edited] if edited else [])]


def _list_halted(connection: Connection) -> list[Trouble]:
    halted = DeliveryRun.objects.filter(connection=connection, state=DeliveryRunState.HALTED).first()
    if halted is None:
        return []
    what_to_do = "Review the refusals on the page of the delivery, then continue or stop it there."
    if halted == get_disconnect_restore(connection):
        what_to_do = (
            "Outreach stays connected until a decision is made: continue on the page of the restore, "
            "or leave the mailboxes as they are on the Outreach page."
        )
    return [
        Trouble(
            NoticeKind.HALTED,
            halted.cause or "A delivery stopped because too many mailboxes were refused.",
            what_to_do,
            reverse("signatures:delivery_run", args=[connection.domain.name, halted.pk]),
        )
    ]


def describe_run(run: DeliveryRun) -> Restoration:
    """Return how far one restore has gone; a mailbox that could not be restored and is no conflict has failed."""
    conflicts = run.deliveries.filter(reason_code=CONFLICT_CODE).count()
    is_idle = run.state in (DeliveryRunState.WAITING, DeliveryRunState.HALTED)
    return Restoration(
        total=run.planned,
        restored=run.delivered,
        conflicts=conflicts,
        failed=run.refused - conflicts + run.failed + run.skipped,
        owed=get_owing(run).count(),
        run_id=run.pk,
        waits_for=run.cause if is_idle else "",
        waits_since=run.waiting_since if is_idle else None,
        goes_on_at=run.resume_at if is_idle else None,
        asks=run.state == DeliveryRunState.HALTED,
    )


@transaction.atomic
def give_up_restoring(connection: Connection, *, actor: str) -> int | None:
    """End the restore of this disconnect; return how many mailboxes it leaves, None where it is at work."""
    run = get_disconnect_restore(connection)
    if connection.state != ConnectionState.DISCONNECTING or run is None:
        return None
    if not DeliveryRun.objects.select_for_update(of=("self",)).filter(pk=run.pk, state__in=IDLE).exists():
        return None
    owing = get_owing(run).count()
    give_up([run.pk], f"Left as it is, as {actor} decided.")
    return owing
