"""Exposition: writes the metrics as Prometheus reads them. Nothing is counted in this process's own registry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from prometheus_client import generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)
from prometheus_client.registry import Collector

from portal.counters import BUCKETS, Labels, Sums

from .catalogue import METRICS, Metric, Rows


def write_metrics() -> bytes:
    """Return every metric in Prometheus' text format. Raises: the database's errors, where it does not answer."""
    return generate_latest(_RowCollector())


class _RowCollector(Collector):
    def collect(self) -> Iterator[Family]:
        rows = Rows()
        for metric in METRICS:
            yield _make_histogram(metric, rows) if metric.kind == "histogram" else _make_family(metric, rows)


def _make_family(metric: Metric, rows: Rows) -> Family:
    make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = make(metric.name, metric.help, labels=metric.labels)
    sums = rows.sums.get(metric.name, {}) if metric.read is None else metric.read(rows)
    for labels, value in sorted(sums.items()):
        family.add_metric(labels, value)
    return family


def _make_histogram(metric: Metric, rows: Rows) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    counted: dict[Labels, Sums] = defaultdict(dict)
    for (*labels, bound), number in rows.sums.get(f"{metric.name}_bucket", {}).items():
        counted[tuple(labels)][bound,] = number
    seconds = rows.sums.get(f"{metric.name}_sum", {})
    for found, numbers in sorted(counted.items()):
        buckets, total = [], 0.0
        for bound in BUCKETS:
            total += numbers.get((bound,), 0)
            buckets.append((bound, total))
        family.add_metric(found, buckets, sum_value=seconds.get(found, 0))
    return family
