"""Status: says how a domain's chain is: its head, its last check, where it begins, and who signs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Max
from django.utils import timezone

from integrations.models import ChainCheck, LedgerChain, LedgerCheckpoint, SigningKey
from portal.models import Domain

from .chain import get_chain

STALE = timedelta(days=2)  # a check each night, and one may fail to run


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """head: None before the first entry. check: the newest, None before the first night."""

    head: LedgerChain | None
    check: ChainCheck | None
    checkpoint: LedgerCheckpoint | None = None
    key: SigningKey | None = None

    @property
    def state(self) -> str:
        """Return 'empty', 'unchecked', 'broken', 'stale' (not checked lately) or 'intact'."""
        if self.head is None:
            return "empty"
        if self.check is None:
            return "unchecked"
        if not self.check.is_intact:
            return "broken"
        return "stale" if timezone.now() - self.check.at > STALE else "intact"

    @property
    def label(self) -> str:
        return _LABELS[self.state]

    @property
    def tone(self) -> str:
        return {"intact": "good", "broken": "bad", "stale": "warn"}.get(self.state, "")


_LABELS = {
    "empty": "No entry yet",
    "unchecked": "Not checked yet",
    "broken": "Broken",
    "stale": "Not checked lately",
    "intact": "Intact",
}


def get_chain_facts(domain: Domain) -> ChainFacts:
    """Return everything that the domain's page says of its chain."""
    return ChainFacts(
        head=get_chain(domain),
        check=ChainCheck.objects.filter(chain=domain.pk).first(),
        checkpoint=LedgerCheckpoint.objects.filter(chain=domain.pk).first(),
        key=SigningKey.objects.filter(retired_at=None).first(),
    )


def list_chain_facts(domains: Iterable[Domain]) -> dict[int, ChainFacts]:
    """Return domain id -> head and last check, in a fixed number of queries."""
    keys = [domain.pk for domain in domains]
    heads = LedgerChain.objects.in_bulk(keys)
    newest = ChainCheck.objects.filter(chain__in=keys).order_by().values("chain").annotate(newest=Max("id"))
    checks = {check.chain_id: check for check in ChainCheck.objects.filter(pk__in=newest.values("newest"))}
    return {key: ChainFacts(heads.get(key), checks.get(key)) for key in keys}
