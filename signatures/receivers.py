"""What the door announces wakes work here; the work itself is in `tasks` and below."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver
from django.urls import reverse

from integrations.connection.notices import Trouble
from integrations.disconnect.restoration import LeftBehind, Restoration
from integrations.models import Connection, NoticeKind, SyncRun
from integrations.signals import (
    connection_lost,
    directory_synced,
    disconnect_requested,
    following_asked,
    left_behind_asked,
    restoration_asked,
    restoring_given_up,
    troubles_asked,
)
from portal.background import enqueue
from signatures.delivery.after_sync import catch_up
from signatures.delivery.restore_report import describe_restore, give_up_restoring, list_left
from signatures.delivery.runs import IDLE, get_leaving_run, give_up

from .models import DeliveryRun, DeliveryRunState


@receiver(directory_synced, dispatch_uid="signatures.follow_sync")
def follow_sync(run: SyncRun, **kwargs: Any) -> None:
    """Senders follow, once the sync is committed."""
    enqueue("signatures.tasks.follow_sync", run_id=run.pk)


@receiver(following_asked, dispatch_uid="signatures.catch_up")
def catch_up_now(connection: Connection, **kwargs: Any) -> None:
    """Senders follow before this returns; an automatic delivery is left to the worker's `follow_sync`."""
    catch_up(connection)


@receiver(disconnect_requested, dispatch_uid="signatures.delivery.restore")
def restore_originals(connection: Connection, **kwargs: Any) -> None:
    """The originals go back, once the request is committed."""
    enqueue("signatures.tasks.restore_signatures", connection_id=str(connection.pk))


@receiver(connection_lost, dispatch_uid="signatures.skip_queued")
def skip_queued_deliveries(connection: Connection, **kwargs: Any) -> None:
    """What was queued for a connection that is over ends as skipped."""
    queued = DeliveryRun.objects.filter(connection=connection, state__in=IDLE)
    give_up(list(queued.values_list("pk", flat=True)), connection.state_reason)


@receiver(restoring_given_up, dispatch_uid="signatures.give_up_restoring")
def leave_originals(connection: Connection, by_label: str, **kwargs: Any) -> int | None:
    """A person leaves what was not given back as it is; tell the door how many mailboxes that are."""
    return give_up_restoring(connection, by_label=by_label)


@receiver(restoration_asked, dispatch_uid="signatures.delivery.restore_report")
def answer_restoration(connection: Connection, **kwargs: Any) -> Restoration:
    """Tell the door what leaving would do to mailboxes, and how far it has done it."""
    return describe_restore(connection)


@receiver(left_behind_asked, dispatch_uid="signatures.left_behind")
def answer_left_behind(connection: Connection, **kwargs: Any) -> list[LeftBehind]:
    """Tell the door which mailboxes did not get their original back."""
    return list_left(connection)


@receiver(troubles_asked, dispatch_uid="signatures.troubles")
def answer_troubles(connection: Connection, **kwargs: Any) -> list[Trouble]:
    """Tell the door of a delivery or a restore that stopped and asks somebody."""
    halted = DeliveryRun.objects.filter(connection=connection, state=DeliveryRunState.HALTED).first()
    if halted is None:
        return []
    what_to_do = "Look at what was refused on the page of the delivery, then go on with it or end it there."
    if halted == get_leaving_run(connection):
        what_to_do = (
            "Outreach stays connected until somebody decides: continue on the page of the restore, "
            "or leave the mailboxes as they are on the Outreach page."
        )
    return [
        Trouble(
            NoticeKind.HALTED,
            halted.cause or "A delivery stopped because too many mailboxes refused theirs.",
            what_to_do,
            reverse("signatures:delivery_run", args=[connection.domain.name, halted.pk]),
        )
    ]
