"""After a sync: groups, senders and the status of mailboxes follow the mirror."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from integrations.models import READ_TO_END, Connection, ConnectionState, SyncRun
from signatures.models import Following
from signatures.senders.groups import refresh_groups
from signatures.senders.refresh import refresh_senders

from .status import follow_release, refresh_changed, refresh_states


def follow_mirror(run: SyncRun) -> None:
    """Bring groups and senders up to the mirror, whichever earlier sync was not followed; safe to repeat."""
    connection = run.connection
    following, _ = Following.objects.get_or_create(connection=connection)
    # A group that came, went or was renamed may move or change people whom the sync did not touch.
    since = None if refresh_groups(connection) else following.senders_until
    refresh_senders(connection, since=since)
    if since is None:
        refresh_states(connection)
    else:
        refresh_changed(connection, since)
    follow_release(connection)
    Following.objects.filter(pk=following.pk).update(senders_until=run.started_at)


def catch_up(connection: Connection) -> None:
    """Follow the last sync of a live connection, unless that was done; nothing is delivered."""
    run = get_unfollowed_sync(connection, before=timezone.now())
    if run is not None:
        follow_mirror(run)


def get_unfollowed_sync(connection: Connection, *, before: datetime) -> SyncRun | None:
    """Return the last sync that read to its end before then, where the senders have not followed it; or None."""
    if connection.state != ConnectionState.ACTIVE:
        return None
    run = connection.sync_runs.filter(state__in=READ_TO_END, finished_at__lte=before).first()
    following = Following.objects.filter(connection=connection).first()
    until = following.senders_until if following else None
    is_unfollowed = run is not None and run.started_at and (until is None or until < run.started_at)
    return run if is_unfollowed else None
