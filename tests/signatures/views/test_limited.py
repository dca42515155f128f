"""A feature whose permission was not granted says so by name on its own page, and calls nobody to find out."""

from __future__ import annotations

import pytest
from django.urls import reverse

PAGES = {
    "users.all": {"signatures:senders", "signatures:groups", "signatures:deliveries", "portal:overview"},
    "teams.read": {"signatures:groups", "portal:overview"},
    "mailboxes.all": {"signatures:senders", "signatures:deliveries", "portal:overview"},
    "prospects.read": {"portal:overview"},
}
ALL_PAGES = sorted(PAGES["users.all"])


@pytest.mark.parametrize("missing", PAGES)
def test_pages_that_need_a_permission_name_it_when_it_was_not_granted(
    missing, connect, domain, owner, client, sandbox
):
    connection = connect(domain, owner, scopes=tuple(scope for scope in PAGES if scope != missing))
    connection.sync_runs.create(kind="full", state="complete", started_by_label="test")
    client.force_login(owner)

    naming = {
        page
        for page in ALL_PAGES
        if f"<code>{missing}</code>" in client.get(reverse(page, args=[domain.name])).text
    }

    assert naming == PAGES[missing]
    assert list(sandbox.requests) == []


def test_pages_name_nothing_when_everything_was_granted(connection, domain, owner, client):
    client.force_login(owner)

    pages = [client.get(reverse(page, args=[domain.name])).text for page in ALL_PAGES]

    assert [page for page in pages if "did not grant" in page] == []
