"""A permission switched off here: nothing under it leaves, whatever runs; on again needs its name and a reason."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from integrations import lookup
from integrations.connection.permissions import SwitchRefused, get_block_reason, switch_off, switch_on
from integrations.disconnect.steps import continue_disconnect, request_disconnect
from integrations.errors import ScopeMissing
from integrations.gateway import open_gateway
from integrations.models import Connection, LedgerEntry, Person, RunState
from integrations.sync.one_person import read_mailboxes
from portal.models import Role, User
from tests.support.connections import get_values
from tests.support.page_text import words_of
from tests.support.sync_runs import run_sync

pytestmark = pytest.mark.usefixtures("unchanged_bystander")

BY, WHY = "dana@acme.example", "The audit is open"
READS = {"users.all": "/api/v2/users", "teams.read": "/api/v2/teams", "mailboxes.all": "/api/v2/mailboxes"}


@pytest.fixture
def seen_at_once(monkeypatch) -> None:
    """A session looks at its connection before every call, as it does anyway after a second."""
    monkeypatch.setattr("integrations.connection.tokens.WATCH_SECONDS", -1)


def get_acts(connection: Connection) -> list[tuple[str, str, str, str]]:
    entries = LedgerEntry.objects.filter(domain=connection.domain, action__startswith="scope ")
    return list(entries.order_by("id").values_list("action", "object_ref", "actor_label", "detail"))


@pytest.mark.parametrize("scope", READS)
def test_a_sync_leaves_out_what_is_switched_off_and_says_who_did_it(sandbox, connection, scope):
    switch_off(connection, scope, actor=BY, reason=WHY)

    run = run_sync(connection)

    assert run.state == RunState.COMPLETE
    assert f"{scope} was switched off here by {BY}" in run.cause and WHY in run.cause
    assert {entry.path for entry in sandbox.requests} == {*READS.values()} - {READS[scope]}


def test_work_under_way_stops_at_its_next_call(sandbox, connection, seen_at_once):
    run_sync(connection)
    sandbox.requests.clear()

    with (
        pytest.raises(ScopeMissing, match="switched off here"),
        open_gateway(connection, job="test") as gateway,
    ):
        gateway.read_mailboxes(["1"])
        switch_off(Connection.objects.get(pk=connection.pk), "mailboxes.all", actor=BY, reason=WHY)
        gateway.publish_signature("5001", "<p>ours</p>")

    assert [entry.method for entry in sandbox.requests] == ["GET"]
    refused = LedgerEntry.objects.get(outcome="refused")
    assert (refused.endpoint, refused.scope, refused.job) == ("write_signature", "mailboxes.all", "test")


def test_no_way_leads_out_while_everything_is_switched_off(sandbox, connection):
    for scope in list(connection.scopes_granted):
        switch_off(connection, scope, actor=BY, reason=WHY)
    Person.objects.create(
        connection=connection,
        remote_id="1",
        digest="",
        changed_at="2026-01-01T00:00Z",
        email="a@acme.example",
    )

    with pytest.raises(ScopeMissing):
        lookup.find_prospect(connection, "somebody@example.com", asked=("title",), job="test")
    with pytest.raises(ScopeMissing):
        read_mailboxes(connection, "1", job="test")
    for restoring in (True, False):
        with (
            pytest.raises(ScopeMissing),
            open_gateway(connection, job="t", for_restoring=restoring) as gateway,
        ):
            gateway.publish_signature("5001", "<p>ours</p>")

    assert list(sandbox.requests) == []


def test_switching_is_in_the_ledger_with_who_and_why_and_ends_in_the_same_state(sandbox, connection):
    before = get_values(connection)

    switch_off(connection, "teams.read", actor=BY, reason=WHY)
    dark = get_block_reason(connection, "teams.read")
    switch_on(connection, "teams.read", actor="boss@acme.example", reason="Closed.")

    assert f"switched off here by {BY} on " in dark and dark.endswith("Switch it on on the Outreach page.")
    assert get_values(connection) == before
    assert get_acts(connection) == [
        ("scope switched off", "teams.read", BY, WHY),
        ("scope switched on", "teams.read", "boss@acme.example", "Closed."),
    ]


def test_what_is_not_granted_or_off_already_is_not_switched(sandbox, connect, domain, owner):
    connection = connect(domain, owner, scopes=("users.all", "teams.read"))
    switch_off(connection, "teams.read", actor=BY, reason=WHY)
    before = get_values(connection)

    for scope in ("teams.read", "mailboxes.all", "sequences.all"):
        with pytest.raises(SwitchRefused):
            switch_off(connection, scope, actor=BY, reason="again")
    with pytest.raises(SwitchRefused):
        switch_on(connection, "users.all", actor=BY, reason="again")

    assert get_values(connection) == before
    assert get_block_reason(connection, "mailboxes.all").startswith(
        "The permission mailboxes.all is not granted."
    )


def test_a_switch_outlives_connecting_again_and_a_narrower_request(trip, sandbox, domain, monkeypatch):
    monkeypatch.setattr("integrations.disconnect.steps.SEEN_AFTER_SECONDS", 0)
    trip.walk()
    first = Connection.objects.get(domain=domain)
    switch_off(first, "users.all", actor=BY, reason=WHY)
    request_disconnect(first, restores=False, actor=BY)
    continue_disconnect(first.pk)
    sandbox.requests.clear()

    sandbox.settings.registered_scopes = (*sandbox.settings.registered_scopes, "users.read")
    address = trip.client.post(
        reverse("integrations:outreach_connect", args=[domain.name]), {"ask_for": "narrower"}
    )["Location"]
    trip.come_back(trip.decide(address, grant=("users.read", "teams.read", "mailboxes.all")))

    again = domain.connections.exclude(pk=first.pk).get()
    assert (again.has_scope("users.all"), again.scopes_blocked) == (False, ["users.read"])
    assert again.get_switch("users.read").reason == WHY
    run_sync(again)
    assert sandbox.requests.to("/api/v2/users")[1:] == []  # the one that told whose organisation it is


# ── The page ─────────────────────────────────────────────────────────────────────────────────────
def get_page(domain, scope: str = "mailboxes.all") -> str:
    return reverse("integrations:outreach_switch", args=[domain.name, scope])


def test_the_page_asks_why_and_for_the_name_to_switch_on_again(client, sandbox, connection, domain, owner):
    client.force_login(owner)
    page = get_page(domain)

    shown = words_of(client.get(page))
    unsaid = client.post(page, {"reason": "  "})
    client.post(page, {"reason": "The audit\r\n is open."})
    connection.refresh_from_db()
    assert "no call under mailboxes.all leaves this portal" in shown
    assert (unsaid.status_code, connection.scopes_switched_off) == (200, ["mailboxes.all"])
    told = words_of(client.get(reverse("integrations:outreach", args=[domain.name])))
    assert f"Switched off by {owner.email}" in told and "because “The audit is open”." in told

    for fields in (
        {"reason": "Done."},
        {"reason": "Done.", "confirmation": "mailboxes"},
        {"confirmation": "x"},
    ):
        answer = client.post(page, fields)
        assert answer.status_code == 200 and 'aria-invalid="true"' in answer.text
    connection.refresh_from_db()
    assert connection.scopes_switched_off == ["mailboxes.all"]
    client.post(page, {"reason": "Done.", "confirmation": "mailboxes.all"})
    connection.refresh_from_db()

    assert (connection.scopes_switched_off, connection.switch_notes) == ([], {})
    assert [entry[2:] for entry in get_acts(connection)] == [
        (owner.email, "The audit is open"),
        (owner.email, "Done"),
    ]


def test_only_granted_permissions_of_this_domains_connection_have_a_page(
    client, sandbox, connect, domain, owner, other_domain
):
    connect(domain, owner, scopes=("users.all",))
    client.force_login(owner)

    for address in (get_page(domain, "teams.read"), get_page(domain, "nonsense"), get_page(other_domain)):
        assert client.get(address).status_code == 404
        assert client.post(address, {"reason": WHY}).status_code == 404


@pytest.mark.parametrize("role", [Role.EDITOR, Role.AUDITOR])
def test_only_owners_and_admins_switch(client, sandbox, connection, domain, make_member, role):
    client.force_login(make_member(domain, role))

    assert client.post(get_page(domain), {"reason": WHY}).status_code == 403
    connection.refresh_from_db()
    assert connection.scopes_switched_off == []


def test_the_pages_that_go_dark_tell_a_switch_from_a_grant_that_is_missing(
    client, sandbox, connect, domain, owner
):
    connection = connect(domain, owner, scopes=("users.all", "mailboxes.all", "prospects.read"))
    connection.sync_runs.create(kind="full", state="complete", started_by_label="test")
    switch_off(connection, "users.all", actor=BY, reason=WHY)
    client.force_login(owner)

    groups = words_of(client.get(reverse("signatures:groups", args=[domain.name])))
    senders = words_of(client.get(reverse("signatures:senders", args=[domain.name])))

    assert "Outreach did not grant what this page needs teams.read" in groups
    assert "Switched off here users.all" in groups and f"Switched off by {BY}" in groups
    assert "did not grant" not in senders and "Switched off here users.all" in senders
    assert list(sandbox.requests) == []


def test_a_delivery_says_on_its_own_page_who_switched_it_off(client, sandbox, connection, domain, owner):
    connection.sync_runs.create(kind="full", state="complete", started_by_label="test")
    switch_off(connection, "mailboxes.all", actor=BY, reason=WHY)
    client.force_login(owner)

    page = words_of(client.get(reverse("signatures:deliveries", args=[domain.name])))

    assert (
        f"Signatures cannot be delivered. The permission mailboxes.all was switched off here by {BY}" in page
    )


# ── Django admin ─────────────────────────────────────────────────────────────────────────────────
def test_an_operator_switches_in_admin_with_a_reason_and_the_name(client: Client, sandbox, connection):
    client.force_login(User.objects.create_user("operator@portal.example", "correct horse", is_staff=True))
    page = "/admin/integrations/connection/"
    chosen = {"action": "switch_scope", "_selected_action": str(connection.pk)}

    shown = client.post(page, chosen)
    unsaid = client.post(page, chosen | {"scope": "users.all", "turn": "off", "reason": ""})
    client.post(page, chosen | {"scope": "users.all", "turn": "off", "reason": WHY})
    connection.refresh_from_db()
    assert (shown.status_code, unsaid.status_code) == (200, 200)
    assert connection.scopes_switched_off == ["users.all"]

    unnamed = client.post(page, chosen | {"scope": "users.all", "turn": "on", "reason": "Done."})
    assert "type the permission’s name" in unnamed.text
    client.post(
        page, chosen | {"scope": "users.all", "turn": "on", "reason": "Done.", "confirmation": "users.all"}
    )

    connection.refresh_from_db()
    assert connection.scopes_switched_off == []
    assert {entry[2] for entry in get_acts(connection)} == {"operator@portal.example"}
