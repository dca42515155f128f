"""What was granted, compared with what was requested."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.outreach.scopes import REQUESTED, SCOPES, Grant, Verb, compare, features_lost

SUBSETS = [subset for size in range(5) for subset in combinations(REQUESTED, size)]


@pytest.mark.parametrize("subset", SUBSETS, ids=lambda subset: "+".join(subset) or "none")
def test_what_was_not_granted_is_missing(subset):
    grant = compare(REQUESTED, " ".join(subset))

    missing = tuple(name for name in REQUESTED if name not in subset)
    assert grant == Grant(subset, missing, (), is_known=True)
    assert len(features_lost(grant.missing)) == len(missing)


@given(
    st.lists(st.sampled_from(REQUESTED), unique=True),
    st.sampled_from([" ", "+", "  ", ", ", "\n"]),
    st.randoms(use_true_random=False),
)
def test_order_joiner_and_repetition_change_nothing(names, joiner, random):
    told = names * 2
    random.shuffle(told)

    assert compare(REQUESTED, joiner.join(told)) == compare(REQUESTED, " ".join(names))


def test_an_absent_scope_is_unknown_and_never_taken_for_all():
    assert compare(REQUESTED, None) == Grant((), (), (), is_known=False)


def test_an_empty_scope_is_known_and_grants_nothing():
    assert compare(REQUESTED, "") == Grant((), REQUESTED, (), is_known=True)


def test_what_was_granted_and_not_requested_is_named():
    grant = compare(REQUESTED, " ".join(REQUESTED) + " sequences.all calls.read")

    assert grant == Grant(REQUESTED, (), ("calls.read", "sequences.all"), is_known=True)


def test_all_grants_read_and_nothing_less_grants_all():
    grant = compare(REQUESTED, "teams.all users.read mailboxes.write prospects.read")

    assert grant.granted == ("teams.read", "prospects.read")
    assert grant.missing == ("users.all", "mailboxes.all")
    assert grant.extra == ("mailboxes.write", "teams.all", "users.read")


def test_each_lost_feature_is_named_by_a_sentence_of_its_own():
    sentences = features_lost(REQUESTED)

    assert len(set(sentences)) == 4
    assert features_lost(["mailboxes.all"]) == (sentences[2],)
    assert features_lost([]) == ()


def test_the_verbs_say_what_a_scope_opens_and_which_of_it_is_used():
    assert {scope.name: scope.verbs for scope in SCOPES} == {
        "users.all": (Verb("read", "requested"), Verb("write", "never"), Verb("delete", "never")),
        "teams.read": (Verb("read", "requested"),),
        "mailboxes.all": (Verb("read", "requested"), Verb("write", "requested"), Verb("delete", "never")),
        "prospects.read": (Verb("read", "requested"),),
    }


def test_whatever_outreach_would_let_us_do_beyond_our_use_is_said():
    honest = {scope.name for scope in SCOPES if scope.never}

    assert honest == {scope.name for scope in SCOPES if Verb("delete", "never") in scope.verbs}
