"""Import retention: removes old files and their rows, and finds those that no process works on any more."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from portal.batches import get_limit, remove_rows
from portal.leases import is_free
from signatures.models import MOVING, SenderImport, SenderImportRow

KEEP_DAYS = 90
"""How long a file can be looked at, and undone."""

_LOST_AFTER = timedelta(minutes=2)


def remove_old_imports(*, writes: bool = True) -> dict[str, int]:
    """Return how many rows and files went that are older than KEEP_DAYS, or without `writes` would go."""
    return {
        "rows of imported files": remove_rows(get_old_rows(), writes=writes),
        "imported files": remove_rows(get_old_imports(), writes=writes),
    }


def get_old_imports() -> QuerySet[SenderImport]:
    return SenderImport.objects.filter(created_at__lt=get_limit(KEEP_DAYS))


def get_old_rows() -> QuerySet[SenderImportRow]:
    return SenderImportRow.objects.filter(sender_import__in=get_old_imports())


def list_abandoned_imports() -> list[int]:
    """Return ids of files whose task was lost: queued two minutes ago, and nobody works on them."""
    waiting = SenderImport.objects.filter(
        is_free(), state__in=MOVING, queued_at__lt=timezone.now() - _LOST_AFTER
    )
    return list(waiting.values_list("pk", flat=True))
