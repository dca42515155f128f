"""Change retention: removes decided changes by senders; the values they made stay with the sender."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Q, QuerySet

from portal.batches import get_limit, remove_rows
from signatures.models import ChangeState, SenderChange


def remove_decided_changes(*, writes: bool = True) -> dict[str, int]:
    """Return how many decided changes went, or without `writes` would go."""
    return {"decided changes by senders": remove_rows(get_decided_changes(), writes=writes)}


def get_decided_changes() -> QuerySet[SenderChange]:
    """Return changes that were decided, or took effect without a decision, long ago; what waits stays."""
    limit = get_limit(settings.DECIDED_KEEP_DAYS)
    # Nothing is decided before it is made: the index of `made_at` finds them.
    old = SenderChange.objects.filter(Q(decided_at=None) | Q(decided_at__lt=limit), made_at__lt=limit)
    return old.exclude(state=ChangeState.WAITING)
