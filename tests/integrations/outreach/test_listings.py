"""How a listing is followed from page to page, and when it is not, over real HTTP."""

import pytest

from integrations.errors import (
    UnexpectedReply,
)
from integrations.outreach.allowed_calls import LIST_USERS
from integrations.outreach.pagination import pages
from tests.support.wire import USERS


def test_a_listing_asks_for_the_same_fields_on_every_page(wire, sandbox):
    list(pages(wire.client, LIST_USERS, {**USERS, "page[size]": "25"}))

    assert [request.parameters["fields[user]"] for request in sandbox.requests] == [["email,title"]] * 3
    assert [request.parameters["count"] for request in sandbox.requests] == [["false"]] * 3


@pytest.mark.parametrize(
    "to", ["other-host", "https", "userinfo", "loopback", "other-path", "itself", "first"]
)
def test_a_next_link_that_leads_astray_ends_the_listing_before_the_token_leaves(wire, sandbox, to):
    sandbox.faults.add("next_link", to=to, times=None)

    with pytest.raises(UnexpectedReply):
        list(pages(wire.client, LIST_USERS, USERS))

    assert {request.path for request in sandbox.requests} == {"/api/v2/users"}
    assert len(sandbox.requests) == 1


def test_l4_a_next_link_or_redirect_to_another_server_sends_it_not_one_byte(wire, sandbox, serve):
    other = serve()
    cursor = "/api/v2/users?page%5Bafter%5D=x"
    base = sandbox.base_url.removeprefix("http://")
    for link in (other.base_url + cursor, f"http://{base}@{other.address}{cursor}"):
        sandbox.faults.add("next_link", to=link)
        with pytest.raises(UnexpectedReply):
            list(pages(wire.client, LIST_USERS, USERS))
    for status in (301, 302, 303, 307, 308):
        sandbox.faults.add("redirect", location=other.base_url + cursor, status=status)
        with pytest.raises(UnexpectedReply):
            wire.client.send(LIST_USERS, query=USERS)

    assert other.heads == []
    assert len(sandbox.requests) == 7


def test_cursors_that_lead_in_a_circle_end_the_listing(wire, sandbox):
    query = {**USERS, "page[size]": "25"}
    first = list(pages(wire.client, LIST_USERS, query))
    assert [page.is_last for page in first] == [False, False, True]
    links = [request.parameters["page[after]"][0] for request in list(sandbox.requests)[1:]]
    back = f"{sandbox.base_url}/api/v2/users?page%5Bafter%5D={links[0].replace('=', '%3D')}"
    sandbox.faults.add("next_link", nth=2, times=None, to=back)

    with pytest.raises(UnexpectedReply) as caught:
        list(pages(wire.client, LIST_USERS, query))

    assert caught.value.detail == "links.next leads in a circle"
    assert len(sandbox.requests) == 3 + 2


def test_an_empty_page_does_not_end_a_listing(wire, sandbox):
    sandbox.faults.add("empty_page", nth=2)

    found = list(pages(wire.client, LIST_USERS, {**USERS, "page[size]": "25"}))

    assert [(len(page.items), page.is_last) for page in found] == [(25, False), (0, False), (10, True)]


def test_a_listing_that_breaks_off_raises_and_never_says_it_is_whole(wire, sandbox):
    sandbox.faults.add("truncated_json", nth=2, times=None)

    walk = pages(wire.client, LIST_USERS, {**USERS, "page[size]": "25"})

    assert next(walk).is_last is False
    with pytest.raises(UnexpectedReply):
        while True:
            assert next(walk).is_last is False
