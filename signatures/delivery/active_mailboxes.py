"""Active mailboxes: keeps a mailbox in at most one started run, from its start until it has an outcome."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import F, QuerySet, Value
from django.db.models.functions import Concat

from integrations.models import Connection
from signatures.models import (
    AUTOMATIC,
    UNFINISHED_DELIVERY,
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    DeliveryState,
)


def activate(run: DeliveryRun, rows: QuerySet[Delivery]) -> int:
    """Reserve the mailboxes of these rows for their run; return how many.

    Raises: IntegrityError, where another run has one of them.
    """
    prefix = f"{run.domain_id}:{run.connection.account_key}:"
    return rows.update(active_key=Concat(Value(prefix), F("mailbox_remote_id")))


def activate_planned(run: DeliveryRun) -> int:
    """Do the same for every mailbox that the run has to write."""
    return activate(run, run.deliveries.filter(state=DeliveryState.PLANNED))


def list_other_runs(run: DeliveryRun) -> list[int]:
    """Return the ids of the domain's other runs that are started and not over.

    Halted runs count only for an automatic delivery: one that a person starts replaces them.
    """
    states = list(UNFINISHED_DELIVERY)
    if run.started_by_label == AUTOMATIC:
        states.append(DeliveryRunState.HALTED)
    others = DeliveryRun.objects.filter(domain=run.domain_id, state__in=states)
    return list(others.exclude(pk=run.pk).values_list("pk", flat=True))


def list_active(connection: Connection) -> QuerySet[Delivery]:
    """Return the rows of open runs, also of halted ones, whose mailboxes nothing else writes until they are settled."""
    return Delivery.objects.filter(run__connection=connection).exclude(active_key=None)


def find_other_runs(connection: Connection, run_ids: Iterable[int], ids: Iterable[str]) -> dict[str, int]:
    """Return mailbox id -> which of these runs still has to write it."""
    active = Delivery.objects.filter(
        run__in=list(run_ids), run__connection=connection, mailbox_remote_id__in=list(ids)
    )
    return dict(active.exclude(active_key=None).values_list("mailbox_remote_id", "run"))


def describe_conflict(run: DeliveryRun) -> str:
    """Return which run has mailboxes of this one, as a sentence, and what to do."""
    planned = run.deliveries.filter(state=DeliveryState.PLANNED).values("mailbox_remote_id")
    active = Delivery.objects.filter(run__domain=run.domain_id, mailbox_remote_id__in=planned)
    active = active.exclude(active_key=None).exclude(run=run)
    other = active.select_related("run").order_by("run").first()
    if other is None:
        return "Another delivery had some of these mailboxes until a moment ago. Try again."
    number = active.filter(run=other.run_id).count()
    which = "1 of these mailboxes is" if number == 1 else f"{number:,} of these mailboxes are"
    return (
        f"{which} in {other.run.job_label}, which is running already. "
        "Wait until it has ended, or plan again: the plan then leaves them out."
    )
