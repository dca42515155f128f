"""Applying: stores the values of a file that was looked at, all of them or none, and takes them back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from integrations.ledger.record import record_act
from signatures.models import ImportState, RowState, Sender, SenderImport, SenderImportRow
from signatures.senders.many_values import CHUNK, Values, get_present_values, set_many_values
from signatures.senders.origins import OriginKind, ValueOrigin
from signatures.senders.vocabulary import get_vocabulary

from .reading import iterate_rows

APPLIED_AT_ONCE = 1_000  # rows; more are applied in the background


class ImportBlocked(Exception):
    """A file cannot be applied or undone now; the message says why, to a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class PreviewOutdated(ImportBlocked):
    """What the preview says is no longer so: it has to be made anew and looked at again."""

    def __init__(self) -> None:
        super().__init__(
            "Values of these senders changed since the preview. Nothing was applied. Check the new preview."
        )


def request_apply(sender_import: SenderImport, *, digest: str, leaves_out: bool, actor: str) -> None:
    """Have the file applied by `apply_rows`. digest: of the preview that was looked at. Raises: ImportBlocked."""
    if sender_import.left_out_number and not leaves_out:
        raise ImportBlocked(
            f"{sender_import.left_out_number:,} rows cannot be applied. Leave them out, or upload a corrected file."
        )
    if not sender_import.changing_number:
        raise ImportBlocked("No row changes anything.")
    ready = SenderImport.objects.filter(pk=sender_import.pk, state=ImportState.PREVIEWED, digest=digest)
    if not ready.update(
        state=ImportState.APPLYING, leaves_out=leaves_out, applied_by_label=actor, queued_at=timezone.now()
    ):
        raise PreviewOutdated


def apply_rows(import_id: int) -> SenderImport:
    """Store all values of a requested file in one transaction; does nothing where that was done.

    Raises: PreviewOutdated, and the file is to be looked at again.
    """
    try:
        with transaction.atomic():
            sender_import = _lock(import_id)
            if sender_import.state == ImportState.APPLYING:
                _apply(sender_import)
    except PreviewOutdated:
        SenderImport.objects.filter(pk=import_id, state=ImportState.APPLYING).update(
            state=ImportState.READING, queued_at=timezone.now(), lease_until=None, applied_by_label=""
        )
        raise
    return sender_import


def _apply(sender_import: SenderImport) -> None:
    number = set_many_values(
        sender_import.domain,
        _check(sender_import, list_changing(sender_import)),
        actor=sender_import.applied_by_label,
        run=f"import {sender_import.pk}",
        origin=ValueOrigin(OriginKind.IMPORT, sender_import.file_name),
        waits=sender_import.waits,
    )
    sender_import.state, sender_import.applied_at = ImportState.APPLIED, timezone.now()
    sender_import.applied_number = number
    sender_import.save(update_fields=["state", "applied_at", "applied_number"])
    record_act(
        "sender values imported",
        domain=sender_import.domain,
        actor_label=sender_import.applied_by_label,
        object_ref=f"import {sender_import.pk}",
        detail=f"{sender_import.file_name}, SHA-256 {sender_import.sha256}: {number:,} senders changed, "
        f"{sender_import.left_out_number:,} rows left out",
    )


def list_changing(sender_import: SenderImport) -> QuerySet[SenderImportRow]:
    """Return the rows that change something."""
    return sender_import.rows.filter(state__in=[RowState.CHANGED, RowState.NEW])


def _check(sender_import: SenderImport, rows: QuerySet[SenderImportRow]) -> Iterator[Values]:
    """Yield each row's new values. Raises: PreviewOutdated, where a sender no longer has the values before."""
    for chunk, present in _with_present(sender_import, rows):
        for row in chunk:
            own = present.get(row.sender_id or 0)
            if own is None or any(own.get(name, "") != was for name, (was, _, _) in row.values.items()):
                raise PreviewOutdated
            yield row.sender_id or 0, {name: new for name, (_, new, _) in row.values.items()}


def _with_present(
    sender_import: SenderImport, rows: QuerySet[SenderImportRow]
) -> Iterator[tuple[Sequence[SenderImportRow], dict[int, dict[str, str]]]]:
    """Yield 500 rows at a time, with the local values that their senders have now; the senders are locked."""
    pending = iterate_rows(rows)
    while chunk := list(islice(pending, CHUNK)):
        senders = Sender.objects.select_for_update().filter(
            domain=sender_import.domain_id, pk__in=[row.sender_id for row in chunk if row.sender_id]
        )
        yield chunk, get_present_values(sender_import.domain, list(senders), waits=sender_import.waits)


def request_undo(sender_import: SenderImport, *, actor: str) -> None:
    """Have an applied file undone by `undo_rows`. Raises: ImportBlocked."""
    applied = SenderImport.objects.filter(pk=sender_import.pk, state=ImportState.APPLIED)
    if not applied.update(state=ImportState.UNDOING, undone_by_label=actor, queued_at=timezone.now()):
        raise ImportBlocked("This file is not applied any more.")


@transaction.atomic
def undo_rows(import_id: int) -> SenderImport:
    """Give back each value of a file that nobody changed since; rows with one that somebody did say so.

    Does nothing where that was done.
    """
    sender_import = _lock(import_id)
    if sender_import.state != ImportState.UNDOING:
        return sender_import
    kept: list[int] = []
    number = set_many_values(
        sender_import.domain,
        _give_back(sender_import, kept),
        actor=sender_import.undone_by_label,
        run=f"import {sender_import.pk}",
        origin=ValueOrigin(OriginKind.UNDONE, sender_import.file_name),
        waits=sender_import.waits,
    )
    sender_import.state, sender_import.undone_at = ImportState.UNDONE, timezone.now()
    sender_import.undone_number, sender_import.kept_number = number, len(kept)
    sender_import.save(update_fields=["state", "undone_at", "undone_number", "kept_number"])
    record_act(
        "sender values import undone",
        domain=sender_import.domain,
        actor_label=sender_import.undone_by_label,
        object_ref=f"import {sender_import.pk}",
        detail=f"{number:,} senders have their earlier values; {len(kept):,} rows were changed since",
    )
    return sender_import


def _give_back(sender_import: SenderImport, kept: list[int]) -> Iterator[Values]:
    """Yield the earlier values that may return; note in `kept` the lines of rows where not all may."""
    vocabulary = get_vocabulary(sender_import.domain)
    for chunk, present in _with_present(sender_import, list_changing(sender_import)):
        for row in chunk:
            own = present.get(row.sender_id or 0, {})
            since = [name for name, (_, new, _) in row.values.items() if own.get(name, "") != new]
            if since:
                kept.append(row.line)
                labels = ", ".join(vocabulary.label_of(name) for name in since)
                row.reason = f"Not undone, as it was changed since: {labels}."
                row.save(update_fields=["reason"])
            if len(since) < len(row.values):
                yield (
                    row.sender_id or 0,
                    {name: was for name, (was, _, _) in row.values.items() if name not in since},
                )


def _lock(import_id: int) -> SenderImport:
    rows = SenderImport.objects.select_for_update(of=("self",)).select_related("domain")
    return rows.get(pk=import_id)
