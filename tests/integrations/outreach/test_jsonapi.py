"""Pages that are refused whole, and fields that set their record aside."""

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.errors import UnexpectedReply
from integrations.outreach import jsonapi
from integrations.outreach.jsonapi import BROKEN_TEXT, FieldError, parse_document


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"[]",
        b'"text"',
        b"7",
        b"null",
        b"<html>Sign in</html>",
        b'{"data":[{"id":1}',
        b'{"data":[]}{"data":[]}',
        b'\xef\xbb\xbf{"data":[]}',
        '{"data":[]}'.encode("utf-16"),
        b'{"data":"\xff"}',
        b'{"data":"\xed\xa0\x80"}',
        b'{"data":NaN}',
        b'{"data":Infinity}',
        b'{"data":-Infinity}',
        b'{"data":1e999}',
        b'{"data":' + b"9" * 5000 + b"}",
        b'{"data":[],"data":[]}',
        b'{"data":[{"attributes":{"email":"a","email":"b"}}]}',
        b'{"\\ud800":1}',
        b'{"data":"raw\nline"}',
        b"{'data':[]}",
        b'{"data":[],}',
        b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"data":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_page_that_does_not_parse_is_refused_whole(body):
    with pytest.raises(UnexpectedReply) as caught:
        parse_document(body)

    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b'{"data":"\\ud800"}', {"data": BROKEN_TEXT}),
        (
            b'{"data":["\\uDfff tail",{"a":"x\\uD83D","b":"b"}]}',
            {"data": [BROKEN_TEXT, {"a": BROKEN_TEXT, "b": "b"}]},
        ),
        (b'{"a":"\\ud83d\\ude00","b":"\\ude00\\ud83d"}', {"a": "😀", "b": BROKEN_TEXT}),
    ],
)
def test_half_a_character_breaks_its_text_alone(body, document):
    assert parse_document(body) == document
    for read in (jsonapi.text, jsonapi.markup, jsonapi.flag, jsonapi.instant, jsonapi.texts):
        with pytest.raises(FieldError):
            read({"a": BROKEN_TEXT}, "a")
    with pytest.raises(FieldError):
        jsonapi.id_text(BROKEN_TEXT, "id")


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        ("Sales &amp; Marketing", "Sales & Marketing"),
        ("Sales &#38; Marketing", "Sales & Marketing"),
        ("Sales &#x26; Marketing", "Sales & Marketing"),
        ("R&D, AT&T &copy 2024 &notit", "R&D, AT&T &copy 2024 &notit"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("&lt;script&gt;", "<script>"),
        ("O&#39;Neil&nbsp;", "O'Neil"),
        ("Z&ouml;e &unknownname; &;", "Zöe &unknownname; &;"),
        ("a&#10;b&#9;c&#127;&#0;", "a b c\ufffd"),
        ("&#xD83D;", "\ufffd"),
        ("&#99999999;&#1114112;", "&#99999999;\ufffd"),
        ("x" * 250 + "&amp;", "x" * 250 + "&"),
    ],
)
def test_references_to_characters_are_read_once(sent, line):
    assert jsonapi.text({"title": sent}, "title", 255) == line


def test_an_address_is_read_as_it_came():
    assert (
        jsonapi.text({"email": "a&amp;b@acme.example"}, "email", is_escaped=False) == "a&amp;b@acme.example"
    )
    assert jsonapi.texts({"emails": ["a&amp;b@acme.example"]}, "emails") == ("a&amp;b@acme.example",)


def test_a_sound_page_comes_back_as_it_is():
    body = '{"data":[{"id":1,"t":"Zoë \\ud83d\\ude00 \\\\ud800","n":[[[1.5]]]}]}'.encode()

    assert parse_document(body) == {"data": [{"id": 1, "t": "Zoë 😀 \\ud800", "n": [[[1.5]]]}]}


@given(st.binary(max_size=200))
def test_no_bytes_make_the_parser_fall_over(body):
    with suppress(UnexpectedReply):
        assert isinstance(parse_document(body), dict)


@given(
    st.dictionaries(
        st.text(max_size=4),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=4), inner),
            max_leaves=10,
        ),
    )
)
def test_every_sound_document_survives_the_way_through_the_parser(document):
    assert parse_document(json.dumps(document).encode()) == document


@pytest.mark.parametrize(("value", "text"), [(7, "7"), ("7", "7"), ("007", "7"), (10**18, "1" + "0" * 18)])
def test_an_id_is_text_whichever_way_it_came(value, text):
    assert jsonapi.identity({"type": "user", "id": value}, "user") == text


@pytest.mark.parametrize(
    "value", [None, True, 0, -7, 7.0, "", "0", "-7", "7a", " 7", "٧", "7" * 20, 10**19, [7], {"id": 7}]
)
def test_an_id_we_cannot_use_is_named(value):
    with pytest.raises(FieldError, match=r"^id is not an id$"):
        jsonapi.identity({"type": "user", "id": value}, "user")


@pytest.mark.parametrize(
    "item", [None, 7, [], {"id": 1}, {"type": "prospect", "id": 1}, {"type": ["user"], "id": 1}]
)
def test_a_record_of_another_kind_does_not_fit(item):
    with pytest.raises(FieldError):
        jsonapi.identity(item, "user")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("", ""),
        ("  Head of Sales ", "Head of Sales"),
        ("Head\r\nof\tSales", "Head of Sales"),
        ("Head\x00 of\x1b[31m Sales\x7f\x9b", "Head of[31m Sales"),
        ("Zoë Ünlü 😀", "Zoë Ünlü 😀"),
        ("<b>O'Neil & Co</b>", "<b>O'Neil & Co</b>"),
        ("a\u2028b", "a b"),
    ],
)
def test_a_line_of_text_is_stripped_and_holds_no_control_character(value, text):
    assert jsonapi.text({"title": value}, "title") == text


@given(st.text())
def test_no_line_of_text_holds_what_a_database_refuses(value):
    line = jsonapi.text({"title": value}, "title")

    assert "\x00" not in line
    assert line == line.strip()
    assert len(line.splitlines()) <= 1


@pytest.mark.parametrize("value", [7, True, [], {}, 1.5, "x" * 2_000_000])
def test_a_line_of_another_kind_or_two_megabytes_long_does_not_fit(value):
    with pytest.raises(FieldError, match=r"^title is "):
        jsonapi.text({"title": value}, "title")


def test_a_text_asked_for_and_not_answered_is_not_an_empty_one():
    with pytest.raises(FieldError, match=r"^title is absent$"):
        jsonapi.text({}, "title")


def test_a_signature_comes_back_to_the_byte_so_that_it_can_be_put_back():
    html = "  <p>\r\n\tGrüße\x0b </p>\n"

    assert jsonapi.markup({"emailSignature": html}, "emailSignature") == html
    assert jsonapi.markup({"emailSignature": None}, "emailSignature") == ""
    for longest in ("x" * 65_535, "é" * 32_767 + "x"):
        assert jsonapi.markup({"emailSignature": longest}, "emailSignature") == longest


@pytest.mark.parametrize(
    "value", ["<p>\x00</p>", "x" * 65_536, "é" * 35_000, "é" * 32_767 + "xx", "😀" * 16_384, 7, ["<p>"]]
)
def test_a_signature_that_could_not_be_put_back_exactly_does_not_fit(value):
    with pytest.raises(FieldError, match=r"^emailSignature "):
        jsonapi.markup({"emailSignature": value}, "emailSignature")


def test_an_instant_is_aware_and_in_utc():
    expected = datetime(2024, 4, 8, 3, 0, 23, tzinfo=UTC)

    for spelled in ("2024-04-08T03:00:23.000Z", "2024-04-08T05:00:23+02:00", "20240408T030023Z"):
        assert jsonapi.instant({"updatedAt": spelled}, "updatedAt") == expected
    assert jsonapi.instant({"updatedAt": None}, "updatedAt") is None
    assert jsonapi.instant({}, "updatedAt") is None


@pytest.mark.parametrize(
    "value",
    ["", "soon", "2024-04-08T03:00:23", "2024-13-08T03:00:23Z", "0001-01-01T00:00:00+14:00", 7, [], True],
)
def test_what_is_no_instant_with_a_zone_does_not_fit(value):
    with pytest.raises(FieldError, match=r"^updatedAt is not a time with a zone$"):
        jsonapi.instant({"updatedAt": value}, "updatedAt")


@pytest.mark.parametrize("value", [0, 1, "true", "", [], {}])
def test_a_flag_is_true_or_false_or_nothing(value):
    assert [jsonapi.flag({"locked": known}, "locked") for known in (True, False, None)] == [True, False, None]
    with pytest.raises(FieldError):
        jsonapi.flag({"locked": value}, "locked")


def teams(relationship):
    return jsonapi.to_many({"relationships": {"teams": relationship}}, "teams", "team")


def test_a_complete_list_of_ids_is_told_from_none_and_from_a_part():
    one = {"type": "team", "id": 1}

    assert teams({"data": [one, {"type": "team", "id": "2"}, one]}) == {"1", "2"}
    assert teams({"data": []}) == frozenset()
    assert teams({"data": [one], "meta": {"count": 1}}) == {"1"}
    assert teams({"data": [one], "meta": {"count": 2}}) is None
    assert teams({"links": {"related": "/teams"}}) is None
    assert teams(None) is None
    assert jsonapi.to_many({}, "teams", "team") is None


@pytest.mark.parametrize(
    "relationship",
    [
        [],
        7,
        {"data": None},
        {"data": {"type": "team", "id": 1}},
        {"data": [7]},
        {"data": [{"type": "user", "id": 1}]},
    ],
    ids=str,
)
def test_a_list_of_something_else_does_not_fit(relationship):
    with pytest.raises(FieldError):
        teams(relationship)


def test_a_link_to_one_is_told_from_a_link_to_nobody_and_from_silence():
    def owner(relationships):
        return jsonapi.to_one({"relationships": relationships}, "user", "user")

    assert owner({"user": {"data": {"type": "user", "id": 7}}}) == "7"
    assert owner({"user": {"data": None}}) == ""
    assert owner({"user": {"links": {}}}) is None
    assert owner({}) is None
    assert owner(None) is None
    with pytest.raises(FieldError):
        owner([])


@pytest.mark.parametrize("document", [{}, {"data": None}, {"data": {}}, {"data": "x"}])
def test_a_listing_without_a_list_is_refused(document):
    with pytest.raises(UnexpectedReply):
        jsonapi.resources(document)


@pytest.mark.parametrize("document", [{}, {"data": None}, {"data": []}, {"data": "x"}])
def test_a_document_without_its_one_object_is_refused(document):
    with pytest.raises(UnexpectedReply):
        jsonapi.resource(document)


def test_links_may_be_absent_and_must_be_an_object():
    assert jsonapi.next_link({}) is None
    assert jsonapi.next_link({"links": None}) is None
    assert jsonapi.next_link({"links": {"next": "x"}}) == "x"
    with pytest.raises(UnexpectedReply):
        jsonapi.next_link({"links": ["x"]})
