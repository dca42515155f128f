"""Reading /metrics as Prometheus does."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from portal.counters import COUNTERS
from portal.metrics.catalogue import METRICS

TOKEN = "prometheus-" + "t" * 32
Samples = Mapping[str, Mapping[tuple[str, ...], float]]


@pytest.fixture
def token(settings) -> str:
    settings.METRICS_TOKEN = TOKEN
    return TOKEN


@pytest.fixture
def read(db, token: str, monkeypatch) -> Callable[[], Samples]:
    """Return a function that reads /metrics: sample name -> (label values -> value). Nothing was counted before."""
    monkeypatch.setattr(COUNTERS, "_added", {})

    def reads() -> Samples:
        COUNTERS.flush()
        response = Client().get("/metrics", headers={"authorization": f"Bearer {token}"})
        assert response.status_code == 200
        found: dict[str, dict[tuple[str, ...], float]] = {}
        for family in text_string_to_metric_families(response.content.decode()):
            labels = next((each.labels for each in METRICS if each.name.startswith(family.name)), ())
            for sample in family.samples:
                key = tuple(sample.labels[name] for name in (*labels, "le") if name in sample.labels)
                found.setdefault(sample.name, {})[key] = sample.value
        return found

    return reads
