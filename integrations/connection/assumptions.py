"""Assumptions: runs the check of what this code assumes about the provider, and keeps its reports."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.utils import timezone

from integrations.connector import Verdict
from integrations.ledger.record import record_act
from integrations.models import AssumptionReport, Connection

from .sessions import open_session

CALL_SECONDS = 20.0
KEPT_REPORTS = 10


def check_assumptions(connection: Connection, *, actor: str) -> AssumptionReport:
    """Return what at most ten reads showed; it is kept, the newest ten of a connection, and in the ledger.

    Each read is made once. Raises members of `integrations.errors` where the connection itself does not work.
    """
    now = timezone.now()
    with open_session(
        connection, job="assumptions", actor_label=actor, background=False, single_try_seconds=CALL_SECONDS
    ) as session:
        check = session.connector.check_assumptions(
            requested=connection.scopes_requested, granted=connection.scopes_granted, now=now
        )
    row = AssumptionReport.objects.create(
        connection=connection,
        created_at=now,
        actor_label=actor,
        findings=[asdict(finding) for finding in check.findings],
        report=check.report,
    )
    old = connection.assumption_reports.values_list("pk", flat=True)[KEPT_REPORTS:]
    AssumptionReport.objects.filter(pk__in=list(old)).delete()
    record_act(
        "assumptions checked",
        domain=connection.domain,
        connection=connection,
        actor_label=actor,
        job="assumptions",
        detail=describe(row.findings),
    )
    return row


def get_last_report(connection: Connection | None) -> AssumptionReport | None:
    return connection.assumption_reports.first() if connection else None


def describe(findings: list[dict[str, Any]]) -> str:
    """Return what a check came to, in one sentence without a full stop."""
    counts = {verdict: sum(one["verdict"] == verdict for one in findings) for verdict in Verdict}
    differing = ", ".join(one["name"] for one in findings if one["verdict"] == Verdict.DIFFERS)
    parts = [f"{counts[Verdict.HOLDS]} of {len(findings)} assumptions hold"]
    parts += [f"{counts[Verdict.DIFFERS]} do not: {differing}"] if differing else []
    parts += [f"{counts[Verdict.UNSEEN]} could not be seen"] if counts[Verdict.UNSEEN] else []
    return "; ".join(parts)
