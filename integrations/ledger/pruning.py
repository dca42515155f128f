"""Pruning: removes the oldest entries of a chain; the rest verifies from a signed checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, QuerySet, Sum
from django.utils import timezone

from integrations.crypto.signing import sign
from integrations.models import LedgerChain, LedgerCheckpoint, LedgerEntry, Outcome
from portal.models import Domain

from . import chain as writer
from .record import record_act
from .verification import Totals, add_totals, check_chain, get_checkpoint, read_totals, write_checkpoint

MOST_AT_ONCE = 20_000  # entries of one transaction, which holds the chain's head
FLOOR_DAYS = 90  # no setting lets anybody prune what is younger: last week stays


class PruningRefused(Exception):
    """Nothing was pruned; the words say why."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went, or would go. entries: 0 where nothing is old enough."""

    chain: LedgerChain
    entries: int
    last_sequence: int


def get_limit() -> datetime:
    """Return the instant that entries must be older than to be pruned."""
    return timezone.now() - timedelta(days=max(settings.LEDGER_KEEP_DAYS, FLOOR_DAYS))


def prune_chain(chain: LedgerChain, *, before: datetime, actor: str, writes: bool = True) -> Pruned:
    """The chain's entries before this instant are gone, up to the first that is younger; nothing else is.

    The chain is checked first, as pruning would hide for ever what was done to it. The figures by day stay.
    Raises: PruningRefused; Unsealable where the signing key cannot be opened.
    """
    if before > get_limit():
        raise PruningRefused(
            f"Entries of the last {max(settings.LEDGER_KEEP_DAYS, FLOOR_DAYS)} days are kept. "
            "Name an earlier day, or lower LEDGER_KEEP_DAYS."
        )
    verdict = check_chain(chain)
    if not verdict.is_intact:
        raise PruningRefused(
            f"The chain of {chain.domain_name} is broken, and pruning would hide it. {verdict.finding}"
        )
    if not writes:
        start, last = _get_start(chain), _find_last(chain, before)
        return Pruned(chain, max(last.sequence - start, 0) if last else 0, last.sequence if last else start)
    total = 0
    while (pruned := _prune_next(chain, before=before, actor=actor)).entries:
        total += pruned.entries
    return Pruned(pruned.chain, total, pruned.last_sequence)


def list_old_entries() -> Iterator[QuerySet[LedgerEntry]]:
    """Yield the chains' old entries, as the index has them: what goes at most, where the chain is intact."""
    old = LedgerEntry.objects.filter(at__lt=get_limit()).order_by()
    yield old.filter(domain__in=LedgerChain.objects.order_by().values("pk"))
    yield old.filter(domain=None)


@transaction.atomic
def _prune_next(chain: LedgerChain, *, before: datetime, actor: str) -> Pruned:
    """The next MOST_AT_ONCE old entries are gone, and a checkpoint stands for them."""
    head = LedgerChain.objects.select_for_update().get(pk=chain.pk)
    checkpoint, start = get_checkpoint(head), _get_start(head)
    last = _find_last(head, before, up_to=start + MOST_AT_ONCE)
    if last is None or last.sequence <= start:
        return Pruned(head, 0, start)
    _store_checkpoint(head, checkpoint, last, before=before, actor=actor)
    LedgerEntry.objects.delete_pruned(head.pk, last.sequence)
    _record(head, last, actor=actor)
    return Pruned(head, last.sequence - start, last.sequence)


def _get_start(chain: LedgerChain) -> int:
    checkpoint = get_checkpoint(chain)
    return checkpoint.last_sequence if checkpoint else 0


def _entries(chain: LedgerChain) -> QuerySet[LedgerEntry]:
    return LedgerEntry.objects.filter(domain=chain.pk or None).order_by("sequence")


def _find_last(chain: LedgerChain, before: datetime, *, up_to: int | None = None) -> LedgerEntry | None:
    """Return the last entry of the unbroken run of old ones at the chain's start, no later than `up_to`."""
    entries = _entries(chain)
    if up_to is not None:
        entries = entries.filter(sequence__lte=up_to)
    kept = entries.filter(at__gte=before).first()
    return (entries.filter(sequence__lt=kept.sequence) if kept else entries).last()


def _store_checkpoint(
    chain: LedgerChain,
    earlier: LedgerCheckpoint | None,
    last: LedgerEntry,
    *,
    before: datetime,
    actor: str,
) -> None:
    sums: Totals = {
        (row["scope"], row["verb"], row["outcome"]): (row["of_entries"], row["of_calls"])
        for row in _entries(chain)
        .filter(sequence__lte=last.sequence)
        .order_by()
        .values("scope", "verb", "outcome")
        .annotate(of_entries=Count("id"), of_calls=Sum("times"))
    }
    totals = add_totals(read_totals(earlier), sums)
    checkpoint = LedgerCheckpoint(
        chain=chain,
        last_sequence=last.sequence,
        digest=last.digest,
        older_than=before,
        totals=[
            {"scope": scope, "verb": verb, "outcome": outcome, "entries": entries, "calls": calls}
            for (scope, verb, outcome), (entries, calls) in sorted(totals.items())
        ],
        made_at=timezone.now(),
        actor_label=actor,
    )
    signature = sign(write_checkpoint(checkpoint))
    checkpoint.key_id, checkpoint.public_key, checkpoint.signature = (
        signature.key_id,
        signature.public_key,
        signature.value,
    )
    checkpoint.save(force_insert=True)


def _record(chain: LedgerChain, last: LedgerEntry, *, actor: str) -> None:
    """The act is in the domain's ledger; that of a domain which is gone, in the one of no domain."""
    name = chain.domain_name or "no domain"
    detail = f"{name} up to entry {last.sequence:,}, of {last.at:%-d %b %Y}"
    domain = Domain.objects.filter(pk=chain.pk).first()
    if domain is not None:
        record_act("ledger pruned", domain=domain, actor_label=actor, detail=detail)
        return
    act = LedgerEntry(action="ledger pruned", actor_label=actor, outcome=Outcome.DONE, detail=detail)
    writer.append([act], domain=None)
