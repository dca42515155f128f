"""Fixtures of metrics: their token, and a reader of them where nothing was counted before."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from portal.counters import COUNTERS
from tests.support.metrics import TOKEN, Samples, read_metrics


@pytest.fixture
def token(settings) -> str:
    settings.METRICS_TOKEN = TOKEN
    return TOKEN


@pytest.fixture
def read(db, token: str, monkeypatch) -> Callable[[], Samples]:
    """Return a function that reads /metrics: sample name -> (label values -> value). Nothing was counted before."""
    monkeypatch.setattr(COUNTERS, "_added", {})
    return read_metrics
