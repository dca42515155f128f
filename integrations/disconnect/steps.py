"""Steps of a disconnect: restore, revoke, erase; each is recorded when done, so that a killed process resumes.

Two things end the first step, and nothing else: a restore that is complete, or a person who leaves what is
left as it is and says how many mailboxes that are.

Between revoking and erasing one call is made with the revoked token, and its outcome is on the receipt. It
is the last: once the erasure is committed, nothing here could call, and nothing does.
"""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from integrations.catalogue import get_provider
from integrations.connection.state import set_state
from integrations.connection.tokens import WATCH_SECONDS, is_being_renewed
from integrations.crypto.sealing import Unsealable, open_sealed
from integrations.errors import IntegrationError, RateLimited, Unreachable
from integrations.ledger.record import CallCollector, record_act
from integrations.models import Connection, ConnectionState, DisconnectStep, Mode
from integrations.signals import disconnect_requested, revoking_due
from integrations.signature_service import get_signature_service
from integrations.sync.runs import count_unfinished
from portal.leases import Lease, LeaseLost, is_free

from .receipts import Afterwards, write_receipt

LEASE = timedelta(seconds=120)  # longer than either of the two calls of a disconnect can take
LEASE_COLUMN = "disconnect_lease_until"
REVOKE_FOR = timedelta(minutes=5)  # then the access is erased here, and the page says what to do there
RETRY_AFTER = timedelta(seconds=30)
SEEN_AFTER_SECONDS = WATCH_SECONDS + 0.5


class DisconnectRefused(Exception):
    """Leaving cannot start; the words say why."""


def request_disconnect(connection: Connection, *, restores: bool, actor: str) -> Connection:
    """Start the disconnect: no new work starts, and the steps follow in the background.

    restores: restore the original of each mailbox that still holds our last write first.
    Raises DisconnectRefused where it is over already, or where nothing can be restored and something is.
    """
    can_restore = restores and connection.state in (ConnectionState.ACTIVE, ConnectionState.MISCONFIGURED)
    placed = get_signature_service().describe_restore(connection).total
    if restores and placed and connection.state == ConnectionState.LOST:
        raise DisconnectRefused(
            "Outreach no longer accepts our access, so no original can be restored. "
            "Connect again first, or disconnect without restoring."
        )
    with transaction.atomic():
        touched = (
            Connection.objects.filter(pk=connection.pk)
            .exclude(state__in=[ConnectionState.DISCONNECTED, ConnectionState.DISCONNECTING])
            .update(
                state=ConnectionState.DISCONNECTING,
                state_reason="",
                state_changed_at=timezone.now(),
                disconnect_requested_at=timezone.now(),
                disconnect_restores=can_restore,
                disconnect_step=DisconnectStep.RESTORING if can_restore else DisconnectStep.REVOKING,
                disconnect_requested_by_label=actor,
                disconnect_lease_until=None,
            )
        )
        if not touched:
            raise DisconnectRefused("This connection is being disconnected already.")
        connection.refresh_from_db()
        record_act(
            "disconnect requested",
            domain=connection.domain,
            actor_label=actor,
            connection=connection,
            detail="originals are restored first"
            if can_restore
            else f"without restoring, {placed} mailboxes",
        )
    if can_restore:
        disconnect_requested.send(sender=Connection, connection=connection)
    else:
        revoking_due.send(sender=Connection, connection=connection)
    return connection


def leave_as_they_are(connection: Connection, *, number: int, actor: str) -> None:
    """Leave the mailboxes that were not restored as they are, and continue with revoking.

    number: how many mailboxes that are, as the person was shown.
    Raises DisconnectRefused, changing nothing, where it is another number by now or nobody is asked.
    """
    with transaction.atomic():
        left = get_signature_service().give_up_restoring(connection, actor=actor)
        if left is None:
            raise DisconnectRefused("Originals are being restored now. Reload this page in a minute.")
        if left != number:
            raise DisconnectRefused(
                f"The number of mailboxes is now {left}, not {number}. Nothing was changed; reload this page."
            )
        moved = Connection.objects.filter(
            pk=connection.pk, state=ConnectionState.DISCONNECTING, disconnect_step=DisconnectStep.RESTORING
        ).update(disconnect_step=DisconnectStep.REVOKING, state_changed_at=timezone.now())
        if not moved:
            raise DisconnectRefused("No decision is needed here any more. Nothing was changed.")
        record_act(
            "originals left",
            domain=connection.domain,
            connection=connection,
            actor_label=actor,
            detail=f"{number} mailboxes left as they are",
        )
    revoking_due.send(sender=Connection, connection=connection)


def finish_restoring(connection_id: UUID | str, *, restored: int, conflicts: int, failed: int) -> None:
    """Restoring is complete, as told by whoever did it; revoking is next. Twice is the same as once."""
    with transaction.atomic():
        moved = Connection.objects.filter(
            pk=connection_id, state=ConnectionState.DISCONNECTING, disconnect_step=DisconnectStep.RESTORING
        ).update(disconnect_step=DisconnectStep.REVOKING, state_changed_at=timezone.now())
        if not moved:
            return
        connection = Connection.objects.select_related("domain").get(pk=connection_id)
        record_act(
            "originals restored",
            domain=connection.domain,
            connection=connection,
            actor_label=connection.disconnect_requested_by_label,
            detail=f"{restored} restored, {conflicts} edited since and left, {failed} failed",
        )
    revoking_due.send(sender=Connection, connection=connection)


def continue_disconnect(connection_id: UUID | str) -> bool:
    """Revoke, then erase, as far as it goes now; returns whether the connection is over.

    Waits (False) while a sync of this connection still runs or its tokens are being renewed, and while
    Outreach cannot be asked.
    """
    now = timezone.now()
    is_revoking = Q(state=ConnectionState.DISCONNECTING, disconnect_step=DisconnectStep.REVOKING)
    due = is_revoking & is_free(LEASE_COLUMN)
    lease = Lease.take(Connection, connection_id, due, lasts=LEASE, column=LEASE_COLUMN)
    connection = Connection.objects.select_related("domain").get(pk=connection_id)
    if lease is None:
        return connection.state == ConnectionState.DISCONNECTED
    try:
        with lease.kept():
            return _revoke_and_erase(connection, lease, now)
    except LeaseLost:  # whoever was stuck for longer does not call: somebody else may have erased by now
        return False


def _revoke_and_erase(connection: Connection, lease: Lease, now: datetime) -> bool:
    """Return whether the connection is over. Raises LeaseLost."""
    if count_unfinished(connection) or is_being_renewed(connection):
        _try_again_soon(lease)
        return False
    # Whoever began a call a moment ago has seen by then that the connection is being disconnected, and begins no other.
    known_for = (now - connection.state_changed_at).total_seconds()
    time.sleep(min(max(0.0, SEEN_AFTER_SECONDS - known_for), SEEN_AFTER_SECONDS))
    confirmed = _revoke(connection)
    if confirmed is None and now - connection.state_changed_at < REVOKE_FOR:
        _try_again_soon(lease)
        return False
    lease.renew()
    afterwards = _call_afterwards(connection, confirmed)
    _erase(
        connection, confirmed=bool(confirmed), revocation=_say(connection, confirmed), afterwards=afterwards
    )
    return True


def _say(connection: Connection, confirmed: bool | None) -> str:
    """Return what became of the revocation, for the ledger and the receipt."""
    if not connection.refresh_sealed:
        return "not requested: no token was stored here any more"
    if confirmed is None:
        return "not confirmed by Outreach, which could not be reached for five minutes"
    return "confirmed by Outreach" if confirmed else "not confirmed by Outreach"


def _revoke(connection: Connection) -> bool | None:
    """Return whether Outreach confirmed; None where it could not be asked and another try makes sense."""
    if not connection.refresh_sealed:
        return False
    calls = CallCollector(connection, job="disconnect", actor_label=connection.disconnect_requested_by_label)
    try:
        token = open_sealed(connection.refresh_sealed, bound_to=f"{connection.pk}:refresh")
        return get_provider().revoke_token(token, record=calls)
    except (Unreachable, RateLimited):
        return None
    except (IntegrationError, Unsealable):
        return False
    finally:
        calls.flush()


def _call_afterwards(connection: Connection, confirmed: bool | None) -> Afterwards:
    """Return how Outreach answers one small read with the token it was just asked to revoke."""
    if not connection.access_sealed:
        return Afterwards(None, 0, "not made: no token was stored here any more")
    if confirmed is None:
        return Afterwards(None, 0, "not made: Outreach could not be reached to revoke it")
    scope = next(
        (name for name in get_provider().listing_scopes.values() if connection.has_scope(name)), None
    )
    if scope is None:
        return Afterwards(None, 0, "not made: no permission to read was granted and switched on")
    calls = CallCollector(connection, job="disconnect", actor_label=connection.disconnect_requested_by_label)
    at = timezone.now()
    try:
        token = open_sealed(connection.access_sealed, bound_to=f"{connection.pk}:access")
        status = get_provider().try_afterwards(token, scope=connection.name_scope(scope), record=calls)
    except Unsealable:
        return Afterwards(None, 0, "not made: the stored token could not be decrypted")
    finally:
        calls.flush()
    return Afterwards(at, status, _judge(status, connection.access_expires_at, at))


def _judge(status: int, expires_at: datetime | None, at: datetime) -> str:
    if status == 401:
        had_expired = expires_at is not None and expires_at <= at
        return "refused by Outreach" + (", though the token had also expired" if had_expired else "")
    if status == 0:
        return "Outreach did not confirm: no answer came"
    if status == 200:
        until = f" at {expires_at:%H:%M} UTC" if expires_at else " within two hours"
        return f"Outreach did not confirm: it still answered. The token is erased here and expires{until}"
    return f"Outreach did not confirm: it answered HTTP {status}"


def _erase(connection: Connection, *, confirmed: bool, revocation: str, afterwards: Afterwards) -> None:
    now = timezone.now()
    with transaction.atomic():
        if not set_state(connection, ConnectionState.DISCONNECTED, erase_tokens=True):
            return
        Connection.objects.filter(pk=connection.pk).update(
            disconnect_step=DisconnectStep.ERASED,
            disconnected_at=now,
            disconnect_lease_until=None,
            revocation_confirmed=confirmed,
            mode=Mode.DRY_RUN,
        )
        connection.refresh_from_db()
        write_receipt(connection, ended_at=now, revocation=revocation, afterwards=afterwards)
        record_act(
            "disconnected",
            domain=connection.domain,
            connection=connection,
            actor_label=connection.disconnect_requested_by_label,
            detail=f"access erased; revocation {revocation}; a call afterwards: {afterwards.verdict}",
        )


def _try_again_soon(lease: Lease) -> None:
    """Let the connection go until the sweep tries again; whoever took it over meanwhile keeps it."""
    with suppress(LeaseLost):
        lease.release(free_at=timezone.now() + RETRY_AFTER)
