"""Audit: compares what every domain was granted with what was asked for, and lists how its ledger is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum
from django.utils import timezone

from integrations.connection.health import Condition, describe
from integrations.ledger.status import ChainFacts, list_chain_facts
from integrations.ledger.usage import DAYS
from portal.models import Domain

from .models import Connection, LedgerDay, LedgerEntry, Outcome

GRANTS = ("connected", "reconnected")
GRANTED = "granted: "  # how the detail of such an act begins; see `connections.accept_authorisation`


@dataclass(frozen=True, slots=True)
class DomainAudit:
    """One domain. connection: the last one it had, or None. writes: of the last thirty days."""

    domain: Domain
    connection: Connection | None
    condition: Condition
    writes: int
    chain: ChainFacts

    @property
    def lapses_at(self) -> datetime | None:
        """When the access ends unless it is renewed; it is, daily."""
        return self.connection.refresh_lapses_at if self.connection and self.connection.is_usable else None


@dataclass(frozen=True, slots=True)
class Grant:
    """Somebody gave this portal access. widened: what the grant before it did not hold."""

    entry: LedgerEntry
    scopes: tuple[str, ...]
    widened: tuple[str, ...]
    narrowed: tuple[str, ...]


def list_domain_audits(domains: Sequence[Domain]) -> list[DomainAudit]:
    """Return a row for each domain, in their order and in a fixed number of queries."""
    keys = [domain.pk for domain in domains]
    # The newest connection of each comes last, and stays.
    rows = Connection.objects.filter(domain__in=keys).order_by("authorised_at", "pk")
    connections = {row.domain_id: row for row in rows.select_related("domain")}
    writes = dict(
        LedgerDay.objects.filter(
            chain__in=keys, verb="write", day__gt=timezone.localdate() - timedelta(days=DAYS)
        )
        .exclude(outcome=Outcome.REFUSED)
        .order_by()
        .values_list("chain")
        .annotate(Sum("calls"))
    )
    chains = list_chain_facts(domains)
    return [
        DomainAudit(
            domain=domain,
            connection=connections.get(domain.pk),
            condition=describe(connections.get(domain.pk)),
            writes=writes.get(domain.pk, 0),
            chain=chains[domain.pk],
        )
        for domain in domains
    ]


def list_grants(entries: Iterable[LedgerEntry]) -> list[Grant]:
    """Return each of these grants with what it changed against the one before it, of the same domain.

    entries: acts of GRANTS, in any order; what came before them is looked up.
    """
    wanted = list(entries)
    history: dict[int | None, list[LedgerEntry]] = defaultdict(list)
    keys = {entry.domain_id for entry in wanted}
    for entry in LedgerEntry.objects.filter(domain__in=keys, action__in=GRANTS).order_by("id"):
        history[entry.domain_id].append(entry)
    found = []
    for entry in wanted:
        earlier = [one for one in history[entry.domain_id] if one.pk < entry.pk]
        before, scopes = (_read_scopes(earlier[-1]) if earlier else None), _read_scopes(entry)
        found.append(
            Grant(
                entry=entry,
                scopes=scopes,
                widened=tuple(scope for scope in scopes if before is not None and scope not in before),
                narrowed=tuple(scope for scope in before or () if scope not in scopes),
            )
        )
    return found


def _read_scopes(entry: LedgerEntry) -> tuple[str, ...]:
    words = entry.detail.removeprefix(GRANTED)
    return () if words == "nothing" or words == entry.detail else tuple(words.split())
