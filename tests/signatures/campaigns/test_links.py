"""A banner's address: https alone, its own query to the letter, and each UTM parameter once."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signatures.campaigns.links import LinkRefused, check_link, with_utm

UTM = {"source": "outreach", "medium": "email-signature", "campaign": "spring", "content": "blue"}
ALL = "utm_source=outreach&utm_medium=email-signature&utm_campaign=spring&utm_content=blue"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://www.acme.example", f"https://www.acme.example?{ALL}"),
        ("https://www.acme.example/a?b=1", f"https://www.acme.example/a?b=1&{ALL}"),
        ("https://www.acme.example/?b=%2F&&c#part", f"https://www.acme.example/?b=%2F&&c&{ALL}#part"),
        ("https://www.acme.example/?b=1&", f"https://www.acme.example/?b=1&{ALL}"),
        (
            "https://www.acme.example/?UTM_Source=own&utm%5Fmedium=own",
            "https://www.acme.example/?UTM_Source=own&utm%5Fmedium=own&utm_campaign=spring&utm_content=blue",
        ),
    ],
)
def test_a_link_gets_the_parameters_it_does_not_have_behind_its_own(link, expected):
    assert with_utm(link, **UTM) == expected


def test_empty_parameters_add_nothing_and_odd_ones_are_written_so_that_they_read_back():
    assert with_utm("https://a.example/x") == "https://a.example/x"
    assert (
        with_utm("https://a.example/x", campaign="Été & 50% = more#")
        == "https://a.example/x?utm_campaign=%C3%89t%C3%A9+%26+50%25+%3D+more%23"
    )


@given(
    query=st.lists(st.tuples(st.sampled_from(["a", "b", "utm_source", "utm_content"]), st.text(max_size=8))),
    values=st.fixed_dictionaries({name: st.text(max_size=8) for name in UTM}),
)
def test_adding_twice_is_adding_once_and_nothing_of_the_query_is_lost(query, values):
    link = check_link(f"https://a.example/x?{urlencode(query)}")

    once = with_utm(link, **values)

    assert with_utm(once, **values) == once
    found = parse_qsl(urlsplit(once).query, keep_blank_values=True)
    assert found[: len(query)] == query
    names = [name for name, _ in found[len(query) :]]
    assert names == [f"utm_{name}" for name in UTM if values[name] and f"utm_{name}" not in dict(query)]


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("http://www.acme.example/", "not an https:// address"),
        ("javascript:alert(1)", "not an https:// address"),
        ("//www.acme.example", "not an https:// address"),
        ("https://dana:pw@www.acme.example/", "not a web address"),
        ("https://localhost/", "not a web address"),
        ("https://www.acme.example/a b", "not a web address"),
        ("", "empty"),
    ],
)
def test_anything_but_a_plain_https_address_is_refused_in_words(link, reason):
    with pytest.raises(LinkRefused, match=f"This cannot be used: {reason}"):
        check_link(link)


def test_an_address_is_stored_in_ascii():
    assert (
        check_link("  https://www.bücher.example/straße  ") == "https://www.xn--bcher-kva.example/stra%C3%9Fe"
    )
