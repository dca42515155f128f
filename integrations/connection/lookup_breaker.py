"""Look-up breaker: stops the look-ups of all processes for a while after failures in a row.

One row per connection. It is written when something fails and when something works again, not at each look-up.
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F, Q
from django.utils import timezone

from integrations.models import Connection, LookupState

FAILURES = 5
REST = timedelta(seconds=30)
LONGEST_REST = timedelta(minutes=10)
TRIAL = timedelta(seconds=30)  # longer than the longest look-up; a trial whose process died is given up then


def get_state(connection: Connection) -> LookupState:
    """Return how look-ups go for this connection."""
    state, _ = LookupState.objects.get_or_create(connection=connection)
    return state


def may_try(connection: Connection) -> bool:
    """Return whether a look-up may be made now.

    After a rest one is let through, to try; the others wait for what comes of it.
    """
    state = get_state(connection)
    now = timezone.now()
    if state.rests_until is None:
        return True
    if now < state.rests_until:
        return False
    free = Q(tried_at=None) | Q(tried_at__lt=now - TRIAL)
    return bool(
        LookupState.objects.filter(free, pk=connection.pk, rests_until=state.rests_until).update(tried_at=now)
    )


def note_answer(connection: Connection) -> None:
    """Look-ups work: whatever failed before is over."""
    unwell = Q(failures__gt=0) | ~Q(rests_until=None)
    LookupState.objects.filter(unwell, pk=connection.pk).update(failures=0, rests_until=None, tried_at=None)


def note_failure(connection: Connection) -> None:
    """One more look-up had no answer in time; from the fifth in a row on, look-ups rest, each time longer.

    Those that were under way when a rest began lengthen it no more: they tell the same failure again.
    """
    now = timezone.now()
    awake = LookupState.objects.filter(Q(rests_until=None) | Q(rests_until__lte=now), pk=connection.pk)
    if not awake.update(failures=F("failures") + 1):
        return
    failures = get_state(connection).failures
    if failures >= FAILURES:
        rest = min(REST * 2 ** min(failures - FAILURES, 10), LONGEST_REST)
        awake.update(rests_until=now + rest, tried_at=None)


def note_trial_unused(connection: Connection) -> None:
    """What `may_try` let through did not take place; the next one may try."""
    LookupState.objects.filter(pk=connection.pk).update(tried_at=None)
