"""Audiences: each comparison, what a recipient without a record is taken for, and the words for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signatures.audiences.attributes import (
    ATTRIBUTE_BY_NAME,
    ATTRIBUTES,
    KNOWN_FROM_ADDRESS,
    Recipient,
    get_needed,
    needs_prospect,
    parse_audience,
)
from signatures.conditions.conditions import (
    MAX_CONDITIONS,
    MAX_VALUE_LENGTH,
    MAX_VALUES,
    OPERATORS,
    WITHOUT_VALUES,
    Attribute,
    ConditionError,
    Kind,
    Names,
    hold,
    say,
)

ANNA = Recipient(
    email_domain="sales.globex.example",
    list_ids=frozenset({"4"}),
    values={"title": "VP  of Sales", "score": "42.5", "stage": "3", "source": "", "custom12": "Gold"},
    tags=("emea", "Key Account"),
)
UNKNOWN = Recipient(email_domain="globex.example")


def item(attribute: str, operator: str, *values: str) -> dict[str, object]:
    return {"attribute": attribute, "operator": operator, "values": list(values)}


def holds(recipient: Recipient, *items: dict[str, object]) -> bool:
    return hold(parse_audience(list(items)), recipient)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (item("title", "is", "vp of sales"), True),
        (item("title", "is", "CEO", "VP of Sales"), True),
        (item("title", "is", "VP"), False),
        (item("title", "is_not", "VP"), True),
        (item("title", "is_not", "vp of sales", "CEO"), False),
        (item("title", "contains", "SALES"), True),
        (item("title", "contains", "CFO", "CEO"), False),
        (item("title", "starts_with", "vp o"), True),
        (item("title", "starts_with", "sales"), False),
        (item("title", "is_filled"), True),
        (item("title", "is_empty"), False),
        (item("source", "is_empty"), True),
        (item("company", "is_empty"), True),
        (item("company", "is_not", "Globex"), True),
        (item("custom12", "is", "gold"), True),
        (item("tags", "has_any", "EMEA", "apac"), True),
        (item("tags", "has_any", "key"), False),
        (item("tags", "has_all", "emea", "key account"), True),
        (item("tags", "has_all", "emea", "apac"), False),
        (item("tags", "has_none", "apac"), True),
        (item("tags", "has_none", "apac", "emea"), False),
        (item("score", "at_least", "42.5"), True),
        (item("score", "at_least", "43"), False),
        (item("score", "at_most", "42.5"), True),
        (item("score", "at_most", "-1"), False),
        (item("engaged_score", "at_least", "0"), False),
        (item("engaged_score", "at_most", "0"), False),
        (item("stage", "is", "3", "4"), True),
        (item("stage", "is_not", "3"), False),
        (item("persona", "is", "1"), False),
        (item("persona", "is_not", "1"), True),
        (item("email_domain", "is", "sales.globex.example"), True),
        (item("email_domain", "is", "@Globex.example"), False),
        (item("email_domain", "is_or_below", "@Globex.example"), True),
        (item("email_domain", "is_or_below", "lobex.example"), False),
        (item("email_domain", "is_not", "globex.example"), True),
        (item("list", "is", "4", "5"), True),
        (item("list", "is", "5"), False),
        (item("list", "is_not", "5"), True),
        (item("list", "is_not", "4"), False),
    ],
)
def test_a_condition_holds_or_does_not(condition, expected):
    assert holds(ANNA, condition) is expected


def test_every_condition_must_hold_and_an_empty_audience_is_everybody():
    assert holds(ANNA, item("title", "contains", "vp"), item("tags", "has_any", "emea"))
    assert not holds(ANNA, item("title", "contains", "vp"), item("tags", "has_any", "apac"))
    assert holds(UNKNOWN)


def test_of_several_conditions_any_may_hold_beside_others_that_must():
    vp_or_ceo = {"any": [item("title", "contains", "ceo"), item("title", "contains", "vp")]}
    neither = {"any": [item("title", "contains", "ceo"), item("tags", "has_any", "apac")]}

    assert holds(ANNA, vp_or_ceo, item("tags", "has_any", "emea"))
    assert not holds(ANNA, vp_or_ceo, item("tags", "has_any", "apac"))
    assert not holds(ANNA, neither)
    assert not holds(UNKNOWN, vp_or_ceo)
    assert [say(one) for one in parse_audience([neither])] == [
        "Title contains “ceo” or Tags has any of “apac”"
    ]


def test_accents_compare_alike_however_they_are_written():
    composed, decomposed = "Zürich", "Zu\u0308rich"
    recipient = Recipient("a.example", values={"city": decomposed})

    assert holds(recipient, item("city", "is", composed))


@pytest.mark.parametrize(
    "attribute", [one for one in ATTRIBUTES if one.name not in KNOWN_FROM_ADDRESS], ids=lambda one: one.name
)
def test_nothing_holds_of_a_record_that_is_not_known_not_even_a_no(attribute):
    for operator in OPERATORS[attribute.kind]:
        values = [] if operator in WITHOUT_VALUES else ["1"]
        condition = item(attribute.name, operator.value, *values)

        assert not holds(UNKNOWN, condition)
        assert needs_prospect(parse_audience([condition]))


def test_only_the_attributes_that_are_asked_about_are_needed():
    conditions = parse_audience(
        [item("email_domain", "is", "a.example"), item("list", "is", "1"), item("tags", "has_any", "x"),
         item("custom3", "is_filled"), item("owner", "is", "9")]
    )  # fmt: skip

    assert get_needed(conditions) == {"tags", "custom3", "owner"}
    assert not needs_prospect(conditions[:2])


@pytest.mark.parametrize(
    ("stored", "index", "words"),
    [
        ({}, 0, "must be a list"),
        ([item("title", "is", "a")] * (MAX_CONDITIONS + 1), 0, "at most 20 conditions"),
        ([{"any": [item("title", "is", "a")] * MAX_CONDITIONS}, item("title", "is", "a")], 0, "at most 20"),
        ([{"any": []}], 0, "A condition needs"),
        ([{"any": "title"}], 0, "A condition needs"),
        ([{"any": [{"any": [item("title", "is", "a")]}]}], 0, "A condition needs"),
        (
            [item("title", "is", "a"), {"any": [item("title", "is", "a"), item("title", "is")]}],
            2,
            "Enter a value",
        ),
        (["title"], 0, "A condition needs"),
        ([item("title", "is", "a") | {"more": 1}], 0, "A condition needs"),
        ([item("shoe size", "is", "a")], 0, "Choose a field"),
        (
            [item("title", "is", "a"), item("title", "has_any", "a")],
            1,
            "This comparison is not possible for Title",
        ),
        ([item("tags", "is", "a")], 0, "This comparison is not possible for Tags"),
        ([item("title", "is")], 0, "Enter a value for title"),
        ([item("title", "is", "  ", "")], 0, "Enter a value for title"),
        ([{"attribute": "title", "operator": "is", "values": "a"}], 0, "must be text"),
        ([{"attribute": "title", "operator": "is", "values": [1]}], 0, "must be text"),
        ([item("title", "is", *map(str, range(MAX_VALUES + 1)))], 0, "At most 200 values"),
        ([item("title", "is", "a" * (MAX_VALUE_LENGTH + 1))], 0, "At most 200 values"),
        ([item("score", "at_least", "many")], 0, "one number"),
        ([item("score", "at_least", "1", "2")], 0, "one number"),
        ([item("score", "at_least", "nan")], 0, "one number"),
        ([item("score", "at_least", "inf")], 0, "one number"),
        ([item("email_domain", "is", "dana@acme.example")], 0, "Enter only the domain"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place_and_words(stored, index, words):
    with pytest.raises(ConditionError, match=words) as refused:
        parse_audience(stored)
    assert refused.value.index == index


def draw_condition(attribute: Attribute) -> st.SearchStrategy[dict[str, object]]:
    """Any condition on this attribute that can be used."""
    values = ["7"] if attribute.kind is Kind.NUMBER else ["7", " 8 "]
    return st.sampled_from(OPERATORS[attribute.kind]).map(
        lambda operator: item(attribute.name, operator, *([] if operator in WITHOUT_VALUES else values))
    )


CONDITION = st.sampled_from(ATTRIBUTES).flatmap(draw_condition)


@given(st.lists(CONDITION | st.builds(lambda *parts: {"any": list(parts)}, CONDITION, CONDITION), max_size=6))
def test_what_is_read_is_written_so_that_it_reads_the_same(stored):
    conditions = parse_audience(stored)

    again = parse_audience([condition.as_json() for condition in conditions])

    assert again == conditions
    each = [hold([condition], ANNA) for condition in conditions]
    assert all(each) is hold(conditions, ANNA)


def test_a_condition_is_said_with_labels_and_without_the_recipients_values():
    names = Names({("stage", "3"): "Customer", ("custom12", ""): "Tier", ("list", "4"): "Partners"})
    conditions = parse_audience(
        [
            item("title", "contains", "VP"),
            item("stage", "is", "3", "9"),
            item("custom12", "is_filled"),
            item("list", "is_not", "4"),
            item("email_domain", "is_or_below", "acme.example"),
        ]
    )

    assert [say(condition, names) for condition in conditions] == [
        "Title contains “VP”",
        "Stage is “Customer”, “9”",
        "Tier is filled in",
        "Recipient list is not “Partners”",
        "E-mail domain is, or is below, “acme.example”",
    ]
    assert "Gold" not in " ".join(say(condition, names) for condition in conditions)


def test_every_name_is_one_attributes_and_custom_fields_go_to_150():
    assert len(ATTRIBUTE_BY_NAME) == len(ATTRIBUTES)
    assert [f"custom{n}" for n in range(1, 151)] == [
        a.name for a in ATTRIBUTES if a.name.startswith("custom")
    ]
