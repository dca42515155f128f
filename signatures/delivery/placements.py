"""Placements: what was placed in each mailbox last, which original is kept, and what is ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from integrations.models import Connection
from signatures.models import Delivery, DeliveryRun, Placement, Snapshot


def get_placements(connection: Connection, mailbox_ids: Iterable[str]) -> dict[str, Placement]:
    """Return mailbox id -> what we last placed there, over earlier connections of the organisation too."""
    rows = Placement.objects.filter(
        domain=connection.domain_id,
        account_key__in=get_account_keys(connection),
        mailbox_remote_id__in=mailbox_ids,
    ).order_by("placed_at")
    return {row.mailbox_remote_id: row for row in rows}


def get_account_keys(connection: Connection) -> list[str]:
    """Return the keys under which this organisation's originals may be kept: its own, and the unknown one."""
    return sorted({connection.account_key, ""})


def get_snapshots(connection: Connection, mailbox_ids: Sequence[str]) -> dict[str, Snapshot]:
    """Return mailbox id -> the original kept for it, over earlier connections of the organisation too."""
    rows = Snapshot.objects.filter(
        domain=connection.domain_id,
        account_key__in=get_account_keys(connection),
        mailbox_remote_id__in=mailbox_ids,
    ).order_by("account_key")
    return {row.mailbox_remote_id: row for row in rows}


def was_written_by_us(connection: Connection, mailbox_id: str, held_sha256: str) -> bool:
    """Return whether the latest write we tried on this mailbox was this signature, its answer seen or not."""
    tried = Delivery.objects.filter(
        run__domain=connection.domain_id, run__kind=DeliveryRun.Kind.DELIVER, mailbox_remote_id=mailbox_id
    )
    latest = tried.exclude(rendered_sha256="").order_by("-id").first()
    return latest is not None and held_sha256 in (latest.rendered_sha256, latest.returned_sha256)
