"""Timeline: computes the positions of campaigns on a scale of days in the domain's time zone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from .selection import CampaignRule

STATE_LABELS = {
    "runs": "Active",
    "blocked": "Blocked",
    "next": "Scheduled",
    "paused": "Paused",
    "over": "Ended",
    "archived": "Archived",
}

DAYS_BEFORE = 14
DAYS_AFTER = 56
WIDTH = 960
NAMES = 200  # what the names on the left take of the width
ROW = 34
TOP = 30


@dataclass(frozen=True, slots=True)
class Bar:
    """One campaign's bar. is_cut_left, is_cut_right: it continues beyond the scale."""

    campaign: CampaignRule
    state: str
    x: float
    width: float
    y: float
    is_cut_left: bool
    is_cut_right: bool

    @property
    def text_y(self) -> float:
        return self.y + 16

    @property
    def short_name(self) -> str:
        name = self.campaign.name
        return name if len(name) <= 26 else f"{name[:25].rstrip()}…"


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark at the beginning of a week or month."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole timeline. now_x: position of the present."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    now_x: float
    width: int
    height: float
    left: int = NAMES
    top: int = TOP


def get_state(campaign: CampaignRule, at: datetime, *, is_blocked: bool = False) -> str:
    """Return 'over', 'paused', 'blocked', 'next' or 'runs': the state of a campaign at that time.

    is_blocked: whether something other than a pause or its end keeps it from showing.
    """
    if campaign.ends_at is not None and campaign.ends_at <= at:
        return "over"
    if campaign.is_paused:
        return "paused"
    if is_blocked:
        return "blocked"
    return "next" if campaign.starts_at > at else "runs"


def draw_timeline(
    campaigns: Sequence[CampaignRule], *, at: datetime, zone: tzinfo, blocked: Collection[int] = ()
) -> Timeline:
    """Return two weeks back and eight ahead, one bar for each campaign that touches them, in the order given.

    blocked: ids of the campaigns that cannot show.
    """
    today = at.astimezone(zone).date()
    # Whole days of the zone, so that a day is a day where the clocks change.
    first = datetime.combine(today - timedelta(days=DAYS_BEFORE), time(), zone)
    last = datetime.combine(today + timedelta(days=DAYS_AFTER), time(), zone)

    def place(instant: datetime) -> float:
        share = (instant.timestamp() - first.timestamp()) / (last.timestamp() - first.timestamp())
        return round(NAMES + min(max(share, 0.0), 1.0) * (WIDTH - NAMES), 1)

    shown = [
        one for one in campaigns if one.starts_at < last and (one.ends_at is None or one.ends_at > first)
    ]
    bars = []
    for row, campaign in enumerate(shown):
        start, end = place(campaign.starts_at), place(campaign.ends_at or last)
        bars.append(
            Bar(
                campaign=campaign,
                state=get_state(campaign, at, is_blocked=campaign.id in blocked),
                x=start,
                width=max(round(end - start, 1), 4.0),
                y=TOP + row * ROW + 6,
                is_cut_left=campaign.starts_at < first,
                is_cut_right=campaign.ends_at is None or campaign.ends_at > last,
            )
        )
    monday = first.date() + timedelta(days=-first.weekday() % 7)
    ticks = []
    while monday < last.date():
        at_midnight = datetime.combine(monday, time(), zone)
        ticks.append(Tick(place(at_midnight), f"{monday.day} {monday:%b}"))
        monday += timedelta(days=14)
    return Timeline(tuple(bars), tuple(ticks), place(at), WIDTH, TOP + len(shown) * ROW + 6)
