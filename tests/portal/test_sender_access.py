"""A sender of self-service at every address of the portal: their own pages answer them, and nothing else does."""

from __future__ import annotations

import pytest
from django.test import Client

from signatures.models import EditedBy, SenderAccount
from tests.support.access_table import read_table
from tests.support.addresses import ask, furnish_admin, get_body, get_path
from tests.support.furnished_domain import FurnishedDomain, make_user
from tests.support.self_service import switch_on

ROWS = [row for row in read_table() if not row.is_repeated]
OURS = ("/domains/<str:domain>/", "/manage/domains/<str:domain>/")
# What they get there; a 404 at the photo is that of a photo that is not theirs.
OWN = {
    ("/", "GET"): 302,
    ("/me/", "GET"): 302,
    ("/me/<str:domain>/", "GET"): 200,
    ("/me/<str:domain>/", "POST"): 302,
    ("/me/<str:domain>/frame/", "GET"): 200,
    ("/me/<str:domain>/trial/", "POST"): 200,
    ("/me/<str:domain>/photo/", "POST"): 422,  # without a file
    ("/me/<str:domain>/photo/remove/", "POST"): 302,
}


@pytest.fixture
def person(furnished: FurnishedDomain, other_furnished: FurnishedDomain) -> Client:
    furnish_admin(furnished)
    for each in (furnished, other_furnished):
        switch_on(each.domain, {"sender.pronouns": EditedBy.SENDERS, "sender.photo_url": EditedBy.SENDERS})
    client = Client()
    client.force_login(SenderAccount.objects.get(sender=furnished.sender).user)
    return client


def test_a_sender_gets_what_a_stranger_gets_but_for_their_own_pages(person, furnished, other_furnished):
    stranger = Client()
    stranger.force_login(make_user("nobody@people.example"))
    wrong = []
    for row in ROWS:
        for place in (furnished, other_furnished):
            path, body = get_path(row.address, place), get_body(row.address, place)
            status = ask(person, row.method, path, body).status_code
            expected = ask(stranger, row.method, path, body).status_code
            if place is furnished or "<" not in row.address:
                expected = OWN.get((row.address, row.method), expected)
            if status != expected:
                wrong.append(f"{row} of {place.domain}: {status}, a stranger gets {expected}")

    assert wrong == []
    assert len(ROWS) > 200


def test_no_page_of_a_domain_answers_a_sender(person, furnished):
    answers = {
        str(row): ask(
            person, row.method, get_path(row.address, furnished), get_body(row.address, furnished)
        ).status_code
        for row in ROWS
        if row.address.startswith(OURS)
    }

    assert set(answers.values()) == {404}
    assert len(answers) > 150


def test_a_sender_reaches_sign_out_password_and_the_security_of_their_login(person):
    pages = ("/accounts/logout/", "/accounts/password/change/", "/accounts/2fa/", "/accounts/sessions/")

    assert {page: person.get(page).status_code for page in pages} == dict.fromkeys(pages, 200)
