"""Precedence, without a database: the group a person is in, and the template a sender carries."""

from __future__ import annotations

import pytest

from signatures.senders.assignment import Explanation, Why, choose_template, explain
from signatures.senders.membership import GroupRule, choose_group

NORTH = GroupRule(1, "North", 2, "t-north")
SOUTH = GroupRule(2, "South", 1, "t-south")
BY_HAND = GroupRule(3, "By hand", 0)
EVERYONE = GroupRule(9, "Default group", 0, is_default=True)
GROUPS = [NORTH, SOUTH, BY_HAND, EVERYONE]


@pytest.mark.parametrize(
    ("teams", "expected"),
    [
        (["t-north"], NORTH.id),
        (["t-north", "t-south"], SOUTH.id),
        ([], EVERYONE.id),
        (["t-gone"], EVERYONE.id),
        ([""], EVERYONE.id),
    ],
)
def test_earliest_position_among_a_persons_teams_wins_and_nobody_is_left_without(teams, expected):
    assert choose_group(teams, GROUPS) == expected
    assert choose_group(teams, list(reversed(GROUPS))) == expected


def test_of_two_groups_at_one_position_the_older_wins():
    younger = GroupRule(7, "Younger", 1, "t-north")

    assert choose_group(["t-north", "t-south"], [younger, SOUTH]) == SOUTH.id


def test_without_any_group_there_is_none():
    assert choose_group(["t-north"], []) is None


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ((1, 2, 3), (1, Why.OWN)),
        ((None, 2, 3), (2, Why.GROUP)),
        ((None, None, 3), (3, Why.DEFAULT)),
        ((None, None, None), (None, Why.NONE)),
    ],
)
def test_own_template_beats_the_groups_and_that_the_default_groups(ids, expected):
    assert choose_template(*ids) == expected


def test_explanation_names_the_groups_that_stand_behind():
    found = explain(
        team_ids=["t-north", "t-south"], groups=GROUPS, sender_template_id=None, template_by_group={9: 30}
    )

    assert found == Explanation(
        SOUTH.id,
        30,
        "“South” has priority over “North”.",
        "Inherited from the default group.",
    )
