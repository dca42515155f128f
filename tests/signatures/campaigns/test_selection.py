"""The choice of a banner: the same for the same input, in proportion to weights, and explained whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signatures.campaigns.selection import (
    NOTHING,
    BannerRule,
    CampaignRule,
    Cap,
    Choice,
    RecipientFacts,
    SenderFacts,
    Why,
    choose_banner,
    explain_choice,
    rank,
)

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2027, 3, 1, 9, tzinfo=UTC)
SENDER = SenderFacts(1, frozenset({10}))
ANNA = RecipientFacts("anna")


def make(pk: int = 1, **given) -> CampaignRule:
    values = {
        "name": f"Campaign {pk}",
        "priority": 0,
        "starts_at": NOW - timedelta(days=1),
        "ends_at": None,
        "banners": (BannerRule(100 * pk),),
    }
    return CampaignRule(pk, **{**values, **given})


def choose(*campaigns: CampaignRule, sender=SENDER, recipient=None, at=NOW) -> Choice:
    return choose_banner(rank(campaigns), sender, recipient, at=at, zone=ZONE)


def why(*campaigns: CampaignRule, sender=SENDER, recipient=None, at=NOW) -> dict[int, Why]:
    _, verdicts = explain_choice(rank(campaigns), sender, recipient, at=at, zone=ZONE)
    return {verdict.campaign.id: verdict.why for verdict in verdicts}


def test_the_higher_priority_shows_and_of_equals_the_older_campaign():
    low, older, younger = make(1, priority=0), make(2, priority=5), make(3, priority=5)

    assert choose(younger, low, older) == Choice(2, 200)
    assert why(younger, low, older) == {2: Why.CHOSEN, 3: Why.OUTRANKED, 1: Why.OUTRANKED}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"is_paused": True}, Why.PAUSED),
        ({"starts_at": NOW + timedelta(seconds=1)}, Why.NOT_YET),
        ({"ends_at": NOW}, Why.OVER),
        ({"banners": ()}, Why.NO_BANNER),
        ({"group_ids": frozenset({11})}, Why.OTHER_GROUP),
        ({"has_audience": True}, Why.NOBODY_KNOWN),
    ],
)
def test_a_campaign_stands_aside_for_one_reason_and_the_next_one_shows(change, expected):
    aside, other = make(1, priority=9, **change), make(2)

    assert choose(aside, other) == Choice(2, 200)
    assert why(aside, other) == {1: expected, 2: Why.CHOSEN}
    assert choose(aside) == NOTHING


def test_a_campaign_covers_its_first_instant_and_not_its_last():
    campaign = make(1, starts_at=NOW, ends_at=NOW + timedelta(hours=1))

    assert choose(campaign, at=NOW).campaign_id == 1
    assert choose(campaign, at=NOW - timedelta(microseconds=1)) == NOTHING
    assert choose(campaign, at=NOW + timedelta(hours=1) - timedelta(microseconds=1)).campaign_id == 1
    assert choose(campaign, at=NOW + timedelta(hours=1)) == NOTHING


def test_groups_let_their_own_senders_through_and_nobody_who_is_in_none():
    campaign = make(1, group_ids=frozenset({10, 12}))

    assert choose(campaign, sender=SenderFacts(1, frozenset({12}))).campaign_id == 1
    assert choose(campaign, sender=SenderFacts(1, frozenset({11, 12}))).campaign_id == 1
    assert choose(campaign, sender=SenderFacts(1, frozenset({11}))) == NOTHING
    assert choose(campaign, sender=SenderFacts(1)) == NOTHING


def test_an_audience_and_a_cap_hold_for_the_recipient_that_is_known():
    campaign = make(1, has_audience=True, cap=Cap(2, 7))
    matched = RecipientFacts("anna", frozenset({1}))

    assert why(campaign, recipient=matched) == {1: Why.CHOSEN}
    assert why(campaign, recipient=RecipientFacts("ben", frozenset({2}))) == {1: Why.NOT_IN_AUDIENCE}
    assert why(campaign, recipient=replace(matched, shown={1: 1, 2: 9})) == {1: Why.CHOSEN}
    assert why(campaign, recipient=replace(matched, shown={1: 2})) == {1: Why.CAPPED}


def test_a_cap_without_an_audience_counts_nobody_who_is_unknown():
    campaign = make(1, cap=Cap(1, 1))

    assert choose(campaign).campaign_id == 1
    assert choose(campaign, recipient=replace(ANNA, shown={1: 1})) == NOTHING


def test_a_verdict_says_what_stands_before_and_when_in_the_zone_of_the_domain():
    campaigns = [
        make(1, name="Spring", priority=2),
        make(2, name="Second", priority=2),
        make(3, name="Third", priority=1),
        make(4, priority=0, starts_at=datetime(2027, 3, 28, 1, tzinfo=UTC)),
        make(5, priority=0, ends_at=NOW - timedelta(hours=1)),
        make(6, priority=0, cap=Cap(1, 1)),
    ]
    facts = replace(ANNA, shown={6: 1})

    _, verdicts = explain_choice(rank(campaigns), SENDER, facts, at=NOW, zone=ZONE)

    assert [verdict.sentence for verdict in verdicts[1:]] == [
        "Outranked by “Spring”, which is older.",
        "Outranked by “Spring”, which has a higher priority.",
        "Starts on 28 March 2027, 03:00 CEST.",
        "Ended on 1 March 2027, 09:00 CET.",
        "Frequency cap reached: once within a day.",
    ]


banners = st.lists(
    st.builds(BannerRule, st.integers(1, 9), st.integers(1, 5)),
    max_size=3,
    unique_by=lambda banner: banner.id,
)
campaigns_of_any_kind = st.lists(
    st.builds(
        make,
        st.integers(1, 50),
        priority=st.integers(-2, 2),
        starts_at=st.sampled_from([NOW - timedelta(days=1), NOW + timedelta(days=1)]),
        ends_at=st.sampled_from([None, NOW - timedelta(hours=1), NOW + timedelta(days=2)]),
        banners=banners.map(tuple),
        group_ids=st.sampled_from([frozenset(), frozenset({10}), frozenset({11})]),
        has_audience=st.booleans(),
        cap=st.sampled_from([None, Cap(1, 7)]),
        is_paused=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda campaign: campaign.id,
)
recipients = st.sampled_from([None, ANNA, RecipientFacts("ben", frozenset(range(1, 51)), {1: 1, 2: 1})])


@given(campaigns_of_any_kind, recipients, st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_the_choice_knows_no_order_and_its_explanation_says_the_same(campaigns, recipient, random: Random):
    chosen = choose(*campaigns, recipient=recipient)
    shuffled = random.sample(campaigns, len(campaigns))

    assert choose(*shuffled, recipient=recipient) == chosen
    told, verdicts = explain_choice(rank(campaigns), SENDER, recipient, at=NOW, zone=ZONE)
    assert told == chosen
    assert len(verdicts) == len(campaigns)
    assert all(verdict.sentence.endswith((".", "cap.")) for verdict in verdicts)
    shown = [verdict.campaign.id for verdict in verdicts if verdict.why == Why.CHOSEN]
    assert shown == ([chosen.campaign_id] if chosen != NOTHING else [])


def test_the_lots_are_drawn_in_proportion_to_the_weights():
    campaign = make(1, banners=(BannerRule(1, 1), BannerRule(2, 2), BannerRule(3, 5)))
    readers = 8_000

    taken = Counter(choose(campaign, recipient=RecipientFacts(str(n))).banner_id for n in range(readers))

    # The lots are fixed, so these are too: within four standard deviations of 1/8, 2/8 and 5/8.
    for banner_id, share in ((1, 1 / 8), (2, 2 / 8), (3, 5 / 8)):
        deviation = (readers * share * (1 - share)) ** 0.5
        assert abs(taken[banner_id] - readers * share) < 4 * deviation


def test_a_banner_more_takes_readers_to_itself_and_moves_nobody_between_the_others():
    two = make(1, banners=(BannerRule(1, 1), BannerRule(2, 3)))
    three = replace(two, banners=(*two.banners, BannerRule(3, 2)))

    moved = 0
    for number in range(2_000):
        reader = RecipientFacts(str(number))
        before, after = choose(two, recipient=reader).banner_id, choose(three, recipient=reader).banner_id
        assert after in (before, 3)
        moved += after == 3

    assert 560 < moved < 780  # a third, as its weight says


def test_a_known_reader_keeps_the_banner_and_an_unknown_ones_changes_by_sender_and_day():
    campaign = make(1, starts_at=NOW - timedelta(days=400), banners=(BannerRule(1), BannerRule(2)))
    days = [NOW + timedelta(days=number) for number in range(40)]

    assert (
        len(
            {
                choose(campaign, recipient=ANNA, sender=SenderFacts(n, frozenset({10})), at=day)
                for n in range(9)
                for day in days
            }
        )
        == 1
    )
    assert {choose(campaign, at=day).banner_id for day in days} == {1, 2}
    assert {choose(campaign, sender=SenderFacts(n, frozenset({10}))).banner_id for n in range(40)} == {1, 2}


def test_a_senders_day_begins_at_midnight_in_the_domains_zone():
    campaign = make(1, banners=tuple(BannerRule(number) for number in range(1, 60)))
    before_midnight = datetime(2027, 3, 1, 22, 59, tzinfo=UTC)
    through_the_day = [datetime(2027, 3, 1, 23, tzinfo=UTC), datetime(2027, 3, 2, 22, 59, tzinfo=UTC)]

    assert len({choose(campaign, at=at) for at in through_the_day}) == 1
    assert choose(campaign, at=before_midnight) != choose(campaign, at=through_the_day[0])


def test_the_lots_are_the_same_in_every_release():
    """Golden: a change here gives every reader of every running campaign another banner."""
    campaign = make(7, banners=(BannerRule(1), BannerRule(2), BannerRule(3)))

    taken = [choose(campaign, recipient=RecipientFacts(f"reader {n}")).banner_id for n in range(12)]

    assert taken == [3, 1, 3, 2, 2, 2, 2, 1, 1, 1, 3, 3]
