"""Followers: updates groups and senders to the last sync before a command works, as no worker may run."""

from __future__ import annotations

from django.core.management.base import CommandError

from integrations.connection.lifecycle import get_connection
from integrations.models import Connection
from portal.command_endings import GoesOnLater
from portal.models import Domain
from signatures.delivery.after_sync import catch_up
from signatures.models import UNFINISHED_DELIVERY, DeliveryRun, DeliveryRunState, Sender


def follow_last_sync(domain: Domain) -> Connection | None:
    """Update senders to the last sync; return the connection, None where the domain has none."""
    connection = get_connection(domain)
    if connection is not None:
        catch_up(connection)
    return connection


def require_senders(connection: Connection) -> None:
    """Raise CommandError where the domain has no senders."""
    if not Sender.objects.filter(person__connection=connection).exists():
        domain = connection.domain
        raise CommandError(
            f"{domain} has no senders: no sync has read people from Outreach yet. "
            f"Run `syncdirectory --domain {domain}` and check its output."
        )


def require_complete(run: DeliveryRun) -> None:
    """Raise GoesOnLater where the run has not ended; CommandError where it ended incomplete."""
    if run.state in UNFINISHED_DELIVERY:
        what = "The restore" if run.kind == DeliveryRun.Kind.RESTORE else "The delivery"
        waits = run.state == DeliveryRunState.WAITING
        raise GoesOnLater(what, run.cause, at=run.resume_at, waits=waits)
    if run.state != DeliveryRunState.COMPLETE:
        raise CommandError(f"{run.get_state_display()}. {run.cause}".strip())
