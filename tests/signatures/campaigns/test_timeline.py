"""The timeline: where each campaign's bar lies, what is cut off, and today's line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from signatures.campaigns.selection import BannerRule, CampaignRule
from signatures.campaigns.timeline import NAMES, WIDTH, draw_timeline, get_state

NOW = datetime(2027, 3, 20, 12, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")


def make(pk: int, starts: int, ends: int | None, **given) -> CampaignRule:
    values = {"name": f"Campaign {pk}", "priority": 0, "banners": (BannerRule(1),)} | given
    return CampaignRule(
        pk,
        starts_at=NOW + timedelta(days=starts),
        ends_at=None if ends is None else NOW + timedelta(days=ends),
        **values,
    )


def test_bars_lie_where_their_days_do_and_what_is_outside_is_left_out():
    campaigns = [make(1, -1, 7), make(2, -100, None), make(3, -50, -20), make(4, 57, None), make(5, 10, 500)]

    drawn = draw_timeline(campaigns, at=NOW, zone=ZONE)

    assert [bar.campaign.id for bar in drawn.bars] == [1, 2, 5]
    assert [(bar.is_cut_left, bar.is_cut_right) for bar in drawn.bars] == [
        (False, False),
        (True, True),
        (False, True),
    ]
    first, endless, later = drawn.bars
    assert (endless.x, round(endless.x + endless.width, 1)) == (NAMES, WIDTH)
    assert first.x < drawn.now_x < first.x + first.width
    assert later.x > drawn.now_x
    day = (WIDTH - NAMES) / 70
    assert first.width == pytest.approx(8 * day, abs=0.5)  # one hour of it is lost to summer time
    assert [bar.y for bar in drawn.bars] == sorted(bar.y for bar in drawn.bars)


def test_a_campaign_of_minutes_can_still_be_seen():
    brief = CampaignRule(1, "Flash", 0, NOW, NOW + timedelta(minutes=5), (BannerRule(1),))

    assert draw_timeline([brief], at=NOW, zone=ZONE).bars[0].width == 4


def test_ticks_stand_on_mondays_of_the_zone():
    drawn = draw_timeline([], at=NOW, zone=ZONE)

    assert [tick.label for tick in drawn.ticks] == ["8 Mar", "22 Mar", "5 Apr", "19 Apr", "3 May"]


@pytest.mark.parametrize(
    ("campaign", "state"),
    [
        (make(1, -1, 1), "runs"),
        (make(1, 1, 2), "next"),
        (make(1, -2, -1), "over"),
        (make(1, -2, 0), "over"),
        (make(1, 0, 1), "runs"),
        (make(1, -1, 1, is_paused=True), "paused"),
        (make(1, -2, -1, is_paused=True), "over"),
    ],
)
def test_a_campaign_is_in_one_state(campaign, state):
    assert get_state(campaign, NOW) == state
