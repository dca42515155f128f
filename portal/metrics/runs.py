"""Runs: when the last sync, delivery and restore of each kind was complete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from integrations.models import Connection, RunState, SyncKind, SyncRun
from portal.counters import Sums
from portal.models import Domain
from signatures.delivery.totals import KINDS
from signatures.models import DeliveryRun, DeliveryRunState


def read_last_successes() -> Sums:
    """Return when the last run of each domain and kind was complete, in seconds since 1970.

    An index has the last of each connection or domain and kind: no other run is read.
    """
    found: Sums = {}
    syncs = SyncRun.objects.filter(connection=OuterRef("pk"), state=RunState.COMPLETE)
    _note_last(
        found,
        Connection.objects.all(),
        "domain__name",
        syncs,
        {f"sync_{kind}": kind for kind in SyncKind.values},
    )
    deliveries = DeliveryRun.objects.filter(domain=OuterRef("pk"), state=DeliveryRunState.COMPLETE)
    _note_last(found, Domain.objects.all(), "name", deliveries, {name: kind for kind, name in KINDS.items()})
    return found


def _note_last(
    found: Sums, owners: QuerySet[Any], domain: str, runs: QuerySet[Any], kinds: Mapping[str, str]
) -> None:
    """Note when the last of the owners' runs of each kind ended. kinds: a kind's name in metrics -> in rows."""
    ended = runs.exclude(finished_at=None).order_by("-finished_at").values("finished_at")
    last = {f"last_{name}": Subquery(ended.filter(kind=kind)[:1]) for name, kind in kinds.items()}
    for name, *instants in owners.order_by().annotate(**last).values_list(domain, *last):
        for kind, at in zip(kinds, instants, strict=True):
            if at is not None:
                found[name, kind] = max(at.timestamp(), found.get((name, kind), 0))
