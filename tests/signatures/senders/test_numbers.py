"""Numbers: what is certain is stored as E.164, everything else as it was typed, and links are the same for both."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from signatures.rendering.phones import format_phone, get_link, is_e164, write_e164
from signatures.senders.numbers import list_typed_numbers, show_number, store_numbers
from signatures.senders.origins import TYPED, OriginKind, ValueOrigin, list_numbers, update_origins
from signatures.senders.value_sources import FieldRule, FieldRules


@pytest.mark.parametrize(
    ("typed", "region", "stored"),
    [
        ("+1 (415) 555-0142", "", "+14155550142"),
        ("(415) 555-2671", "US", "+14155552671"),
        ("415.555.2671", "US", "+14155552671"),
        ("tel:+1 415 555 0142", "", "+14155550142"),
        ("+1 415 555 0142 x204", "", "+14155550142;ext=204"),
        ("+49 30 901820 Durchwahl 17", "", "+4930901820;ext=17"),
        ("030 901820", "DE", "+4930901820"),
        ("0049 30 901820", "", "+4930901820"),
        ("+14155550142;ext=204", "", "+14155550142;ext=204"),
    ],
)
def test_a_certain_number_is_stored_as_e164_with_its_extension(typed, region, stored):
    assert write_e164(typed, region) == stored
    assert is_e164(stored)
    assert write_e164(stored, "FR") == stored
    assert get_link(typed, region) == get_link(stored) == get_link(show_number(stored)) == f"tel:{stored}"
    assert write_e164(show_number(stored), "") == stored


@pytest.mark.parametrize(
    ("typed", "region"),
    [
        ("(415) 555-2671", ""),  # of which country?
        ("1-800-FLOWERS", "US"),
        ("+1 415 555 0142 / 43", ""),
        ("ask Ana, 4155552671", "US"),
        ("12345", "DE"),
        ("+1 415 555 0142 or +1 415 555 0143", ""),
        ("", "US"),
    ],
)
def test_what_is_not_one_certain_number_is_left_as_it_was_typed(typed, region):
    assert write_e164(typed, region) == ""
    values = store_numbers({"sender.mobile": typed}, FieldRules(), region)
    assert values == {"sender.mobile": typed}
    assert list_typed_numbers(values) == (["sender.mobile"] if typed else [])


def test_only_phone_fields_are_rewritten_and_a_fields_own_country_comes_first():
    germany = FieldRule("sender.x_phone_desk").clean_up.from_json({"region": "DE"})
    rules = FieldRules([FieldRule("sender.x_phone_desk", clean_up=germany)])
    typed = {
        "sender.x_phone_desk": "030 901820",
        "sender.mobile": "(415) 555-2671",
        "sender.title": "030 901820",
    }

    stored = store_numbers(typed, rules, "US")

    assert stored == {
        "sender.x_phone_desk": "+4930901820",
        "sender.mobile": "+14155552671",
        "sender.title": "030 901820",
    }


@pytest.mark.parametrize("text", ["+1 415 555 0142", "(415) 555-0142", "call +14155550142", "+0123", "Ana"])
def test_what_was_typed_is_shown_as_it_was_typed(text):
    assert show_number(text) == text


@pytest.mark.parametrize("style", ["international", "national"])
def test_a_stored_number_is_shown_in_the_fields_format_like_the_typed_one(style):
    typed, stored = "(415) 555-2671 x204", "+14155552671;ext=204"

    assert format_phone(stored, "US", style) == format_phone(typed, "US", style)
    assert format_phone(show_number(stored), "US", style) == format_phone(typed, "US", style)


def test_the_record_of_a_value_says_whether_it_was_stored_as_a_number():
    now = datetime(2026, 11, 27, tzinfo=UTC)
    values = {"sender.mobile": "+14155550142", "sender.title": "+14155550142", "sender.phone": "ask Ana 123"}
    typed = update_origins({}, {}, values, dict.fromkeys(values, ("lena", TYPED)), now)
    adopted = update_origins(
        {}, {}, values, dict.fromkeys(values, ("lena", ValueOrigin(OriginKind.ADOPTED))), now
    )
    unchanged = update_origins({}, values, values, dict.fromkeys(values, ("lena", TYPED)), now)

    assert list_numbers(typed) == {"sender.mobile"}
    assert list_numbers(adopted) == list_numbers(unchanged) == frozenset()
