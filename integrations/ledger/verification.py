"""Verification: reads a chain from start to head and names the first entry that is not as it was written.

In pages, so that the memory it takes does not grow with the ledger. Nothing is repaired here: what a check
finds is for people to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from integrations.crypto.signing import Signature, sign, verify
from integrations.models import GENESIS, ChainCheck, LedgerChain, LedgerCheckpoint, LedgerDay, LedgerEntry

from . import triggers
from .digests import FIELDS, LATER_FIELDS, digest_entry, write_instant, write_json

PAGE = 2000
COLUMNS = ("id", "digest", *FIELDS, *LATER_FIELDS)
Totals = dict[tuple[str, str, str], tuple[int, int]]
"""(scope, verb, outcome) -> (entries, calls)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found. finding: '' where all is as it was written, else the first bad entry, in words.

    has_pinned: whether the head that was noted down earlier was met, up to the first bad entry.
    """

    chain: LedgerChain
    entries: int
    finding: str
    has_pinned: bool

    @property
    def is_intact(self) -> bool:
        return not self.finding


class _Broken(Exception):
    """The chain is not as it was written; the words say where."""


def check_chain(
    chain: LedgerChain, *, pinned: str = "", progress: Callable[[int], None] | None = None
) -> Verdict:
    """Return whether the chain is whole from its start, or its last checkpoint, to its head.

    pinned: a head that somebody noted down earlier.
    progress: told how many entries were read, page by page.
    """
    while True:
        walk = _Walk(chain, pinned=pinned)
        try:
            walk.go(progress)
        except _Broken as broken:
            if walk.was_pruned_meanwhile():
                continue  # what looked missing is covered by a checkpoint made since
            return Verdict(walk.chain, walk.entries, str(broken), walk.has_pinned)
        return Verdict(walk.chain, walk.entries, "", walk.has_pinned)


def check_and_note(chain: LedgerChain, *, progress: Callable[[int], None] | None = None) -> ChainCheck:
    """The chain was checked and the result is stored; the head of an intact one is signed."""
    verdict = check_chain(chain, progress=progress)
    missing = triggers.list_missing()
    finding = verdict.finding
    if missing and not finding:
        finding = (
            f"Entries are intact, but the database no longer protects them: {', '.join(missing)} missing."
        )
    noted = ChainCheck(
        chain=verdict.chain,
        at=timezone.now(),
        is_intact=not finding,
        entries=verdict.entries,
        count=verdict.chain.count,
        digest=verdict.chain.digest,
        finding=finding,
    )
    if noted.is_intact:
        signature = sign(_write_check(noted))
        noted.key_id, noted.public_key, noted.signature = (
            signature.key_id,
            signature.public_key,
            signature.value,
        )
    noted.save(force_insert=True)
    return noted


def _write_check(check: ChainCheck) -> bytes:
    """Return the bytes that an intact check signs."""
    return write_json(
        {
            "kind": "countersign ledger head 1",
            "domain_id": check.chain.domain_id,
            "domain": check.chain.domain_name,
            "count": check.count,
            "digest": check.digest,
            "at": write_instant(check.at),
        }
    )


def write_checkpoint(checkpoint: LedgerCheckpoint) -> bytes:
    """Return the bytes that a checkpoint signs."""
    return write_json(
        {
            "kind": "countersign ledger checkpoint 1",
            "domain_id": checkpoint.chain.domain_id,
            "domain": checkpoint.chain.domain_name,
            "last_sequence": checkpoint.last_sequence,
            "digest": checkpoint.digest,
            "older_than": write_instant(checkpoint.older_than),
            "totals": checkpoint.totals,
            "made_at": write_instant(checkpoint.made_at),
            "actor": checkpoint.actor_label,
        }
    )


def list_chains(domain_name: str = "") -> list[LedgerChain]:
    """Return every chain, or those of the domains of this name; one without a head is made up, to be checked.

    A domain that was deleted keeps its chain, so one name may have had several.
    """
    chains = {chain.pk: chain for chain in LedgerChain.objects.all()}
    for key in _list_domain_ids():
        if (key or 0) not in chains:
            last = LedgerEntry.objects.filter(domain=key).values_list("domain_name", flat=True)[:1]
            chains[key or 0] = LedgerChain(id=key or 0, domain_id=key, domain_name=last[0] if key else "")
    known = sorted(chains.values(), key=lambda chain: (chain.domain_name, chain.pk))
    return [chain for chain in known if not domain_name or chain.domain_name == domain_name]


def _list_domain_ids() -> Iterator[int | None]:
    """Yield the id of each domain that has entries, found one after the other in an index, and None for no domain."""
    if LedgerEntry.objects.filter(domain=None).exists():
        yield None
    ids = LedgerEntry.objects.order_by("domain_id").values_list("domain_id", flat=True)
    last: int | None = 0
    while (last := ids.filter(domain__gt=last).first()) is not None:
        yield last


class _Walk:
    """One reading of one chain."""

    def __init__(self, chain: LedgerChain, *, pinned: str) -> None:
        self.chain = chain
        self.entries = 0
        self.totals: Totals = {}
        self._pinned = pinned.strip().lower()
        self._checkpoint = get_checkpoint(chain)
        self._last = self._checkpoint.last_sequence if self._checkpoint else 0
        self._digest = self._checkpoint.digest if self._checkpoint else GENESIS
        self._last_id = 0
        self.has_pinned = self._pinned in ("", self._digest)
        self._noted = self._read_noted()

    def was_pruned_meanwhile(self) -> bool:
        newest = get_checkpoint(self.chain)
        return newest is not None and (
            self._checkpoint is None or newest.last_sequence > self._checkpoint.last_sequence
        )

    def go(self, progress: Callable[[int], None] | None) -> None:
        """Every entry was read and found as written. Raises _Broken."""
        if self._checkpoint:
            self._read_checkpoint(self._checkpoint)
        while True:
            for row in self._rows_after():
                self._take(row)
                if progress and self.entries % PAGE == 0:
                    progress(self.entries)
            with transaction.atomic():
                # Nobody writes meanwhile; what came while we read is read in another round.
                self._lock()
                if self._entries_after().exists():
                    continue
                self._end()
                return

    def _entries_after(self) -> Any:
        return LedgerEntry.objects.filter(domain=self.chain.pk or None, sequence__gt=self._last).order_by(
            "sequence"
        )

    def _rows_after(self) -> Iterator[Mapping[str, Any]]:
        if self.entries == 0:  # what lies before the start cannot have been written there
            stray = LedgerEntry.objects.filter(domain=self.chain.pk or None, sequence__lte=self._last)
            yield from stray.order_by("sequence").values(*COLUMNS)[:1]
        while page := list(self._entries_after().values(*COLUMNS)[:PAGE]):
            yield from page

    def _take(self, row: Mapping[str, Any]) -> None:
        number, expected = row["sequence"], self._last + 1
        if number > expected:
            gone = (
                f"Entry {expected:,} is"
                if number == expected + 1
                else f"Entries {expected:,} to {number - 1:,} are"
            )
            raise _Broken(f"{gone} missing: deleted, or moved elsewhere. The next one is {_describe(row)}.")
        if number < expected:
            raise _Broken(f"{_describe(row)} follows the end of the chain: it was inserted.")
        if row["previous_digest"] != self._digest:
            before = f"entry {self._last:,}" if self._last else "the start of the chain"
            raise _Broken(
                f"{_describe(row)} does not follow {before}: it was inserted, or entries were reordered."
            )
        if digest_entry(row) != row["digest"]:
            raise _Broken(f"{_describe(row)} is not as it was written: it was edited.")
        if row["id"] <= self._last_id:
            raise _Broken(f"{_describe(row)} has the row of an earlier one: entries were reordered.")
        noted = self._noted.pop(number, "")
        if noted and noted != row["digest"]:
            raise _Broken(
                f"{_describe(row)} is not the head that an earlier check signed: the chain was rewritten."
            )
        self._last, self._digest, self._last_id = number, row["digest"], row["id"]
        self.has_pinned = self.has_pinned or row["digest"] == self._pinned
        self.entries += 1
        key = (row["scope"], row["verb"], row["outcome"])
        entries, calls = self.totals.get(key, (0, 0))
        self.totals[key] = (entries + 1, calls + row["times"])

    def _lock(self) -> None:
        chain = LedgerChain.objects.select_for_update().filter(pk=self.chain.pk).first()
        if chain is None:
            raise _Broken("The head of the chain is missing: its row was deleted.")
        self.chain = chain

    def _end(self) -> None:
        """What the head, earlier checks and the daily figures say agrees with what was read. Raises _Broken."""
        head = self.chain
        if head.count > self._last:
            missing = head.count - self._last
            raise _Broken(
                f"The newest {missing:,} entries are missing: the head counts {head.count:,}, "
                f"the last one present is entry {self._last:,}."
                if missing > 1
                else f"The newest entry, {head.count:,}, is missing."
            )
        if (head.count, head.digest) != (self._last, self._digest):
            raise _Broken(
                f"The head does not match entry {self._last:,}, the newest: entries were added past it, "
                "or the head was edited."
            )
        if self._noted:
            raise _Broken(
                f"An earlier check signed a head of {min(self._noted):,} entries: the newest are missing."
            )
        self._compare_figures()

    def _compare_figures(self) -> None:
        told = {
            (row["scope"], row["verb"], row["outcome"]): (row["of_entries"], row["of_calls"])
            for row in LedgerDay.objects.filter(chain=self.chain.pk)
            .order_by()
            .values("scope", "verb", "outcome")
            .annotate(of_entries=Sum("entries"), of_calls=Sum("calls"))
        }
        found = add_totals(read_totals(self._checkpoint), self.totals)
        for key in sorted(told.keys() | found.keys()):
            if told.get(key, (0, 0)) != found.get(key, (0, 0)):
                what = " ".join(part for part in key if part)
                raise _Broken(
                    f"Entries are intact, but the daily figures were edited: for “{what}” they say "
                    f"{told.get(key, (0, 0))[1]:,} calls where the entries say {found.get(key, (0, 0))[1]:,}."
                )

    def _read_checkpoint(self, checkpoint: LedgerCheckpoint) -> None:
        signature = Signature(checkpoint.key_id, checkpoint.public_key, checkpoint.signature)
        if not verify(write_checkpoint(checkpoint), signature):
            raise _Broken(
                f"The checkpoint at entry {checkpoint.last_sequence:,} was not signed by this installation."
            )

    def _read_noted(self) -> dict[int, str]:
        """Return count -> digest of the heads that earlier checks signed and this walk will meet."""
        noted = {}
        for check in ChainCheck.objects.filter(chain=self.chain.pk, is_intact=True, count__gt=self._last):
            check.chain = self.chain
            if verify(_write_check(check), Signature(check.key_id, check.public_key, check.signature)):
                noted[check.count] = check.digest
        return noted


def get_checkpoint(chain: LedgerChain) -> LedgerCheckpoint | None:
    """Return where the chain begins since it was last pruned; None where it was never."""
    return LedgerCheckpoint.objects.filter(chain=chain.pk).select_related("chain").first()


def _describe(row: Mapping[str, Any]) -> str:
    what = row["endpoint"] or row["action"]
    return f"Entry {row['sequence']:,} ({what}, {row['at']:%-d %b %Y, %H:%M:%S} UTC)"


def read_totals(checkpoint: LedgerCheckpoint | None) -> Totals:
    """Return what a checkpoint says of all that ever went before it."""
    rows = checkpoint.totals if checkpoint else []
    return {(row["scope"], row["verb"], row["outcome"]): (row["entries"], row["calls"]) for row in rows}


def add_totals(one: Totals, other: Totals) -> Totals:
    """Return the sums of both."""
    sums = dict(one)
    for key, (entries, calls) in other.items():
        before = sums.get(key, (0, 0))
        sums[key] = (before[0] + entries, before[1] + calls)
    return sums
