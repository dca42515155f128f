"""Rejections: records of Outreach that could not be taken over, each kept once until it can be, or is gone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils import timezone

from integrations.connector import Unreadable
from integrations.models import Mailbox, Person, RejectedRecord, SyncRun, Team
from integrations.models.directory import MirrorRow

from .row_store import RowStore, in_batches

INCOMPLETE_ABOVE_PERCENT = 2
KINDS: dict[str, type[MirrorRow]] = {"team": Team, "person": Person, "mailbox": Mailbox}
NAMES = {model: kind for kind, model in KINDS.items()}
COUNTERS = {"team": "teams_read", "person": "people_read", "mailbox": "mailboxes_read"}


@dataclass(frozen=True, slots=True)
class Share:
    """How many of a kind of records are rejected now, of how many there are."""

    kind: str
    rejected: int
    total: int

    @property
    def is_large(self) -> bool:
        return self.rejected * 100 > self.total * INCOMPLETE_ABOVE_PERCENT


class Rejections:
    """The rejected records of one connection during one run. writes: False only counts them."""

    def __init__(self, run: SyncRun, rows: RowStore, *, writes: bool) -> None:
        self._run = run
        self._mirrored = rows
        self._writes = writes
        self._present: dict[type[MirrorRow], dict[str, int]] = {}
        self._nameless: dict[type[MirrorRow], int] = dict.fromkeys(KINDS.values(), 0)

    def note(self, model: type[MirrorRow], fine: Iterable[str], unreadable: Sequence[Unreadable]) -> None:
        """Those of a page that do not fit are kept, and those that do again are not any more."""
        present = self._get_present(model)
        if present:
            self._remove(model, [remote_id for remote_id in fine if remote_id in present])
        if not unreadable:
            return
        self._nameless[model] += sum(not item.remote_id for item in unreadable)
        reasons = {item.remote_id: item.reason for item in unreadable}
        for remote_id in reasons:
            # Without an id they cannot be told apart: one row stands for as many as one run met.
            present[remote_id] = 1 if remote_id else max(present.get("", 0), self._nameless[model])
        if self._writes:
            self._store(model, reasons, present)

    def end_listing(self, model: type[MirrorRow], named: Collection[str]) -> None:
        """A listing of everything has ended: what it did not name is gone, and rejected no more."""
        present = self._get_present(model)
        self._remove(model, [remote_id for remote_id in present if remote_id and remote_id not in named])
        if "" in present and not self._nameless[model]:
            self._remove(model, [""])
        elif present.get("", 0) != self._nameless[model]:
            present[""] = self._nameless[model]
            if self._writes:
                self._rows(model).filter(remote_id="").update(number=present[""])

    def list_shares(self) -> list[Share]:
        """Return each kind of which records are rejected now; a run with a large share is incomplete."""
        shares = []
        for kind, model in KINDS.items():
            present = self._get_present(model)
            if rejected := sum(present.values()):
                sound = max(
                    getattr(self._run, COUNTERS[kind]), self._mirrored.count_live(model, except_ids=present)
                )
                shares.append(Share(kind, rejected, sound + rejected))
        return shares

    @property
    def are_many(self) -> bool:
        return any(share.is_large for share in self.list_shares())

    def _rows(self, model: type[MirrorRow]) -> QuerySet[RejectedRecord]:
        return RejectedRecord.objects.filter(connection=self._run.connection, kind=NAMES[model])

    def _get_present(self, model: type[MirrorRow]) -> dict[str, int]:
        """Return remote id -> how many records its row stands for."""
        if model not in self._present:
            self._present[model] = dict(self._rows(model).values_list("remote_id", "number"))
        return self._present[model]

    def _remove(self, model: type[MirrorRow], remote_ids: Sequence[str]) -> None:
        for ids in in_batches(remote_ids):
            if self._writes:
                self._rows(model).filter(remote_id__in=ids).delete()
            for remote_id in ids:
                del self._present[model][remote_id]

    def _store(self, model: type[MirrorRow], reasons: dict[str, str], numbers: dict[str, int]) -> None:
        now = timezone.now()
        RejectedRecord.objects.bulk_create(
            [
                RejectedRecord(
                    connection=self._run.connection,
                    kind=NAMES[model],
                    remote_id=remote_id,
                    reason=reason,
                    number=numbers[remote_id],
                    run=self._run,
                    last_seen_at=now,
                )
                for remote_id, reason in reasons.items()
            ],
            update_conflicts=True,
            unique_fields=["connection", "kind", "remote_id"],
            update_fields=["reason", "number", "run", "last_seen_at"],
            batch_size=100,
        )


def describe_shares(shares: Iterable[Share]) -> list[str]:
    """Return a sentence for each kind of which so many records are rejected that the run is incomplete."""
    return [
        f"{share.rejected:,} of {share.total:,} {KINDS[share.kind]._meta.verbose_name_plural} could not be "
        "imported. Until this is corrected, no person and no mailbox is removed here, and automatic delivery "
        "is paused."
        for share in shares
        if share.is_large
    ]
