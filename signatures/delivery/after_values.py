"""After values: files of values are applied and undone, and the status of the mailboxes follows."""

from __future__ import annotations

from signatures.models import SenderImport
from signatures.value_files.applying import apply_rows, list_changing, undo_rows

from .status import refresh_domain


def apply_import(import_id: int) -> SenderImport:
    """Apply a requested file. Raises: PreviewOutdated."""
    return _refresh(apply_rows(import_id))


def undo_import(import_id: int) -> SenderImport:
    """Undo a file of which that was requested."""
    return _refresh(undo_rows(import_id))


def _refresh(done: SenderImport) -> SenderImport:
    if not done.waits:
        ids = list_changing(done).exclude(sender=None).values_list("sender", flat=True)
        refresh_domain(done.domain, sender_ids=list(ids))
    return done
