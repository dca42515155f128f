"""Release content: a merge takes the chosen changes and no others, and what is stored comes back the same."""

from __future__ import annotations

import json

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

IDS = st.integers(1, 6)
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
            )
            for id in others + default
        ),
        people=draw(st.dictionaries(IDS, IDS)),
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
