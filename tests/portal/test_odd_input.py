"""Odd ids, parameters and form values at every address: an answer in words, never an error of ours."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib import admin
from django.http import HttpResponse
from django.test import Client

from tests.support.access_table import Row, read_table
from tests.support.addresses import MISSING, ask, get_body, get_path
from tests.support.furnished_domain import FurnishedDomain

ROWS = [row for row in read_table() if not row.is_repeated]
ADMIN_LIST = Row("/admin/", "GET", (), is_repeated=False)
ODD = {
    "number beyond every column": "9" * 30,
    "negative number": "-9223372036854775809",
    "number with no end": "1e999",
    "digits of another script": "٣" * 12,
    "character that no column holds": "a\x00b",
    "half a surrogate pair": "\udfaa",
    "long text": "x" * 5_000,
}


def get_asker(row: Row, clients: dict[str, Client]) -> Client:
    return clients["superuser" if row.address.startswith("/admin/") else "owner of A"]


def get_errors(row: Row, client: Client, path: str, body: dict[str, Any] | None = None) -> list[str]:
    client.raise_request_exception = False
    response: HttpResponse = ask(client, row.method, path, body)
    status = response.status_code
    return [f"{row}: {status}"] if status >= 500 else []


def encode(values: dict[str, str]) -> str:
    """Return a query in which half a surrogate pair goes as the bytes a hostile client would send."""
    return urlencode(values, errors="surrogatepass", quote_via=quote)


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_id_in_an_address_is_an_object_that_is_not_there(odd, furnished: FurnishedDomain, clients):
    value = quote(ODD[odd], errors="surrogatepass")
    errors = []
    for row in ROWS:
        path = get_path(row.address, furnished, missing=True)
        if MISSING in path:
            errors += get_errors(row, get_asker(row, clients), path.replace(MISSING, value))

    assert errors == []


@pytest.mark.parametrize("odd", ODD)
def test_odd_parameters_of_a_page_are_passed_over_or_refused_in_words(
    odd, furnished: FurnishedDomain, clients
):
    errors = []
    for row in (row for row in ROWS if row.method == "GET"):
        client, path = get_asker(row, clients), get_path(row.address, furnished)
        page = ask(client, "GET", path)
        if page.status_code != 200 or "html" not in page.headers.get("Content-Type", ""):
            continue
        text = page.content.decode()
        names = {*re.findall(r'name="([\w-]{1,40})"', text), *re.findall(r"[?&](?:amp;)?(\w{1,40})=", text)}
        query = encode(dict.fromkeys(sorted(names | {"page", "q", "p", "o"}), ODD[odd]))
        errors += get_errors(row, client, f"{path.partition('?')[0]}?{query}")

    assert errors == []


@pytest.mark.parametrize("year", ["9" * 30, "0", "-1", "x", "99999"])
def test_a_year_that_no_calendar_has_shows_the_whole_list(year, furnished: FurnishedDomain, clients):
    asked, errors = 0, []
    for model, page in admin.site._registry.items():
        if page.date_hierarchy:
            path = (
                f"/admin/{model._meta.app_label}/{model._meta.model_name}/?{page.date_hierarchy}__year={year}"
            )
            errors += get_errors(ADMIN_LIST, clients["superuser"], path)
            asked += 1

    assert errors == []
    assert asked > 10


@pytest.mark.parametrize("odd", ODD)
def test_a_form_of_odd_values_is_refused_in_words(odd, furnished: FurnishedDomain, clients):
    errors = []
    for row in (row for row in ROWS if row.method == "POST"):
        client, path, body = (
            get_asker(row, clients),
            get_path(row.address, furnished),
            get_body(row.address, furnished),
        )
        errors += get_errors(row, client, path, dict.fromkeys((*body, "groups", "pk"), sendable(ODD[odd])))

    assert errors == []


@pytest.mark.parametrize("odd", ["number beyond every column", "digits of another script"])
def test_one_odd_value_in_a_good_form_is_refused_in_words(odd, furnished: FurnishedDomain, clients):
    errors = []
    for row in (row for row in ROWS if row.method == "POST" and not row.address.startswith("/admin/")):
        client, path, body = (
            get_asker(row, clients),
            get_path(row.address, furnished),
            get_body(row.address, furnished),
        )
        for name in body:
            errors += get_errors(row, client, path, body | {name: ODD[odd]})

    assert errors == []


def sendable(value: str) -> str | bytes:
    """Return the value as a browser's form can carry it; half a surrogate pair as its three bytes."""
    return value.encode(errors="surrogatepass") if "\udfaa" in value else value
