"""What every sender's banner is at this moment, held in the memory of one process.

A request for a banner costs look-ups in dictionaries. Rows are read when a domain, a sender or a picture is
asked for the first time, and every few seconds one query tells whether anything changed since. Where
the database is away, what is known goes on being shown.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from hashlib import sha256

from django.db import Error as DatabaseFailure
from django.utils import timezone

from signatures.campaigns.selection import Choice, RecipientFacts
from signatures.models import BannerImage, Decision, Sender

from .bounded import Bounded
from .domain_cache import (
    MOST_SENDERS,
    OVERLAP,
    Exhibit,
    Seen,
    SeenRow,
    Shelf,
    Sign,
    Watched,
    read_shelf,
    read_signs,
    sign_changes,
    watch,
)

logger = logging.getLogger(__name__)

KNOWN_SECONDS = 3600.0  # after this, a sender or a decision is read anew: it may have been removed
UNKNOWN_SECONDS = 30.0
IDLE_SECONDS = 3600.0
MOST_DECISIONS = 50_000
MOST_UNKNOWN = 20_000
MOST_PICTURE_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A file as it is served."""

    content: bytes
    media_type: str
    etag: str


class Showcase:
    """The process's memory. `is_kept` says that somebody calls `refresh` every few seconds; else each look does."""

    def __init__(self) -> None:
        self.is_kept = False
        self._shelves: dict[int, Shelf] = {}
        self._senders: Bounded[str, SeenRow] = Bounded(MOST_SENDERS)
        self._unknown: Bounded[str, float] = Bounded(MOST_UNKNOWN)
        self._decisions: Bounded[int, tuple[SeenRow, int | None, int | None]] = Bounded(MOST_DECISIONS)
        self._pictures: dict[int, tuple[Picture, Picture]] = {}
        self._picture_bytes = 0
        self._reading = threading.Lock()
        self.hosts: set[str] = set()

    # ── Who ──────────────────────────────────────────────────────────────────────────────────────
    def find_sender(self, banner_key: str) -> Seen | None:
        """Return the sender with this key, or None."""
        now = time.time()
        seen = self._recall(banner_key)
        if seen is not None and now - seen.read_at < KNOWN_SECONDS and self.is_kept:
            return seen
        missed_at = self._unknown.get(banner_key)
        if missed_at is not None and now - missed_at < UNKNOWN_SECONDS and self.is_kept:
            return None
        try:
            row = (
                Sender.objects.filter(banner_key=banner_key)
                .values_list("pk", "group_id", "domain_id")
                .first()
            )
        except DatabaseFailure:
            if seen is None:
                raise
            return seen
        if row is None:
            self._unknown.keep(banner_key, now)
            return None
        is_same = seen is not None and seen[:3] == row
        found = Seen(*row, since=seen.since if seen is not None and is_same else now, read_at=now)
        self._senders.keep(banner_key, found[:])
        return found

    def _recall(self, banner_key: str) -> Seen | None:
        row = self._senders.get(banner_key)
        return Seen(*row) if row is not None else None

    def find_decision(self, decision_id: int) -> tuple[Seen, Choice] | None:
        """Return who sent what a decision was made for, and what was chosen; None where it is not kept."""
        now = time.time()
        kept = self._decisions.get(decision_id)
        seen = Seen(*kept[0]) if kept is not None else None
        if kept is not None and seen is not None and now - seen.read_at < KNOWN_SECONDS and self.is_kept:
            return seen, Choice(*kept[1:])
        row = (
            Decision.objects.filter(pk=decision_id)
            .values_list("sender_id", "sender__group_id", "domain_id", "campaign_id", "banner_id")
            .first()
        )
        if row is None:
            return None
        sender_id, group_id, domain_id, campaign_id, banner_id = row
        seen = Seen(sender_id or 0, group_id, domain_id, seen.since if seen is not None else now, now)
        self._decisions.keep(decision_id, (seen[:], campaign_id, banner_id))
        return seen, Choice(campaign_id, banner_id)

    # ── What ─────────────────────────────────────────────────────────────────────────────────────
    def get_exhibit(self, seen: Seen) -> Exhibit:
        """Return what the sender shows now where nobody is known to read it."""
        return self.get_shelf(seen.domain_id).get_exhibit(seen, time.time())

    def get_exhibit_for(self, seen: Seen, recipient: RecipientFacts) -> Exhibit:
        """Return what the sender shows now to a known recipient."""
        return self.get_shelf(seen.domain_id).get_exhibit_for(seen, recipient, time.time())

    def get_decided(self, seen: Seen, choice: Choice) -> Exhibit:
        """Return what was decided, with picture and link as they are now."""
        shelf = self.get_shelf(seen.domain_id)
        return shelf.show(choice, since=max(seen.since, shelf.read_at), until=0)

    def get_picture(self, image_id: int, *, is_double: bool) -> Picture | None:
        """Return the file at 1× or 2×; None where it is gone."""
        pair = self._pictures.get(image_id)
        if pair is None:
            row = BannerImage.objects.filter(pk=image_id).first()
            if row is None:
                return None
            pair = _make_picture(row.bytes_1x, row.media_type), _make_picture(row.bytes_2x, row.media_type)
            self._keep_pictures(image_id, pair)
        return pair[is_double]

    def _keep_pictures(self, image_id: int, pair: tuple[Picture, Picture]) -> None:
        with self._reading:
            self._pictures[image_id] = pair
            self._picture_bytes += sum(len(each.content) for each in pair)
            while self._picture_bytes > MOST_PICTURE_BYTES and len(self._pictures) > 1:
                dropped = self._pictures.pop(next(iter(self._pictures)))
                self._picture_bytes -= sum(len(each.content) for each in dropped)

    # ── What changed ─────────────────────────────────────────────────────────────────────────────
    def get_shelf(self, domain_id: int) -> Shelf:
        """Return the domain as it is known.

        Raises: DatabaseFailure where it is not, and cannot be read; Domain.DoesNotExist where it is gone.
        """
        shelf = self._shelves.get(domain_id)
        if shelf is None:
            with self._reading:
                shelf = self._shelves.get(domain_id) or read_shelf(domain_id)
                self._shelves[domain_id] = shelf
        elif not self.is_kept:
            self._refresh(shelf, read_signs([domain_id]).get(domain_id, ()))
            shelf = self._shelves[domain_id]
        shelf.used_at = time.time()
        return shelf

    def refresh(self, *, with_senders: bool = True) -> None:
        """Every domain in use is as its rows say now; where the database is away, it stays as it was.

        One query for all domains, and one more for each where senders are looked at too.
        """
        now = time.time()
        for domain_id, shelf in list(self._shelves.items()):
            if now - shelf.used_at > IDLE_SECONDS:
                self._shelves.pop(domain_id, None)
        shelves = list(self._shelves.values())
        if not shelves:
            return
        try:
            signs = read_signs([shelf.domain.pk for shelf in shelves])
            for shelf in shelves:
                if shelf.domain.pk not in signs:
                    self._shelves.pop(shelf.domain.pk, None)
                    continue
                self._refresh(shelf, signs[shelf.domain.pk])
                if with_senders:
                    self._look_at_senders(self._shelves[shelf.domain.pk])
        except DatabaseFailure as error:
            logger.warning("Banners are shown as last read: the database is away (%s).", type(error).__name__)

    def _refresh(self, shelf: Shelf, sign: Sign) -> None:
        if sign == shelf.sign:
            return
        fresh = read_shelf(shelf.domain.pk)
        fresh.used_at, fresh.watched = shelf.used_at, shelf.watched
        self._shelves[shelf.domain.pk] = fresh

    def _look_at_senders(self, shelf: Shelf) -> None:
        """Known senders are in the groups they are in now. Asks how many changed before it reads which."""
        watched, now = shelf.watched, timezone.now()
        sign = sign_changes(shelf.domain.pk, watched.since)
        if sign == watched.sign:
            if now - watched.quiet_since > OVERLAP:
                shelf.watched = watch(now)
            return
        changed = Sender.objects.filter(domain=shelf.domain, changed_at__gte=watched.since)
        rows = changed.values_list("banner_key", "pk", "group_id", "domain_id")
        for banner_key, sender_id, group_id, domain_id in rows.iterator(chunk_size=2_000):
            seen = self._recall(banner_key)
            if seen is not None and (seen.group_id, seen.sender_id) != (group_id, sender_id):
                at = now.timestamp()
                self._senders.keep(banner_key, (sender_id, group_id, domain_id, at, at))
        shelf.watched = Watched(watched.since, sign, now)


def _make_picture(content: bytes | memoryview, media_type: str) -> Picture:
    file = bytes(content)
    return Picture(file, media_type, f'"{sha256(file).hexdigest()[:24]}"')


SHOWCASE = Showcase()
