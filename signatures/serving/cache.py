"""Serving cache: every sender's banner at this moment, in the memory of one process.

A banner request is answered from dictionaries. Rows are read when a domain, a sender or an image is
requested for the first time, and every few seconds one query finds what changed since. While
the database is away, cached banners are still served.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import NamedTuple

from django.db import Error as DatabaseFailure

from portal.models import Domain
from signatures.campaigns.selection import Choice, RecipientFacts
from signatures.models import Decision, Sender

from .bounded import Bounded
from .changes import ChangeWatcher, sort_groups
from .domain_cache import MOST_SENDERS, DomainCache, SenderRef, ServedBanner, read_domain
from .image_cache import ImageCache

logger = logging.getLogger(__name__)

KNOWN_SECONDS = 3600.0  # after this, a sender or a decision is read again: it may have been removed
UNKNOWN_SECONDS = 30.0
IDLE_SECONDS = 3600.0
MOST_DECISIONS = 50_000
MOST_UNKNOWN = 20_000


class DecisionRef(NamedTuple):
    """A decision: its sender, and what was chosen. The others: as in SenderRef."""

    sender_id: int
    group_id: int | None
    group_ids: tuple[int, ...]
    domain_id: int
    since: float
    read_at: float
    campaign_id: int | None
    banner_id: int | None

    @property
    def sender(self) -> SenderRef:
        return SenderRef(*self[:6])

    @property
    def choice(self) -> Choice:
        return Choice(self.campaign_id, self.banner_id)


class _Unknown(NamedTuple):
    """A key of no sender. read_at: when that was last looked up, in seconds."""

    read_at: float


class ServingCache:
    """The cache of one process. is_refreshed: a thread calls `refresh` every few seconds; else each request does."""

    def __init__(self) -> None:
        self.is_refreshed = False
        self.hosts: set[str] = set()
        self.images = ImageCache()
        self._domains: dict[int, DomainCache] = {}
        self._changes = ChangeWatcher()
        self._senders: Bounded[str, SenderRef] = Bounded(MOST_SENDERS, SenderRef)
        self._unknown: Bounded[str, _Unknown] = Bounded(MOST_UNKNOWN, _Unknown)
        self._decisions: Bounded[int, DecisionRef] = Bounded(MOST_DECISIONS, DecisionRef)
        self._reading = threading.Lock()

    # ── Senders and decisions ────────────────────────────────────────────────────────────────────
    def find_sender(self, banner_key: str) -> SenderRef | None:
        """Return the sender with this key, or None."""
        now = time.time()
        known = self._senders.get(banner_key)
        if known is not None and now - known.read_at < KNOWN_SECONDS and self.is_refreshed:
            return known
        unknown = self._unknown.get(banner_key)
        if unknown is not None and now - unknown.read_at < UNKNOWN_SECONDS and self.is_refreshed:
            return None
        rows = Sender.objects.filter(banner_key=banner_key)
        try:
            read = list(rows.values_list("memberships__group", "group_id", "pk", "domain_id"))
        except DatabaseFailure:
            if known is None:
                raise
            return known
        if not read:
            self._unknown.keep(banner_key, _Unknown(now))
            return None
        _, group_id, sender_id, domain_id = read[0]
        row = (sender_id, group_id, sort_groups((each[0] for each in read), group_id), domain_id)
        is_same = known is not None and known[:4] == row
        found = SenderRef(*row, since=known.since if known is not None and is_same else now, read_at=now)
        self._senders.keep(banner_key, found)
        return found

    def find_decision(self, decision_id: int) -> DecisionRef | None:
        """Return the decision, or None where it is not kept."""
        now = time.time()
        known = self._decisions.get(decision_id)
        if known is not None and now - known.read_at < KNOWN_SECONDS and self.is_refreshed:
            return known
        row = (
            Decision.objects.filter(pk=decision_id)
            .values_list("sender_id", "sender__group_id", "domain_id", "campaign_id", "banner_id")
            .first()
        )
        if row is None:
            return None
        sender_id, group_id, domain_id, *chosen = row
        since = known.since if known is not None else now
        found = DecisionRef(sender_id or 0, group_id, (), domain_id, since, now, *chosen)
        self._decisions.keep(decision_id, found)
        return found

    # ── Banners ──────────────────────────────────────────────────────────────────────────────────
    def get_banner(self, sender: SenderRef) -> ServedBanner:
        """Return the sender's banner now, for an unknown recipient."""
        return self.get_domain(sender.domain_id).get_banner(sender, time.time())

    def get_banner_for(self, sender: SenderRef, recipient: RecipientFacts) -> ServedBanner:
        """Return the sender's banner now, for a known recipient."""
        return self.get_domain(sender.domain_id).get_banner_for(sender, recipient, time.time())

    def get_decided(self, decision: DecisionRef) -> ServedBanner:
        """Return the banner of the decision, with its image and link as they are now."""
        domain = self.get_domain(decision.domain_id)
        return domain.serve(decision.choice, since=max(decision.since, domain.read_at), until=0)

    # ── Domains ──────────────────────────────────────────────────────────────────────────────────
    def get_domain(self, domain_id: int) -> DomainCache:
        """Return the domain from the cache, or read it.

        Raises: DatabaseFailure where it cannot be read; Domain.DoesNotExist where it was removed.
        """
        domain = self._domains.get(domain_id)
        if domain is None:
            with self._reading:
                domain = self._domains.get(domain_id) or self._read(domain_id)
        elif not self.is_refreshed and self._changes.find_changed({domain_id: domain.fingerprint}):
            domain = self._read(domain_id)
        domain.used_at = time.time()
        return domain

    def refresh(self, *, with_senders: bool = True) -> None:
        """Read domains in the cache again where their rows changed; while the database is away, they stay the same.

        One query for all domains, and one more for each domain whose senders are checked.
        """
        now = time.time()
        for domain_id, domain in list(self._domains.items()):
            if now - domain.used_at > IDLE_SECONDS:
                self._drop(domain_id)
        known = {domain_id: domain.fingerprint for domain_id, domain in list(self._domains.items())}
        if not known:
            return
        try:
            for domain_id in self._changes.find_changed(known):
                try:
                    self._read(domain_id)
                except Domain.DoesNotExist:
                    self._drop(domain_id)
            if with_senders:
                for domain_id in known.keys() & self._domains.keys():
                    self._refresh_senders(domain_id)
        except DatabaseFailure as error:
            logger.warning(
                "Banners are served as last read: the database is away (%s).", type(error).__name__
            )

    def _read(self, domain_id: int) -> DomainCache:
        present = self._domains.get(domain_id)
        fresh = read_domain(domain_id, self._changes.start(domain_id))
        if present is not None:
            fresh.used_at = present.used_at
        self._domains[domain_id] = fresh
        return fresh

    def _drop(self, domain_id: int) -> None:
        self._domains.pop(domain_id, None)
        self._changes.stop(domain_id)

    def _refresh_senders(self, domain_id: int) -> None:
        """Update the groups of cached senders."""
        now = time.time()
        for key, sender_id, group_id, group_ids in self._changes.find_changed_senders(domain_id):
            known = self._senders.get(key)
            if known is not None and known[:3] != (sender_id, group_id, group_ids):
                self._senders.keep(key, SenderRef(sender_id, group_id, group_ids, domain_id, now, now))


CACHE = ServingCache()
