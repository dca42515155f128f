"""Reading /metrics as Prometheus does."""

from __future__ import annotations

from collections.abc import Mapping

from django.test import Client
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
