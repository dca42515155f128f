"""One domain's banners as they were when its rows were read: what each of its senders shows, and for how long."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from typing import NamedTuple

from django.db.models import Count, Max
from django.utils import timezone

from portal.models import Domain
from signatures.campaigns.links import with_utm
from signatures.campaigns.ruleset import Board, load_board
from signatures.campaigns.selection import (
    NOTHING,
    CampaignRule,
    Choice,
    RecipientFacts,
    SenderFacts,
    choose_banner,
)
from signatures.models import Banner, BannerPlace, Sender
from signatures.rendering.banner_links import is_variable

from .bounded import Bounded

OVERLAP = timedelta(minutes=2)  # what was committed late, or by a machine whose clock is behind
MOST_SENDERS = 200_000

# What tells a changed domain from an unchanged one; read in one query.
_SIGN = ("banner_place__version", "time_zone", "brand__website")
Sign = tuple[object, ...]


class Seen(NamedTuple):
    """A sender by its key.

    since: from when on it is known to be so; read_at: when its row was last read. Both in seconds.
    """

    sender_id: int
    group_id: int | None
    domain_id: int
    since: float
    read_at: float


class Exhibit(NamedTuple):
    """What is shown: what was chosen, its picture and its link.

    image_id: None where there is no picture. link: '' where there is none.
    since, until: seconds; for so long nothing else can be chosen, as far as is known now.
    """

    campaign_id: int | None
    banner_id: int | None
    image_id: int | None
    link: str
    since: float
    until: float
    modified: str  # `since` as HTTP writes it

    @property
    def choice(self) -> Choice:
        return Choice(self.campaign_id, self.banner_id)


SeenRow = tuple[int, int | None, int, float, float]
ExhibitRow = tuple[int | None, int | None, int | None, str, float, float, str]


@dataclass(frozen=True, slots=True)
class _Face:
    """The picture and the link of one banner."""

    image_id: int
    link: str


@dataclass(frozen=True, slots=True)
class Watched:
    """The senders that changed since an instant: how many there are, and when the last one did."""

    since: datetime
    sign: tuple[int, datetime | None]
    quiet_since: datetime


@dataclass
class Shelf:
    """One domain as it was when it was read. board: None where banners are off."""

    domain: Domain
    sign: Sign
    board: Board | None
    default_image_id: int | None
    default_link: str
    variable: str
    boundaries: list[float]
    read_at: float
    used_at: float
    watched: Watched
    _winners: dict[int | None, tuple[CampaignRule | None, float]] = field(default_factory=dict)
    _exhibits: Bounded[int, ExhibitRow] = field(default_factory=lambda: Bounded(MOST_SENDERS))
    _faces: dict[int, _Face] = field(default_factory=dict)

    def get_exhibit(self, seen: Seen, now: float) -> Exhibit:
        """Return what the sender shows where nobody is known to read it."""
        row = self._exhibits.get(seen.sender_id)
        shown = Exhibit(*row) if row is not None else None
        if shown is None or not shown.since <= now < shown.until or seen.since > shown.since:
            shown = self._choose(seen, now)
            self._exhibits.keep(seen.sender_id, shown[:])
        return shown

    def get_exhibit_for(self, seen: Seen, recipient: RecipientFacts, now: float) -> Exhibit:
        """Return what the sender shows to a known recipient."""
        if self.board is None:
            return self._show_default(since=now, until=now)
        who = SenderFacts(seen.sender_id, seen.group_id)
        at = datetime.fromtimestamp(now, UTC)
        choice = choose_banner(self.board.campaigns, who, recipient, at=at, zone=self.board.zone)
        return self.show(choice, since=now, until=now)

    def show(self, choice: Choice, *, since: float, until: float) -> Exhibit:
        """Return what was chosen with its picture and link; the default where there is no such banner any more."""
        face = self._get_face(choice.banner_id) if choice.banner_id is not None else None
        if face is None:
            return self._show_default(since=since, until=until)
        link = face.link or self.default_link
        modified = formatdate(since, usegmt=True)
        return Exhibit(choice.campaign_id, choice.banner_id, face.image_id, link, since, until, modified)

    def _show_default(self, *, since: float, until: float) -> Exhibit:
        modified = formatdate(since, usegmt=True)
        nothing = NOTHING.campaign_id, NOTHING.banner_id
        return Exhibit(*nothing, self.default_image_id, self.default_link, since, until, modified)

    def _choose(self, seen: Seen, now: float) -> Exhibit:
        if self.board is None:
            return self._show_default(since=max(self.read_at, seen.since), until=float("inf"))
        since, until = self._get_span(self.board, now)
        since = max(since, seen.since)
        winner, stands_until = self._winners.get(seen.group_id, (None, 0.0))
        at = datetime.fromtimestamp(now, UTC)
        if not now < stands_until:
            winner = _find_winner(self.board, seen.group_id, at)
            self._winners[seen.group_id] = winner, until
        if winner is None:
            return self._show_default(since=since, until=until)
        # Which campaign is the same for a whole group; which of its banners is the sender's own.
        who = SenderFacts(seen.sender_id, seen.group_id)
        choice = choose_banner((winner,), who, None, at=at, zone=self.board.zone)
        return self.show(choice, since=since, until=until)

    def _get_span(self, board: Board, now: float) -> tuple[float, float]:
        """Return from when until when no campaign starts or ends and no day changes in the domain's zone."""
        position = bisect_right(self.boundaries, now)
        local = datetime.fromtimestamp(now, board.zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        next_day = (midnight + timedelta(days=1)).timestamp()
        ends = [next_day, *self.boundaries[position : position + 1]]
        begins = [self.read_at, midnight.timestamp(), *self.boundaries[max(position - 1, 0) : position]]
        return max(begin for begin in begins if begin <= now), min(ends)

    def _get_face(self, banner_id: int) -> _Face | None:
        face = self._faces.get(banner_id)
        if face is None:
            face = _read_face(self.domain, banner_id)
            if face is not None:
                self._faces[banner_id] = face
        return face


def read_shelf(domain_id: int) -> Shelf:
    """Return the domain as its rows are now.

    Raises: DatabaseFailure where they cannot be read; Domain.DoesNotExist where it is gone.
    """
    now = timezone.now()
    # First: what changes while the rest is read is seen the next time.
    sign = read_signs([domain_id]).get(domain_id, ())
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
        watched=watch(now),
    )


def read_signs(domain_ids: Iterable[int]) -> dict[int, Sign]:
    """Return domain id -> what tells it, changed, from itself before; without those that are gone."""
    rows = Domain.objects.filter(pk__in=domain_ids).values_list("pk", *_SIGN)
    return {row[0]: row[1:] for row in rows}


def watch(now: datetime) -> Watched:
    """Nothing counts as seen yet: whoever changed within OVERLAP is read once more."""
    return Watched(now - OVERLAP, (0, None), now)


def sign_changes(domain_id: int, since: datetime) -> tuple[int, datetime | None]:
    """Return how many senders changed since then, and when the last one did."""
    changed = Sender.objects.filter(domain_id=domain_id, changed_at__gte=since)
    found = changed.aggregate(count=Count("pk"), last=Max("changed_at"))
    return found["count"], found["last"]


def _find_winner(board: Board, group_id: int | None, at: datetime) -> CampaignRule | None:
    choice = choose_banner(board.campaigns, SenderFacts(0, group_id), None, at=at, zone=board.zone)
    return next((rule for rule in board.campaigns if rule.id == choice.campaign_id), None)


def _read_face(domain: Domain, banner_id: int) -> _Face | None:
    banner = Banner.objects.select_related("campaign").filter(pk=banner_id, campaign__domain=domain).first()
    if banner is None:
        return None
    link = with_utm(
        _safe(banner.link),
        source=banner.campaign.utm_source,
        medium=banner.campaign.utm_medium,
        campaign=banner.campaign.utm_campaign,
        content=banner.utm_content,
    )
    return _Face(banner.image_id, _safe(link))


def _safe(link: str) -> str:
    """Return a stored address as it may be redirected to, '' where it is not one, whoever wrote it there."""
    is_plain = link.isascii() and link.isprintable() and not set(' "<>\\') & set(link)
    return link if is_plain and link[:8] == "https://" and link[8:9].isalnum() else ""
