"""The dashboard and the alert rules name metrics and labels that /metrics exports, and no others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from integrations.connection.call_budget import BACKGROUND_SHARE_PERCENT
from portal.metrics.catalogue import METRICS
from tests.support.installation import ROOT

DASHBOARD = json.loads((ROOT / "deploy/grafana/countersign.json").read_text())
RULES = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
SUFFIXES = ("_bucket", "_sum", "_count")
LABELS = {
    f"{metric.name}{suffix}": {*metric.labels, *(["le"] if suffix == "_bucket" else [])}
    for metric in METRICS
    for suffix in (SUFFIXES if metric.kind == "histogram" else ("",))
}


def find_queries(node: Any) -> Iterator[str]:
    """Return every expression of a dashboard, those of its variables included."""
    if isinstance(node, dict):
        yield from (node[key] for key in ("expr", "query", "definition") if isinstance(node.get(key), str))
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from find_queries(each)


QUERIES = {
    "dashboard": [query for query in find_queries(DASHBOARD) if query != "prometheus"],
    "alerts": [rule["expr"] for rule in RULES],
}


@pytest.mark.parametrize("file", QUERIES)
def test_every_query_names_metrics_and_labels_that_are_exported(file):
    assert len(QUERIES[file]) > 10
    for query in QUERIES[file]:
        used = re.findall(r"\b(countersign_\w+)(?:\{([^}]*)\})?", query)
        assert used or query.startswith("up{"), query
        for name, selector in used:
            assert name in LABELS, (name, query)
            assert set(re.findall(r"(\w+)(?==|!)", re.sub(r'"[^"]*"', "", selector))) <= LABELS[name], query


def test_rates_are_taken_of_counters_alone():
    counters = {name for name in LABELS if name.endswith(("_total", *SUFFIXES))}

    for query in (*QUERIES["dashboard"], *QUERIES["alerts"]):
        assert set(re.findall(r"(?:rate|increase)\((\w+)", query)) <= counters, query


def test_the_dashboard_shows_every_metric_but_the_version():
    shown = set(re.findall(r"countersign_\w+", " ".join(QUERIES["dashboard"])))

    names = {metric.name for metric in METRICS} - {
        "countersign_build_info",
        "countersign_outreach_calls_used",
    }
    assert {name for name in names if not any(one.startswith(name) for one in shown)} == set()
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_every_alert_says_what_to_know_and_how_urgent_it_is():
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["annotations"]["summary"].endswith("."), rule
        assert rule["labels"]["severity"] in ("page", "ticket"), rule


def test_a_sync_of_a_domain_that_is_no_longer_connected_is_not_called_old():
    (rule,) = [rule for rule in RULES if "last_success" in rule["expr"]]

    assert 'and on (domain) countersign_connections{state="connected"}' in rule["expr"]


def test_calls_are_low_where_background_work_begins_to_wait():
    (rule,) = [rule for rule in RULES if rule["alert"] == "CountersignCallsLow"]
    (bound,) = re.findall(r"< (0\.\d+)", rule["expr"])

    assert 0 < 100 * float(bound) - (100 - BACKGROUND_SHARE_PERCENT) < 2
