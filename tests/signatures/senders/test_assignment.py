"""Precedence, without a database: the group a person is in, and the template a sender carries."""

from __future__ import annotations

import pytest

from signatures.senders.assignment import DatedTemplate, Explanation, Why, choose_template, explain
from signatures.senders.group_membership import GroupRule, GroupTable, Member


def contains(name: str, *values: str) -> dict[str, object]:
    return {"attribute": name, "operator": "contains", "values": list(values)}


VPS = GroupRule(5, "VPs", rule=(contains("title", "VP"),), excluded=(31,))
SOUTH = GroupRule(2, "South", "t-south")
NORTH = GroupRule(1, "North", "t-north", teams=("t-far-north",))
BY_HAND = GroupRule(3, "By hand", included=(30, 31))
EVERYONE = GroupRule(9, "Default group", is_default=True)
GROUPS = [VPS, SOUTH, NORTH, BY_HAND, EVERYONE]
VP = {"sender.title": "VP of Sales", "sender.email": "ana@Acme.example"}


def names(member: Member, groups: list[GroupRule] = GROUPS) -> list[str]:
    return [group.name for group in GroupTable(groups).list_groups(member)]


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        (Member(1, ["t-north"]), ["North"]),
        (Member(1, ["t-far-north"]), ["North"]),
        (Member(1, ["t-north", "t-south"]), ["South", "North"]),
        (Member(1, ["t-north"], VP), ["VPs", "North"]),
        (Member(30), ["By hand"]),
        (Member(30, ["t-south"], VP), ["VPs", "South", "By hand"]),
        (Member(31, ["t-south"], VP), ["South", "By hand"]),
        (Member(0), ["Default group"]),
        (Member(1, ["t-gone"]), ["Default group"]),
        (Member(1, [""]), ["Default group"]),
    ],
)
def test_a_person_is_in_every_group_that_holds_for_them_and_nobody_is_left_without(member, expected):
    assert names(member) == expected
    winner = GroupTable(GROUPS).find_group(member)
    assert winner is not None
    assert winner.name == expected[0]


def test_order_decides_who_wins():
    both = Member(1, ["t-north", "t-south"])

    assert names(both, [NORTH, SOUTH, EVERYONE]) == ["North", "South"]


def test_an_excluded_person_is_in_no_way_a_member():
    group = GroupRule(1, "One", "t-1", included=(7,), excluded=(7,), rule=(contains("title", "VP"),))

    assert names(Member(7, ["t-1"], VP), [group, EVERYONE]) == ["Default group"]
    assert names(Member(8, ["t-1"], VP), [group, EVERYONE]) == ["One"]


@pytest.mark.parametrize("rule", [(), ({"attribute": "title"},), ({"any": []},), ("title",)])
def test_a_rule_that_cannot_be_read_takes_nobody(rule):
    assert names(Member(1, values=VP), [GroupRule(1, "One", rule=rule), EVERYONE]) == ["Default group"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"attribute": "team", "operator": "is", "values": ["t-south"]}, True),
        ({"attribute": "team", "operator": "is_not", "values": ["t-south"]}, False),
        ({"attribute": "email_domain", "operator": "is", "values": ["acme.example"]}, True),
        ({"attribute": "email_domain", "operator": "is_not", "values": ["acme.example"]}, False),
        ({"attribute": "pronouns", "operator": "is_empty", "values": []}, True),
        ({"attribute": "x_text_region", "operator": "is", "values": ["Kept here"]}, True),
    ],
)
def test_rules_ask_about_teams_domains_and_any_field_of_a_sender(condition, expected):
    member = Member(1, ["t-south"], VP | {"sender.x_text_region": "kept here"})

    found = names(member, [GroupRule(1, "One", rule=(condition,)), EVERYONE])

    assert (found == ["One"]) is expected


def test_without_any_group_there_is_none():
    assert GroupTable([]).find_group(Member(1, ["t-north"])) is None


OWN, GROUPS_OWN, DEFAULTS = DatedTemplate(1), DatedTemplate(2, ends="2026-12-24"), DatedTemplate(3)


@pytest.mark.parametrize(
    ("assigned", "expected"),
    [
        ((OWN, GROUPS_OWN, DEFAULTS), (OWN, Why.OWN)),
        ((None, GROUPS_OWN, DEFAULTS), (GROUPS_OWN, Why.GROUP)),
        ((None, None, DEFAULTS), (DEFAULTS, Why.DEFAULT)),
        ((None, None, None), (None, Why.NONE)),
    ],
)
def test_own_template_beats_the_groups_and_that_the_default_groups(assigned, expected):
    assert choose_template(*assigned) == expected


def test_explanation_names_the_groups_that_stand_behind():
    found = explain(
        member=Member(1, ["t-north", "t-south"], VP),
        groups=GROUPS,
        own=None,
        template_by_group={9: DatedTemplate(30)},
    )

    assert found == Explanation(
        VPS.id,
        30,
        "Member of “VPs”: Job title contains “VP”. It has priority over “South”, “North”.",
        "Inherited from the default group.",
    )


def test_explanation_says_the_dates_of_the_template():
    dated = DatedTemplate(30, starts="2026-12-01", ends="2026-12-24")
    member = Member(1, ["t-north"])

    of_group = explain(member=member, groups=GROUPS, own=None, template_by_group={NORTH.id: dated})
    own = explain(
        member=member, groups=GROUPS, own=DatedTemplate(31, ends="2026-12-24"), template_by_group={}
    )

    assert of_group.template_why == "Assigned to the group from 1 Dec 2026 until 24 Dec 2026."
    assert own.template_why == "Assigned to this sender until 24 Dec 2026; overrides the group."
