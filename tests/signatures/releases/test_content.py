"""Release content: a merge takes the chosen changes and no others, and what is stored comes back the same."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signatures.releases.content import (
    BANNER_FIELDS,
    COMPANY_FIELDS,
    ReleaseContent,
    ReleasedGroup,
    list_changed_keys,
    merge,
)
from signatures.senders.assignment import DatedTemplate
from signatures.senders.disclaimers import DatedDisclaimer

IDS = st.integers(1, 6)
DAYS = st.sampled_from(["", "2026-01-01", "2026-06-30", "2027-01-01"])
DISCLAIMERS = st.lists(
    st.builds(DatedDisclaimer, text=st.text(max_size=3), starts=DAYS, ends=DAYS), max_size=2
).map(tuple)
ASSIGNMENT = st.builds(DatedTemplate, template_id=IDS, starts=DAYS, ends=DAYS)
ASSIGNMENTS = st.lists(ASSIGNMENT, max_size=2).map(tuple)
WORDS = st.sampled_from(["", "Acme", "Ünïcödé ✓", "<p>"])


@st.composite
def contents(draw: st.DrawFn) -> ReleaseContent:
    """Content as a draft can have it: groups in any order, the default group last if there is one."""
    others = draw(st.lists(IDS, unique=True, max_size=6))
    default = [99] if draw(st.booleans()) else []
    return ReleaseContent(
        templates=draw(st.dictionaries(IDS, st.integers(1, 3))),
        company={name: draw(WORDS) for name in COMPANY_FIELDS[:2]},
        banner={name: draw(st.sampled_from([True, False])) for name in BANNER_FIELDS[:1]},
        groups=tuple(
            ReleasedGroup(
                id=id,
                name=draw(WORDS),
                team_id="" if id == 99 else f"team {id}",
                is_default=id == 99,
                template_id=draw(st.none() | IDS),
                values=draw(st.dictionaries(st.sampled_from(COMPANY_FIELDS[:2]), WORDS)),
                fields=draw(st.dictionaries(st.sampled_from(["sender.phone", "sender.mobile"]), WORDS)),
                disclaimers=draw(DISCLAIMERS),
                assignments=draw(ASSIGNMENTS),
            )
            for id in others + default
        ),
        people=draw(st.dictionaries(IDS, IDS)),
        disclaimers=draw(DISCLAIMERS),
        dated_people=draw(st.dictionaries(IDS, st.lists(ASSIGNMENT, min_size=1, max_size=2).map(tuple))),
    )


@given(live=contents(), draft=contents())
def test_merging_every_change_gives_the_draft(live, draft):
    assert merge(live, draft, list_changed_keys(live, draft)) == draft


@given(live=contents(), draft=contents())
def test_merging_no_change_gives_what_is_live(live, draft):
    assert merge(live, draft, []) == live
    assert list_changed_keys(live, live) == []


@given(live=contents(), draft=contents(), choose=st.data())
def test_a_merge_changes_what_was_chosen_and_leaves_the_rest_to_publish(live, draft, choose):
    keys = list_changed_keys(live, draft)
    chosen = choose.draw(st.sets(st.sampled_from(keys))) if keys else set()

    merged = merge(live, draft, chosen)

    assert set(list_changed_keys(live, merged)) <= chosen
    assert set(list_changed_keys(merged, draft)) <= {*keys, "order"} - (chosen - {"order"})


@given(content=contents())
def test_content_and_its_digest_survive_being_stored(content):
    stored = ReleaseContent.from_json(json.loads(json.dumps(content.to_json())))

    assert stored == content
    assert stored.digest == content.digest


@given(one=contents(), other=contents())
def test_digests_differ_exactly_where_contents_do(one, other):
    assert (one.digest == other.digest) is (one == other)


def test_content_of_a_later_version_is_refused():
    with pytest.raises(ValueError, match="later version"):
        ReleaseContent.from_json({"format": 2})


def test_a_content_from_before_group_values_keeps_its_digest():
    stored = {
        "format": 1,
        "templates": {"1": 2},
        "company": {"name": "Acme", "accent": "#2b4acb"},
        "banner": {"is_on": False},
        "groups": [{"id": 1, "name": "West", "team_id": "7", "is_default": False, "template_id": 1}],
        "people": {},
    }

    assert ReleaseContent.from_json(stored).to_json() == stored


@pytest.mark.parametrize(
    ("day", "company", "west"),
    [
        ("2026-05-31", "Always", "West’s"),
        ("2026-06-01", "June", "West’s"),
        ("2026-06-14", "June", "Fair"),
        ("2026-06-15", "Sale", "Fair"),
        ("2026-06-16", "June", "West’s"),
        ("2026-06-30", "June", "West’s"),
        ("2026-07-01", "Always", "West’s"),
    ],
)
def test_a_dated_disclaimer_holds_from_its_first_to_its_last_day(day, company, west):
    june = DatedDisclaimer("June", starts="2026-06-01", ends="2026-06-30")
    sale = DatedDisclaimer("Sale", starts="2026-06-15", ends="2026-06-15")
    fair = DatedDisclaimer("Fair", starts="2026-06-14", ends="2026-06-15")
    content = ReleaseContent(
        company={"legal": "Always", "name": "Acme"},
        groups=(
            ReleasedGroup(1, "West", values={"legal": "West’s"}, disclaimers=(fair,)),
            ReleasedGroup(2, "Other", is_default=True),
        ),
        disclaimers=(sale, june),
    )

    held = content.on(date.fromisoformat(day))

    assert (held.company["legal"], held.groups[0].values["legal"]) == (company, west)
    assert (held.company["name"], dict(held.groups[1].values)) == ("Acme", {})
    assert content.is_dated and not held.is_dated


STANDARD, WINTER, FAIR = 1, 2, 3


@pytest.mark.parametrize(
    ("day", "west", "east", "ana"),
    [
        ("2026-11-30", STANDARD, STANDARD, STANDARD),
        ("2026-12-01", WINTER, STANDARD, WINTER),
        ("2026-12-24", WINTER, STANDARD, FAIR),
        ("2026-12-25", FAIR, STANDARD, FAIR),
        ("2026-12-26", STANDARD, STANDARD, STANDARD),
    ],
)
def test_dated_templates_of_a_group_follow_each_other_and_a_persons_own_comes_first(day, west, east, ana):
    content = ReleaseContent(
        templates={STANDARD: 10, WINTER: 20, FAIR: 30},
        groups=(
            ReleasedGroup(
                1,
                "West",
                assignments=(
                    DatedTemplate(WINTER, starts="2026-12-01", ends="2026-12-24"),
                    DatedTemplate(FAIR, starts="2026-12-25", ends="2026-12-25"),
                ),
            ),
            ReleasedGroup(2, "East", template_id=STANDARD),
            ReleasedGroup(9, "Default group", is_default=True, template_id=STANDARD),
        ),
        dated_people={7: (DatedTemplate(FAIR, starts="2026-12-24", ends="2026-12-25"),)},
    )

    held = content.on(date.fromisoformat(day))

    assert [held.find_template(5, held.group_by_id[1]), held.find_template(5, held.group_by_id[2])] == [
        west,
        east,
    ]
    assert held.find_template(7, held.group_by_id[1]) == ana
    assert held.find_template(7, held.group_by_id[2]) == (FAIR if day[-2:] in ("24", "25") else STANDARD)
    assert content.is_dated and not held.is_dated


def test_a_dated_template_that_is_left_out_is_named_by_what_assigns_it():
    content = ReleaseContent(
        groups=(ReleasedGroup(1, "West", assignments=(DatedTemplate(2, ends="2026-12-24"),)),),
        dated_people={7: (DatedTemplate(2, starts="2026-12-24"), DatedTemplate(3, ends="2026-12-23"))},
    )

    assert content.list_unpublished_templates() == {2: ["group:1", "person:7"], 3: ["person:7"]}
