"""Delivery retention: removes old runs, rows and signature texts, except those that other modules still read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from integrations.models import ConnectionState
from portal.batches import BATCH, get_days, get_limit
from signatures.models import (
    AUTOMATIC,
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    DeliveryState,
    LeftAlone,
    MailboxState,
    Placement,
    SignatureHtml,
)

from .totals import FINISHED, keep_totals, total_ended

DELIVERS = Q(run__kind=DeliveryRun.Kind.DELIVER)

NEEDED = (
    # `mailbox_status`: how the last attempt went, over each connection.
    (("run__connection", "mailbox_remote_id"), DELIVERS & ~Q(state=DeliveryState.SKIPPED)),
    # `placements.was_written_by_us`: the last write that was tried.
    (("run__domain", "mailbox_remote_id"), DELIVERS & ~Q(rendered_sha256="")),
    # `past_signatures`: the last write that was confirmed.
    (("run__domain", "mailbox_remote_id"), DELIVERS & Q(state=DeliveryState.DELIVERED)),
    # `restore`: who owned the mailbox, where the mirror no longer has it.
    (("run__domain", "mailbox_remote_id"), ~Q(person_remote_id="")),
)
"""Which rows stay: of each mailbox, the newest row of a finished run that fits. The comments name who reads it."""

NAMED: tuple[tuple[QuerySet[Any], str, tuple[str, ...]], ...] = (
    (Placement.objects.all(), "domain", ("rendered_sha256", "returned_sha256")),
    (
        Delivery.objects.all(),
        "run__domain",
        ("rendered_sha256", "found_sha256", "returned_sha256", "read_back_sha256", "target_sha256"),
    ),
    (MailboxState.objects.all(), "domain", ("rendered_sha256", "attempt_sha256")),
    (LeftAlone.objects.all(), "domain", ("held_sha256",)),
)
"""Where kept texts are used: rows, the column of their domain, and the columns of digests."""

MOST_TEXTS = 50_000  # of one query: about 10 MB
MOST_ROWS = 5_000


def remove_old_deliveries(*, writes: bool = True) -> dict[str, int]:
    """Return how many runs and rows were removed, or without `writes` would be.

    Originals and placements always stay. Runs that ended are totalled first.
    """
    if writes:
        total_ended()
    old = get_old_runs()
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
    runs_removed = _remove_runs(sorted(ids)) if writes else len(ids)
    return {
        "delivery rows": removed,
        "deliveries": runs_removed,
        "signature texts": _remove_texts(writes=writes),
    }


def get_old_rows() -> QuerySet[Delivery]:
    """Return the rows of old runs: what goes at most, as those that are still needed stay."""
    return Delivery.objects.filter(run__in=get_old_runs())


def _remove_texts(*, writes: bool) -> int:
    """Return how many texts that nothing uses any more were removed.

    Rows are read once for each MOST_TEXTS of them.
    """
    # A text is kept before the row that names it is stored, in the same transaction or just before it.
    old = SignatureHtml.objects.filter(kept_at__lt=timezone.now() - timedelta(days=1)).order_by("pk")
    removed = last = 0
    while chunk := list(old.filter(pk__gt=last).values_list("pk", "domain_id", "sha256")[:MOST_TEXTS]):
        last = chunk[-1][0]
        unnamed = {(domain_id, sha256): pk for pk, domain_id, sha256 in chunk}
        for rows, domain, columns in NAMED:
            for domain_id, *digests in _iterate(rows, domain, columns):
                for sha256 in digests:
                    unnamed.pop((domain_id, sha256), None)
        removed += len(unnamed)
        if writes:
            ids = list(unnamed.values())
            for start in range(0, len(ids), BATCH):
                SignatureHtml.objects.filter(pk__in=ids[start : start + BATCH]).delete()
    return removed


def _iterate(rows: QuerySet[Any], domain: str, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    last = None
    while chunk := list(
        (rows if last is None else rows.filter(pk__gt=last))
        .order_by("pk")
        .values_list("pk", domain, *columns)[:MOST_ROWS]
    ):
        last = chunk[-1][0]
        yield from (row[1:] for row in chunk)


def get_kept_days(run: DeliveryRun) -> int | None:
    """Return for how many days a run's rows are kept, where that time is over for this one; None where it is not."""
    limit = get_limit(settings.DELIVERY_KEEP_DAYS)
    is_over = run.is_finished and run.finished_at is not None and run.finished_at < limit
    return get_days(settings.DELIVERY_KEEP_DAYS) if is_over else None


def get_old_runs() -> QuerySet[DeliveryRun]:
    """Return finished runs whose time is over."""
    limit = get_limit(settings.DELIVERY_KEEP_DAYS)
    runs = DeliveryRun.objects.filter(state__in=FINISHED, finished_at__lt=limit)
    # A disconnect that has not ended continues from the outcomes of its restore.
    return runs.exclude(connection__state=ConnectionState.DISCONNECTING)


def _get_whole_runs() -> list[int]:
    """Return the last restore of each connection: what it left behind is shown after the disconnect, too."""
    restores = DeliveryRun.objects.filter(kind=DeliveryRun.Kind.RESTORE).order_by()
    return list(restores.values("connection").annotate(last=Max("pk")).values_list("last", flat=True))


def _get_last_runs() -> set[int]:
    """Return the last of each kind and state, and the last that a person completed, which automatic delivery needs."""
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
    """Return the ids of rows that stay.

    A run under way does not count: a plan that is dropped takes its rows along.
    """
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
        runs = DeliveryRun.objects.filter(pk__in=list(empty.values_list("pk", flat=True)))
        with transaction.atomic():
            keep_totals(runs)
            removed += runs.delete()[0]
    return removed
