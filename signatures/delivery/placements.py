"""Placements: what was last written to each mailbox, which original is kept, and what is ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.utils import timezone

from integrations.models import Connection
from integrations.sync.row_store import note_written
from signatures.models import Delivery, DeliveryRun, Placement, Snapshot

from .base import Placed, Write


def get_placements(connection: Connection, mailbox_ids: Iterable[str]) -> dict[str, Placement]:
    """Return mailbox id -> what we last wrote there, over earlier connections of the organisation too."""
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


def keep_originals(connection: Connection, writes: Sequence[Write]) -> None:
    """Keep each mailbox's original before the first write to it; one of ours never replaces it."""
    kept = get_snapshots(connection, [write.row.mailbox_remote_id for write in writes])
    new = []
    for write in writes:
        snapshot = kept.get(write.row.mailbox_remote_id)
        if snapshot is None:
            new.append(
                Snapshot(
                    domain_id=connection.domain_id,
                    account_key=connection.account_key,
                    mailbox_remote_id=write.row.mailbox_remote_id,
                    mailbox_email=write.row.mailbox_email,
                    original_html=write.found_html,
                )
            )
        elif snapshot.restored_at is not None:
            # Its original was restored, so it now holds its owner's signature, perhaps changed since.
            Snapshot.objects.filter(pk=snapshot.pk).update(
                original_html=write.found_html, taken_at=timezone.now(), restored_at=None
            )
    Snapshot.objects.bulk_create(new, batch_size=100)


def record_placements(connection: Connection, placed: Sequence[Placed], *, release_id: int | None) -> None:
    """Store what each mailbox now holds because of us, for later comparisons."""
    now = timezone.now()
    since = _get_banner_since(connection, placed)
    Placement.objects.bulk_create(
        [
            Placement(
                domain_id=connection.domain_id,
                account_key=connection.account_key,
                mailbox_remote_id=each.row.mailbox_remote_id,
                rendered_sha256=each.rendered_sha256,
                returned_sha256=each.returned_sha256,
                template_version_id=each.version_id,
                release_id=release_id,
                placed_at=now,
                banner_since=since.get(each.row.mailbox_remote_id),
            )
            for each in placed
        ],
        update_conflicts=True,
        unique_fields=["domain", "account_key", "mailbox_remote_id"],
        update_fields=[
            "rendered_sha256",
            "returned_sha256",
            "template_version",
            "release",
            "placed_at",
            "banner_since",
        ],
        batch_size=100,
    )
    note_written(connection, [each.row.mailbox_remote_id for each in placed], now)


def _get_banner_since(connection: Connection, placed: Sequence[Placed]) -> dict[str, datetime]:
    """Return mailbox id -> since when its signature has a banner slot, of those that have one now."""
    ids = [each.row.mailbox_remote_id for each in placed if each.has_banner]
    earlier = get_placements(connection, ids)
    now = timezone.now()
    return {id: (id in earlier and earlier[id].banner_since) or now for id in ids}
