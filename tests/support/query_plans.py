"""Query plans: what PostgreSQL would do for each statement, and which of that reads a large table whole."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

LARGE = 50_000  # rows of a table that no page and no task may read whole


class PlanWatch:
    """Explains statements before they run. findings: what reads or sorts a large table whole, with its statement."""

    def __init__(self) -> None:
        self.findings: list[str] = []
        self.statements = 0
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT relname, reltuples FROM pg_class WHERE relkind = 'r' AND reltuples >= %s", [LARGE]
            )
            self.large: dict[str, float] = dict(cursor.fetchall())
        self._is_explaining = False

    @contextmanager
    def watching(self, where: str) -> Iterator[None]:
        """Explain what runs in the block. where: names the findings."""
        self._where = where
        with connection.execute_wrapper(self._explain):
            yield

    def _explain(self, execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        verbs = ("SELECT", "UPDATE", "DELETE", "INSERT")
        if not self._is_explaining and not many and str(sql).lstrip("( ").startswith(verbs):
            self._is_explaining = True
            try:
                with connection.cursor() as cursor:
                    cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
                    found = cursor.fetchone()[0]
            finally:
                self._is_explaining = False
            plan = json.loads(found) if isinstance(found, str) else found
            self.statements += 1
            wrong = (f"{self._where}: {each} in {sql}" for each in self._judge(plan[0]["Plan"], math.inf))
            self.findings += [each for each in wrong if each not in self.findings]
        return execute(sql, params, many, context)

    def _judge(self, step: dict[str, Any], cost: float) -> Iterator[str]:
        """Yield what is wrong with a step and those below it. cost: of the cheapest step above it, and this one."""
        kind, table, below = step["Node Type"], step.get("Relation Name"), step.get("Plans", [])
        cost = min(cost, step["Total Cost"])
        least = max(step["Total Cost"] / 2, self._get_least_cost(table))
        if table in self.large and _is_unbounded(step) and cost > least:
            yield f"{kind} of all {table}"
        if kind == "Sort" and below[0]["Plan Rows"] > self._get_most_sorted(step):
            yield f"sort of {below[0]['Plan Rows']} rows by {', '.join(step['Sort Key'])}"
        for each in below:
            yield from self._judge(each, cost)

    def _get_least_cost(self, table: str | None) -> float:
        """Return what it costs at least to look at half of a table's rows; a partial index has fewer."""
        return self.large.get(table or "", 0) / 2 * 0.005  # PostgreSQL's cpu_index_tuple_cost

    def _get_most_sorted(self, step: dict[str, Any]) -> float:
        """Return a tenth of the rows of the smallest large table below a step; any number where there is none."""
        own = self.large.get(step.get("Relation Name", ""), math.inf) / 10
        return min([own, *map(self._get_most_sorted, step.get("Plans", []))])


def _is_unbounded(step: dict[str, Any]) -> bool:
    """Return whether a scan has no condition that says where in the table it begins and ends."""
    is_scan = step["Node Type"].endswith("Scan") and step["Node Type"] != "Bitmap Heap Scan"
    return is_scan and not {"Index Cond", "TID Cond"} & step.keys()
