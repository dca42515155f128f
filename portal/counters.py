"""Counters: sums of what has no row of its own, added in memory and kept in rows that all processes share.

Adding is one dictionary entry, so that serving a banner takes no longer for it. A process stores what it added every
ten seconds (a web process in `signatures.serving.refresher`) and when it ends; one that is killed loses that much.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from django.db import Error as DatabaseFailure
from django.db import close_old_connections, transaction
from django.db.models import Aggregate, QuerySet, TextField, Value
from django.db.models.functions import Cast, JSONArray

from .db import upsert_rows
from .models import MetricSum

logger = logging.getLogger(__name__)

STORED_EVERY_SECONDS = 10.0
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of a histogram's buckets, in seconds."""
BUCKETS = (*(str(bound) for bound in BOUNDS), "+Inf")

Labels = tuple[str, ...]
Sums = dict[Labels, float]
"""Label values, in the metric's order -> sum."""
Fresh = QuerySet[Any, tuple[str, str, float]]
"""Sums of rows that no kept sum contains: metric, labels and number, as a row of MetricSum has them."""


class Counters:
    """What one process added since it last stored its sums. Safe to use from several threads."""

    def __init__(self) -> None:
        self._added: dict[tuple[str, Labels], float] = {}
        self._adding = threading.Lock()
        self._stored_at = 0.0

    def add(self, metric: str, *labels: str, number: float = 1) -> None:
        """Add to the counter `metric`."""
        key = (metric, labels)
        with self._adding:
            self._added[key] = self._added.get(key, 0) + number

    def observe(self, metric: str, *labels: str, seconds: float) -> None:
        """Add one duration to the histogram `metric`."""
        self.add(f"{metric}_bucket", *labels, BUCKETS[bisect_left(BOUNDS, seconds)])
        self.add(f"{metric}_sum", *labels, number=seconds)

    def flush_if_due(self) -> None:
        """Store what was added, every STORED_EVERY_SECONDS at most."""
        if time.monotonic() - self._stored_at >= STORED_EVERY_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Store what was added. Where the database is away, it stays in memory and the error is raised."""
        with self._adding:
            added, self._added = self._added, {}
            self._stored_at = time.monotonic()
        try:
            _store(added)
        except BaseException:
            for (metric, labels), number in added.items():
                self.add(metric, *labels, number=number)
            raise

    def flush_at_end(self) -> None:
        """Store what was added, when the process ends. Where the database is away, it is lost."""
        close_old_connections()
        try:
            self.flush()
        except DatabaseFailure as error:
            logger.warning("The last counts of this process are lost: %s.", type(error).__name__)


COUNTERS = Counters()


def add_sums(sums: Mapping[str, Sums]) -> None:
    """Store these numbers, by metric, on top of what the counters hold. Runs in the caller's transaction."""
    _store({(metric, labels): number for metric, each in sums.items() for labels, number in each.items()})


def _store(added: Mapping[tuple[str, Labels], float]) -> None:
    if not added:
        return
    # In one order, so that two processes never wait for each other's rows.
    rows = sorted(
        (metric, json.dumps(labels), number) for (metric, labels), number in added.items() if number
    )
    with transaction.atomic():
        upsert_rows(
            MetricSum,
            unique=("metric", "labels"),
            columns=("metric", "labels", "value"),
            rows=rows,
            merge={"value": "old.value + EXCLUDED.value"},
        )


def sum_fresh(metric: str, rows: QuerySet[Any], *labels: Any, number: Aggregate) -> Fresh:
    """Return the rows' numbers by these labels, which are fields or expressions."""
    named = rows.order_by().annotate(labels=Cast(JSONArray(*labels), TextField()))
    return named.values_list(Value(metric), "labels").annotate(number=number)


def keep_sums(*fresh: Fresh) -> None:
    """Store these on top of what the counters hold. Runs in the caller's transaction, which marks the rows."""
    add_sums(_collect(chain.from_iterable(fresh)))


def read_sums(*fresh: Fresh) -> Mapping[str, Sums]:
    """Return the sums of all counters by metric, these added.

    All are read in one statement: what is kept meanwhile is counted once.
    """
    kept = MetricSum.objects.order_by().values_list("metric", "labels", "value")
    return _collect(kept.union(*fresh, all=True))


def _collect(rows: Iterable[tuple[str, str, float]]) -> Mapping[str, Sums]:
    found: defaultdict[str, Sums] = defaultdict(dict)
    for metric, written, number in rows:
        labels = tuple(json.loads(written))
        found[metric][labels] = found[metric].get(labels, 0) + number
    return found
