"""Who may connect, and what connecting and its callback never do."""

from __future__ import annotations

import logging
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from portal.models import Role, User
from tests.support.consent import change_query
from tests.support.page_text import words_of

pytestmark = pytest.mark.usefixtures("unchanged_bystander")


def test_o12_every_answer_of_the_callback_is_private_and_tells_nobody_its_code(trip, domain, caplog):
    caplog.set_level(logging.DEBUG)
    address = trip.decide(trip.leave())
    code = parse_qs(urlsplit(address).query)["code"][0]

    responses = [
        trip.come_back(change_query(address, state="x")),
        trip.come_back(address),
        trip.come_back(address),
    ]

    assert [response.status_code for response in responses] == [400, 302, 400]
    for response in responses:
        assert (response["Cache-Control"], response["Referrer-Policy"]) == ("no-store", "no-referrer")
        assert code not in str(response.headers) + response.content.decode()
    assert code not in caplog.text


def test_connecting_logs_nobody_in_and_makes_no_account(client, sandbox, domain, owner):
    users = User.objects.count()
    for query in ("", "?code=x&state=y", "?error=access_denied"):
        response = client.get(reverse("outreach_callback") + query)
        assert response.status_code == 400

    for query in ("", "?process=login", "?process=connect", "?process=redirect&next=/admin/"):
        response = client.get(reverse("outreach_login") + query)
        assert (response.status_code, response["Location"].partition("?")[0]) == (
            302,
            reverse("account_login"),
        )

    assert "_auth_user_id" not in client.session
    assert User.objects.count() == users
    assert sandbox.requests == []


@pytest.mark.parametrize("role", [Role.EDITOR, Role.AUDITOR])
def test_only_who_may_connect_is_sent_to_outreach(client, sandbox, domain, make_member, role):
    client.force_login(make_member(domain, role))

    response = client.post(reverse("integrations:outreach_connect", args=[domain.name]))

    assert response.status_code == 403
    assert sandbox.requests == []


def test_a_domain_of_others_answers_as_one_that_does_not_exist(client, sandbox, other_domain, owner):
    client.force_login(owner)

    answers = [
        client.post(reverse("integrations:outreach_connect", args=[name])).status_code
        for name in (other_domain.name, "nowhere.example")
    ]

    assert answers == [404, 404]


def test_connecting_needs_the_client_id(trip, sandbox, domain, settings):
    settings.OUTREACH_CLIENT_ID = ""

    response = trip.client.post(reverse("integrations:outreach_connect", args=[domain.name]))

    assert response.status_code == 503
    assert "OUTREACH_CLIENT_ID" in words_of(response)
