"""The linter: each reason why a campaign never shows, and no alarm where all is well."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from signatures.audiences.attributes import parse_audience
from signatures.campaigns.lint import Facts, Level, Tally, lint_campaigns
from signatures.campaigns.ruleset import Ruleset
from signatures.campaigns.selection import BannerRule, CampaignRule, Cap, rank

NOW = datetime(2027, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
WELL = Facts(
    at=NOW,
    senders={10: 3, 11: 0, None: 1},
    group_names={10: "Sales", 11: "Interns"},
    lists={"4": ("Partners", 9)},
)
TITLE = {"attribute": "title", "operator": "is_filled"}
STAGE = {"attribute": "stage", "operator": "is", "values": ["3"]}
LIST = {"attribute": "list", "operator": "is", "values": ["4"]}


def make(pk: int = 1, **given) -> CampaignRule:
    values = {
        "name": f"C{pk}",
        "priority": -pk,
        "starts_at": NOW - DAY,
        "ends_at": NOW + DAY,
        "banners": (BannerRule(pk),),
    }
    return CampaignRule(pk, **{**values, **given})


def lint(*campaigns: CampaignRule, facts: Facts = WELL, audiences=None) -> dict[int, list[tuple[Level, str]]]:
    parsed = {pk: parse_audience(stored) for pk, stored in (audiences or {}).items()}
    ruleset = Ruleset(1, 1, ZoneInfo("UTC"), tuple(rank(campaigns)), parsed)
    return {
        pk: [(one.level, one.code) for one in found] for pk, found in lint_campaigns(ruleset, facts).items()
    }


def test_a_campaign_that_shows_has_no_finding():
    assert lint(make(1)) == {}
    assert lint(make(1, has_audience=True), audiences={1: [TITLE, LIST]}) == {}


@pytest.mark.parametrize(
    ("change", "facts", "code"),
    [
        ({"ends_at": NOW}, WELL, "over"),
        ({"is_paused": True}, WELL, "paused"),
        ({"banners": ()}, WELL, "no_banner"),
        ({"group_ids": frozenset({11})}, WELL, "no_senders"),
        ({"group_ids": frozenset({99})}, WELL, "no_senders"),
        ({}, replace(WELL, senders={}), "no_senders"),
        ({}, replace(WELL, place_is_on=False), "place_off"),
        ({"has_audience": True}, WELL, "audience_unreadable"),
    ],
)
def test_what_keeps_a_campaign_from_ever_showing_is_said(change, facts, code):
    bystander = make(2, priority=-9)

    assert (Level.NEVER, code) in lint(make(1, **change), bystander, facts=facts)[1]


@pytest.mark.parametrize(
    ("stored", "facts", "finding"),
    [
        ([TITLE], replace(WELL, why_no_prospects="it is off."), (Level.NEVER, "prospects_closed")),
        ([TITLE], replace(WELL, knows_recipients=False), (Level.NEVER, "nobody_known")),
        ([LIST], replace(WELL, knows_recipients=False), (Level.NEVER, "nobody_known")),
        ([LIST], replace(WELL, lists={"4": ("Partners", 0)}), (Level.DOUBT, "list_empty")),
        ([LIST], replace(WELL, lists={}), (Level.DOUBT, "list_gone")),
        ([STAGE], replace(WELL, unlabelled={1: ["Stage 3"]}), (Level.INFO, "no_label")),
        ([TITLE], replace(WELL, tallies={1: Tally(20, 0, NOW - DAY)}), (Level.DOUBT, "nobody_matched")),
    ],
)
def test_what_is_wrong_with_an_audience_is_said_and_of_no_other_campaign(stored, facts, finding):
    bystander = make(2, priority=-9)

    assert lint(make(1, has_audience=True), bystander, facts=facts, audiences={1: stored}) == {1: [finding]}


@pytest.mark.parametrize(
    ("stored", "facts"),
    [
        ([LIST], replace(WELL, why_no_prospects="it is off.")),
        ([TITLE], replace(WELL, tallies={1: Tally(19, 0, NOW)})),
        ([TITLE], replace(WELL, tallies={1: Tally(500, 1, NOW)})),
    ],
)
def test_an_audience_that_can_be_met_is_not_doubted(stored, facts):
    assert lint(make(1, has_audience=True), facts=facts, audiences={1: stored}) == {}


@pytest.mark.parametrize(
    ("winner", "is_shadow"),
    [
        ({}, True),
        ({"ends_at": None}, True),
        ({"starts_at": NOW - timedelta(hours=1)}, True),
        ({"starts_at": NOW + timedelta(hours=1)}, False),
        ({"ends_at": NOW + timedelta(hours=1)}, False),
        ({"is_paused": True}, False),
        ({"banners": ()}, False),
        ({"has_audience": True}, False),
        ({"cap": Cap(1, 1)}, False),
        ({"group_ids": frozenset({11})}, False),
        ({"group_ids": frozenset({10})}, False),
    ],
)
def test_a_campaign_behind_one_that_always_shows_never_does(winner, is_shadow):
    found = lint(make(1, priority=9, **winner), make(2))

    assert ((Level.NEVER, "outranked") in found.get(2, [])) is is_shadow
    assert (Level.NEVER, "outranked") not in found.get(1, [])


def test_a_campaign_of_some_groups_is_outranked_by_one_of_more_groups_only():
    behind = make(2, group_ids=frozenset({10}))

    assert (Level.NEVER, "outranked") in lint(make(1, priority=9, group_ids=frozenset({10, 11})), behind)[2]
    assert 2 not in lint(make(1, priority=9, group_ids=frozenset({11, 12})), behind)


def test_equal_priorities_that_meet_are_told_of_both():
    first, second = make(1, priority=0, ends_at=NOW + DAY), make(2, priority=0, ends_at=NOW + 2 * DAY)

    assert lint(first, second) == {1: [(Level.INFO, "same_priority")], 2: [(Level.INFO, "same_priority")]}
    assert lint(first, replace(second, starts_at=NOW + DAY)) == {}
    assert (
        lint(replace(first, group_ids=frozenset({10})), replace(second, group_ids=frozenset({11, 12}))).get(1)
        is None
    )


def test_findings_come_worst_first_and_end_in_what_to_do():
    campaign = make(1, banners=(), is_paused=True, has_audience=True, ends_at=NOW)
    ruleset = Ruleset(1, 1, ZoneInfo("UTC"), (campaign,), {1: parse_audience([STAGE, LIST])})
    facts = replace(
        WELL, place_is_on=False, senders={}, knows_recipients=False, why_no_prospects="it is off.", lists={},
        unlabelled={1: ["Stage 3"]}, tallies={1: Tally(99, 0, NOW)},
    )  # fmt: skip

    found = lint_campaigns(ruleset, facts)[1]

    levels = [list(Level).index(one.level) for one in found]
    assert levels == sorted(levels)
    assert all(one.sentence.endswith(".") for one in found)
