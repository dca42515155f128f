"""Reading /metrics as Prometheus does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from portal.counters import COUNTERS
from portal.metrics.catalogue import METRICS

TOKEN = "prometheus-" + "t" * 32
Samples = Mapping[str, Mapping[tuple[str, ...], float]]


def read_metrics() -> Samples:
    """Return what /metrics answers where METRICS_TOKEN is TOKEN: sample name -> (label values -> value)."""
    COUNTERS.flush()
    response = Client().get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(response.content.decode()):
        labels = next((each.labels for each in METRICS if each.name.startswith(family.name)), ())
        for sample in family.samples:
            key = tuple(sample.labels[name] for name in (*labels, "le") if name in sample.labels)
            found.setdefault(sample.name, {})[key] = sample.value
    return found


def count_statements(read: Callable[[], Any]) -> int:
    """Return how many statements it asks the database."""
    with CaptureQueriesContext(database) as asked:
        read()
    return len(asked)


@contextmanager
def acting_before_statement(number: int, act: Callable[[], None]) -> Iterator[Callable[[], int]]:
    """Act once within the block, before the statement of this number, from 0; yield how many there were beside it."""
    asked, is_acting = 0, False

    def watch(execute: Any, *statement: Any) -> Any:
        nonlocal asked, is_acting
        if not is_acting:
            asked += 1
            if asked == number + 1:
                is_acting = True
                act()
                is_acting = False
        return execute(*statement)

    with database.execute_wrapper(watch):
        yield lambda: asked
