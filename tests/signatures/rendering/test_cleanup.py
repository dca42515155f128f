"""Clean-up: cleaning twice changes nothing more, and letter case knows particles, acronyms and prefixes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signatures.rendering.cleanup import LETTER_CASES, PHONE_FORMATS, CleanUp, clean_value, write_title_case

WORDS = st.text(alphabet="abAB .,-'’&+0123456789()ßİéxt", max_size=30)
RULES = st.builds(
    CleanUp,
    trim=st.booleans(),
    replacements=st.lists(
        st.tuples(st.text("abAB .", min_size=1, max_size=3), st.text("abAB .", max_size=4)), max_size=4
    ).map(tuple),
    letter_case=st.sampled_from(("", *LETTER_CASES)),
    phone=st.sampled_from(("", *PHONE_FORMATS)),
    region=st.sampled_from(("", "US", "DE", "GB")),
)


@given(WORDS, RULES)
def test_cleaning_twice_changes_nothing_more(text, rules):
    once = clean_value(text, rules, "US")

    assert clean_value(once, rules, "US") == once


@given(RULES)
def test_rules_are_stored_and_read_back_the_same(rules):
    assert CleanUp.from_json(rules.to_json()) == rules


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("VICE PRESIDENT OF SALES, EMEA", "Vice President of Sales, EMEA"),
        ("vp of sales", "VP of Sales"),
        ("MAARTEN VAN DER BERG", "Maarten van der Berg"),
        ("van der berg", "van der Berg"),
        ("MCDONALD", "McDonald"),
        ("o'brien", "O'Brien"),
        ("JEAN-LUC DE LA CRUZ", "Jean-Luc de la Cruz"),
        ("john smith iii", "John Smith III"),
        ("Head of iPhone sales", "Head of iPhone Sales"),
        ("Head of GTM", "Head of GTM"),
        ("sr. it manager, r&d", "Sr. IT Manager, R&D"),
        ("CEO AND FOUNDER", "CEO and Founder"),
        ("李 雷", "李 雷"),
    ],
)
def test_letter_case(written, shown):
    assert write_title_case(written) == shown


@pytest.mark.parametrize(
    ("typed", "style", "shown"),
    [
        ("(415) 555-0142", "international", "+1 415-555-0142"),
        ("+1 415.555.0142 x204", "international", "+1 415-555-0142 ext. 204"),
        ("+14155550142", "national", "(415) 555-0142"),
        ("+49 30 901820", "national", "+49 30 901820"),
        ("1-800-FLOWERS", "international", "1-800-FLOWERS"),
        ("ask at the desk", "international", "ask at the desk"),
    ],
)
def test_phone_formats_leave_what_is_not_one_certain_number(typed, style, shown):
    assert clean_value(typed, CleanUp(phone=style, region="US")) == shown


def test_replacements_that_never_settle_leave_the_value_as_it_was():
    assert clean_value("ab", CleanUp(replacements=(("a", "b"), ("b", "aa")))) == "ab"
    assert clean_value(r"a\1", CleanUp(replacements=(("a", r"\g<0>"),))) == r"\g<0>\1"
