"""What every sender's banner is at this moment, held in the memory of one process.

A request for a banner costs look-ups in dictionaries. Rows are read when a domain, a sender or a picture is
asked for the first time, and every few seconds one query tells whether anything changed since. Where
the database is away, what is known goes on being shown.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from bisect import bisect_right
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import formatdate
from hashlib import sha256
from typing import Generic, TypeVar

from django.db import Error as DatabaseFailure
from django.db.models import Count, Max
from django.utils import timezone

from portal.models import Domain

from .board import Board, load_board
from .campaigns import NOTHING, CampaignRule, Choice, RecipientFacts, SenderFacts, choose_banner
from .links import with_utm
from .models import Banner, BannerImage, BannerPlace, Decision, Sender
from .rendering.place import is_variable

logger = logging.getLogger(__name__)

KNOWN_SECONDS = 3600.0  # after this, a sender or a decision is read anew: it may have been removed
UNKNOWN_SECONDS = 30.0
IDLE_SECONDS = 3600.0
OVERLAP = timedelta(minutes=2)  # what was committed late, or by a machine whose clock is behind
MOST_SENDERS = 200_000
MOST_DECISIONS = 50_000
MOST_UNKNOWN = 20_000
MOST_PICTURE_BYTES = 64_000_000

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """A dictionary that forgets what came in first once it is full; reading takes no lock."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[K, V] = {}
        self.get = self._kept.get

    def keep(self, key: K, value: V) -> None:
        self._kept[key] = value
        while len(self._kept) > self._most:
            with contextlib.suppress(StopIteration, KeyError, RuntimeError):  # another thread was faster
                del self._kept[next(iter(self._kept))]

    def __len__(self) -> int:
        return len(self._kept)


@dataclass(frozen=True, slots=True)
class Seen:
    """A sender by its key.

    since: from when on it is known to be so; read_at: when its row was last read. Both in seconds.
    """

    sender_id: int
    group_id: int | None
    domain_id: int
    since: float
    read_at: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A file as it is served."""

    content: bytes
    media_type: str
    etag: str


@dataclass(frozen=True, slots=True)
class Exhibit:
    """What is shown: the choice, its picture and its link.

    image_id: None where there is no picture. link: '' where there is none.
    since, until: seconds; for so long nothing else can be chosen, as far as is known now.
    """

    choice: Choice
    image_id: int | None
    link: str
    since: float
    until: float
    modified: str  # `since` as HTTP writes it


@dataclass(frozen=True, slots=True)
class _Face:
    """The picture and the link of one banner."""

    image_id: int
    link: str


# What tells a changed domain from an unchanged one; read in one query.
_SIGN = ("banner_place__version", "time_zone", "brand__website")


@dataclass
class _Watched:
    """The senders that changed since an instant: how many there are, and when the last one did."""

    since: datetime
    sign: tuple[int, datetime | None]
    quiet_since: datetime


@dataclass
class Shelf:
    """One domain as it was when it was read."""

    domain: Domain
    sign: tuple[object, ...]
    board: Board | None
    default_image_id: int | None
    default_link: str
    variable: str
    boundaries: list[float]
    read_at: float
    used_at: float
    watched: _Watched
    winners: dict[int | None, tuple[CampaignRule | None, float]] = field(default_factory=dict)
    exhibits: Bounded[int, Exhibit] = field(default_factory=lambda: Bounded(MOST_SENDERS))
    faces: dict[int, _Face] = field(default_factory=dict)


class Showcase:
    """The process's memory. `is_kept` says that somebody calls `refresh` every few seconds; else each look does."""

    def __init__(self) -> None:
        self.is_kept = False
        self._shelves: dict[int, Shelf] = {}
        self._senders: Bounded[str, Seen] = Bounded(MOST_SENDERS)
        self._unknown: Bounded[str, float] = Bounded(MOST_UNKNOWN)
        self._decisions: Bounded[int, tuple[Seen, Choice, float]] = Bounded(MOST_DECISIONS)
        self._pictures: dict[int, tuple[Picture, Picture]] = {}
        self._picture_bytes = 0
        self._reading = threading.Lock()
        self.hosts: set[str] = set()

    # ── Who ──────────────────────────────────────────────────────────────────────────────────────
    def find_sender(self, banner_key: str) -> Seen | None:
        """Return the sender with this key, or None."""
        now = time.time()
        seen = self._senders.get(banner_key)
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
        is_same = seen is not None and (seen.sender_id, seen.group_id, seen.domain_id) == row
        found = Seen(*row, since=seen.since if seen is not None and is_same else now, read_at=now)
        self._senders.keep(banner_key, found)
        return found

    def find_decision(self, decision_id: int) -> tuple[Seen, Choice] | None:
        """Return who sent what a decision was made for, and what was chosen; None where it is not kept."""
        now = time.time()
        kept = self._decisions.get(decision_id)
        if kept is not None and now - kept[2] < KNOWN_SECONDS and self.is_kept:
            return kept[0], kept[1]
        row = (
            Decision.objects.filter(pk=decision_id)
            .values_list("sender_id", "sender__group_id", "domain_id", "campaign_id", "banner_id")
            .first()
        )
        if row is None:
            return None
        seen, choice = (
            Seen(row[0] or 0, row[1], row[2], kept[0].since if kept else now, now),
            Choice(*row[3:]),
        )
        self._decisions.keep(decision_id, (seen, choice, now))
        return seen, choice

    # ── What ─────────────────────────────────────────────────────────────────────────────────────
    def get_exhibit(self, seen: Seen) -> Exhibit:
        """Return what the sender shows now where nobody is known to read it."""
        shelf, now = self.get_shelf(seen.domain_id), time.time()
        shown = shelf.exhibits.get(seen.sender_id)
        if shown is None or not shown.since <= now < shown.until or seen.since > shown.since:
            shown = _choose(shelf, seen, now)
            shelf.exhibits.keep(seen.sender_id, shown)
        return shown

    def get_exhibit_for(self, seen: Seen, recipient: RecipientFacts) -> Exhibit:
        """Return what the sender shows now to a known recipient."""
        shelf, now = self.get_shelf(seen.domain_id), time.time()
        if shelf.board is None:
            return _default(shelf, since=now, until=now)
        who = SenderFacts(seen.sender_id, seen.group_id)
        choice = choose_banner(
            shelf.board.campaigns, who, recipient, at=timezone.now(), zone=shelf.board.zone
        )
        return _show(shelf, choice, since=now, until=now)

    def get_decided(self, seen: Seen, choice: Choice) -> Exhibit:
        """Return what was decided, with picture and link as they are now."""
        shelf = self.get_shelf(seen.domain_id)
        return _show(shelf, choice, since=max(seen.since, shelf.read_at), until=0)

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
                shelf = self._shelves.get(domain_id) or _read_shelf(domain_id)
                self._shelves[domain_id] = shelf
        elif not self.is_kept:
            self._refresh(shelf, _read_signs([domain_id]).get(domain_id, ()))
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
            signs = _read_signs([shelf.domain.pk for shelf in shelves])
            for shelf in shelves:
                if shelf.domain.pk not in signs:
                    self._shelves.pop(shelf.domain.pk, None)
                    continue
                self._refresh(shelf, signs[shelf.domain.pk])
                if with_senders:
                    self._look_at_senders(self._shelves[shelf.domain.pk])
        except DatabaseFailure as error:
            logger.warning("Banners are shown as last read: the database is away (%s).", type(error).__name__)

    def _refresh(self, shelf: Shelf, sign: tuple[object, ...]) -> None:
        if sign == shelf.sign:
            return
        fresh = _read_shelf(shelf.domain.pk)
        fresh.used_at, fresh.watched = shelf.used_at, shelf.watched
        self._shelves[shelf.domain.pk] = fresh

    def _look_at_senders(self, shelf: Shelf) -> None:
        """Known senders are in the groups they are in now. Asks how many changed before it reads which."""
        watched, now = shelf.watched, timezone.now()
        sign = _sign_changes(shelf.domain.pk, watched.since)
        if sign == watched.sign:
            if now - watched.quiet_since > OVERLAP:
                shelf.watched = _watch(now)
            return
        changed = Sender.objects.filter(domain=shelf.domain, changed_at__gte=watched.since)
        rows = changed.values_list("banner_key", "pk", "group_id", "domain_id")
        for banner_key, sender_id, group_id, domain_id in rows.iterator(chunk_size=2_000):
            seen = self._senders.get(banner_key)
            if seen is not None and (seen.group_id, seen.sender_id) != (group_id, sender_id):
                at = now.timestamp()
                self._senders.keep(banner_key, Seen(sender_id, group_id, domain_id, at, at))
        shelf.watched = _Watched(watched.since, sign, now)


def _watch(now: datetime) -> _Watched:
    """Nothing counts as seen yet: whoever changed within OVERLAP is read once more."""
    return _Watched(now - OVERLAP, (0, None), now)


def _sign_changes(domain_id: int, since: datetime) -> tuple[int, datetime | None]:
    changed = Sender.objects.filter(domain_id=domain_id, changed_at__gte=since)
    found = changed.aggregate(count=Count("pk"), last=Max("changed_at"))
    return found["count"], found["last"]


def _read_signs(domain_ids: list[int]) -> dict[int, tuple[object, ...]]:
    rows = Domain.objects.filter(pk__in=domain_ids).values_list("pk", *_SIGN)
    return {row[0]: row[1:] for row in rows}


def _read_shelf(domain_id: int) -> Shelf:
    now = timezone.now()
    sign = _read_signs([domain_id]).get(
        domain_id, ()
    )  # first: what changes while the rest is read is seen the next time
    domain = Domain.objects.select_related("brand").get(pk=domain_id)
    place = BannerPlace.objects.filter(pk=domain_id).first() or BannerPlace(domain=domain)
    website = domain.brand.website if hasattr(domain, "brand") else ""
    board = load_board(domain, since=now) if place.is_on else None
    changes = {
        moment.timestamp()
        for campaign in (board.campaigns if board else ())
        for moment in (campaign.starts_at, campaign.ends_at)
        if moment is not None
    }
    return Shelf(
        domain=domain,
        sign=sign,
        board=board,
        default_image_id=place.default_image_id if place.is_on else None,
        default_link=_safe(place.default_link) or _safe(website),
        variable=place.recipient_variable if is_variable(place.recipient_variable) else "",
        boundaries=sorted(changes),
        read_at=now.timestamp(),
        used_at=now.timestamp(),
        watched=_watch(now),
    )


def _choose(shelf: Shelf, seen: Seen, now: float) -> Exhibit:
    """Return what a sender shows to nobody known, and how long that stands."""
    if shelf.board is None:
        return _default(shelf, since=max(shelf.read_at, seen.since), until=float("inf"))
    since, until = _get_span(shelf, shelf.board.zone, now)
    since = max(since, seen.since)
    winner, stands_until = shelf.winners.get(seen.group_id, (None, 0.0))
    at = datetime.fromtimestamp(now, UTC)
    if not now < stands_until:
        winner = _find_winner(shelf.board, seen.group_id, at)
        shelf.winners[seen.group_id] = winner, until
    if winner is None:
        return _default(shelf, since=since, until=until)
    # Which campaign is the same for a whole group; which of its banners is the sender's own.
    who = SenderFacts(seen.sender_id, seen.group_id)
    choice = choose_banner((winner,), who, None, at=at, zone=shelf.board.zone)
    return _show(shelf, choice, since=since, until=until)


def _find_winner(board: Board, group_id: int | None, at: datetime) -> CampaignRule | None:
    choice = choose_banner(board.campaigns, SenderFacts(0, group_id), None, at=at, zone=board.zone)
    return next((rule for rule in board.campaigns if rule.id == choice.campaign_id), None)


def _get_span(shelf: Shelf, zone: tzinfo, now: float) -> tuple[float, float]:
    """Return from when until when no campaign starts or ends and no day changes in the domain's zone."""
    position = bisect_right(shelf.boundaries, now)
    local = datetime.fromtimestamp(now, zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    next_day = (midnight + timedelta(days=1)).timestamp()
    ends = [next_day, *shelf.boundaries[position : position + 1]]
    begins = [shelf.read_at, midnight.timestamp(), *shelf.boundaries[max(position - 1, 0) : position]]
    return max(begin for begin in begins if begin <= now), min(ends)


def _show(shelf: Shelf, choice: Choice, *, since: float, until: float) -> Exhibit:
    if choice.banner_id is None:
        return _default(shelf, since=since, until=until)
    face = shelf.faces.get(choice.banner_id) or _read_face(shelf, choice.banner_id)
    if face is None:
        return _default(shelf, since=since, until=until)
    link = face.link or shelf.default_link
    return Exhibit(choice, face.image_id, link, since, until, formatdate(since, usegmt=True))


def _default(shelf: Shelf, *, since: float, until: float) -> Exhibit:
    modified = formatdate(since, usegmt=True)
    return Exhibit(NOTHING, shelf.default_image_id, shelf.default_link, since, until, modified)


def _read_face(shelf: Shelf, banner_id: int) -> _Face | None:
    banner = (
        Banner.objects.select_related("campaign").filter(pk=banner_id, campaign__domain=shelf.domain).first()
    )
    if banner is None:
        return None
    link = with_utm(
        _safe(banner.link),
        source=banner.campaign.utm_source,
        medium=banner.campaign.utm_medium,
        campaign=banner.campaign.utm_campaign,
        content=banner.utm_content,
    )
    face = shelf.faces[banner_id] = _Face(banner.image_id, _safe(link))
    return face


def _safe(link: str) -> str:
    """Return a stored address as it may be redirected to, '' where it is not one, whoever wrote it there."""
    is_plain = link.isascii() and link.isprintable() and not set(' "<>\\') & set(link)
    return link if is_plain and link[:8] == "https://" and link[8:9].isalnum() else ""


def _make_picture(content: bytes | memoryview, media_type: str) -> Picture:
    file = bytes(content)
    return Picture(file, media_type, f'"{sha256(file).hexdigest()[:24]}"')


SHOWCASE = Showcase()
