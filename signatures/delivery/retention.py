"""Delivery retention: removes old runs and rows, except what tells how a mailbox got its signature."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from django.conf import settings
from django.db.models import Max, Q, QuerySet

from integrations.models import ConnectionState
from portal.batches import BATCH, get_days, get_limit
from signatures.models import AUTOMATIC, Delivery, DeliveryRun, DeliveryRunState, DeliveryState

FINISHED = (DeliveryRunState.COMPLETE, DeliveryRunState.FAILED, DeliveryRunState.SKIPPED)
DELIVERS = Q(run__kind=DeliveryRun.Kind.DELIVER)

NEEDED = (
    # `mailbox_status`: how the last attempt went, over each connection.
    (("run__connection", "mailbox_remote_id"), DELIVERS & ~Q(state=DeliveryState.SKIPPED)),
    # `placements.was_written_by_us`: the last write that was tried.
    (("run__domain", "mailbox_remote_id"), DELIVERS & ~Q(rendered_sha256="")),
    # The last write that was confirmed, for whoever asks what a mailbox got from us.
    (("run__domain", "mailbox_remote_id"), DELIVERS & Q(state=DeliveryState.DELIVERED)),
    # `restore`: whose mailbox it was, where the mirror does not know it any more.
    (("run__domain", "mailbox_remote_id"), ~Q(person_remote_id="")),
)
"""Of each mailbox, the newest row of a finished run that fits: what somebody still asks, in which module."""


def remove_old_deliveries(*, writes: bool = True) -> dict[str, int]:
    """Return how many runs and rows went, or without `writes` would go. Originals and placements always stay."""
    old = _get_old_runs()
    thinned = old.exclude(pk__in=_get_whole_runs())
    held: set[int] = set()
    removed = 0
    for rows in _in_chunks(Delivery.objects.filter(run__in=thinned)):
        needed = _get_needed({mailbox_id for _, _, mailbox_id in rows})
        held.update(run_id for pk, run_id, _ in rows if pk in needed)
        going = [pk for pk, _, _ in rows if pk not in needed]
        removed += len(going)
        if writes:
            Delivery.objects.filter(pk__in=going).delete()
    ids = set(thinned.values_list("pk", flat=True)) - _get_last_runs() - held
    return {"delivery rows": removed, "deliveries": _remove_runs(sorted(ids)) if writes else len(ids)}


def get_kept_days(run: DeliveryRun) -> int | None:
    """Return for how many days a run's rows are kept, where that time is over for this one; None where it is not."""
    limit = get_limit(settings.DELIVERY_KEEP_DAYS)
    is_over = run.is_finished and run.finished_at is not None and run.finished_at < limit
    return get_days(settings.DELIVERY_KEEP_DAYS) if is_over else None


def _get_old_runs() -> QuerySet[DeliveryRun]:
    limit = get_limit(settings.DELIVERY_KEEP_DAYS)
    runs = DeliveryRun.objects.filter(state__in=FINISHED, finished_at__lt=limit)
    # What a restore settled decides how a disconnect goes on until that has ended.
    return runs.exclude(connection__state=ConnectionState.DISCONNECTING)


def _get_whole_runs() -> list[int]:
    """Return the last restore of each connection: what it left behind is shown after the disconnect, too."""
    restores = DeliveryRun.objects.filter(kind=DeliveryRun.Kind.RESTORE).order_by()
    return list(restores.values("connection").annotate(last=Max("pk")).values_list("last", flat=True))


def _get_last_runs() -> set[int]:
    """Return the last of each kind and state, and the last that a person completed: automatic ones hang on it."""
    runs = DeliveryRun.objects.order_by()
    last = runs.values("connection", "kind", "state").annotate(last=Max("pk"))
    by_person = runs.filter(kind=DeliveryRun.Kind.DELIVER, state=DeliveryRunState.COMPLETE).exclude(
        started_by_label=AUTOMATIC
    )
    completed = by_person.values("connection").annotate(last=Max("pk"))
    return {row["last"] for row in (*last, *completed)}


def _in_chunks(rows: QuerySet[Delivery]) -> Iterator[list[tuple[int, int, str]]]:
    last = 0
    while chunk := list(
        rows.filter(pk__gt=last).order_by("pk").values_list("pk", "run_id", "mailbox_remote_id")[:BATCH]
    ):
        yield chunk
        last = chunk[-1][0]


def _get_needed(mailbox_ids: Collection[str]) -> set[int]:
    """Return the ids of rows that stay. A run under way does not count: a plan that is dropped takes its rows along."""
    rows = Delivery.objects.filter(mailbox_remote_id__in=mailbox_ids, run__state__in=FINISHED).order_by()
    return {
        pk
        for columns, fits in NEEDED
        for pk in rows.filter(fits).values(*columns).annotate(last=Max("pk")).values_list("last", flat=True)
    }


def _remove_runs(ids: list[int]) -> int:
    removed = 0
    for start in range(0, len(ids), BATCH):
        empty = DeliveryRun.objects.filter(pk__in=ids[start : start + BATCH], deliveries=None)
        removed += DeliveryRun.objects.filter(pk__in=list(empty.values_list("pk", flat=True))).delete()[0]
    return removed
