"""The connection's page in each of its states, and what can be done there."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings as django_settings
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from integrations.catalogue import features_lost, list_scopes
from integrations.models import CallBudget, Connection, ConnectionState, LedgerEntry, Mode, RunState
from integrations.outreach.scopes import REQUESTED
from portal.models import Role
from tests.support.page_text import list_buttons, read


def get_acts() -> list[tuple[str, str, str]]:
    return list(LedgerEntry.objects.order_by("id").values_list("action", "actor_label", "domain_name"))


# ── Before connecting ────────────────────────────────────────────────────────────────────────────
def test_consent_tells_of_each_permission_what_it_opens_why_and_what_we_never_do(as_owner, page):
    html = read(as_owner, page)

    for scope in list_scopes():
        for words in (scope.name, scope.title, scope.opens, scope.why, scope.never):
            assert escape(words) in html
        for endpoint in scope.endpoints:
            assert f"<code>{endpoint.method} {endpoint.path}</code>" in html
    assert "writes emailSignature, nothing else" in html
    assert html.count('<li class="verb never">') == sum(
        verb.state == "never" for scope in list_scopes() for verb in scope.verbs
    )
    assert list_buttons(html) == ["Connect Outreach"]


@pytest.mark.parametrize("role", [Role.EDITOR, Role.AUDITOR])
def test_consent_offers_no_button_to_those_who_may_not_connect(signed_in, page, role):
    html = read(signed_in(role), page)

    assert list_buttons(html) == []
    assert "Only an owner or admin of acme.example connects it" in html


def test_consent_says_that_it_is_the_operators_turn_without_a_client_id(as_owner, page, settings):
    settings.OUTREACH_CLIENT_ID = ""

    html = read(as_owner, page)

    assert list_buttons(html) == []
    assert "Action needed by the operator: this portal has no client ID" in html


def test_connecting_leads_to_outreach_with_our_scopes_whatever_the_address_says(as_owner, page, domain):
    response = as_owner.post(
        reverse("integrations:outreach_connect", args=[domain.name]) + "?scope=sequences.all&state=mine"
    )

    target = urlsplit(response["Location"])
    query = parse_qs(target.query)
    assert (
        f"{target.scheme}://{target.netloc}{target.path}"
        == django_settings.OUTREACH_BASE_URL + "/oauth/authorize"
    )
    assert sorted(query["scope"][0].split(" ")) == sorted(REQUESTED)
    assert len(query["state"][0]) >= 43
    assert not Connection.objects.exists()


# ── Each state ───────────────────────────────────────────────────────────────────────────────────
CHECK, PAUSE, DRY = "Check the connection", "Pause writing", "Switch to dry run"


@pytest.mark.parametrize(
    ("fields", "words", "buttons"),
    [
        ({}, "Syncs and deliveries work.", ["Sync now", CHECK, PAUSE, DRY]),
        (
            {"scopes_granted": ["users.all", "teams.read"]},
            "Limited: Outreach granted 2 of 4 permissions",
            ["Sync now", "Connect again", CHECK, PAUSE, DRY],
        ),
        (
            {"scopes_known": False},
            "Each permission was therefore tested with one small read",
            ["Sync now", CHECK, PAUSE, DRY],
        ),
        (
            {"scopes_granted": [*REQUESTED, "sequences.all"]},
            "Outreach also granted <code>sequences.all</code>.",
            ["Sync now", CHECK, PAUSE, DRY],
        ),
        (
            {"paused_at": "2026-11-01T10:00:00Z"},
            "No signature is written until writing is resumed",
            ["Sync now", "Resume writing", CHECK, DRY],
        ),
        (
            {"mode": Mode.DRY_RUN},
            "deliveries are planned, but nothing is written",
            ["Sync now", "Go live: write signatures", CHECK, PAUSE],
        ),
        (
            {"state": ConnectionState.LOST, "state_reason": "Somebody revoked <us>."},
            "Somebody revoked &lt;us&gt;.",
            ["Connect again", "Connect again"],
        ),
        (
            {"state": ConnectionState.MISCONFIGURED},
            "Configuration error: action needed by the operator",
            [CHECK],
        ),
        (
            {"state": ConnectionState.DISCONNECTING, "disconnect_step": "restoring"},
            "Restore the originals",
            [],
        ),
        (
            {"state": ConnectionState.DISCONNECTED, "revocation_confirmed": False},
            "Not confirmed by Outreach.",
            ["Connect again", "Connect again"],
        ),
        (
            {"state": ConnectionState.DISCONNECTED, "revocation_confirmed": True},
            "Outreach confirmed that our access is revoked",
            ["Connect again", "Connect again"],
        ),
    ],
)
def test_each_state_has_its_sentence_and_its_next_step(
    as_owner, page, connected, add_run, other_domain, fields, words, buttons
):
    add_run(connected(**fields))
    connected(other_domain, account_label="Bystander Ltd")

    html = read(as_owner, page)

    assert words in html
    assert list_buttons(html) == buttons
    assert "Bystander" not in html


def test_an_auditor_sees_the_connection_and_no_button(signed_in, page, connected, add_run):
    add_run(connected(paused_at=timezone.now(), mode=Mode.DRY_RUN))

    html = read(signed_in(Role.AUDITOR), page)

    assert list_buttons(html) == []
    assert "Disconnect…" not in html


@pytest.mark.parametrize("missing", REQUESTED)
def test_a_limited_connection_names_the_feature_that_lost_its_permission(as_owner, page, connected, missing):
    connected(scopes_granted=[scope for scope in REQUESTED if scope != missing])

    html = read(as_owner, page)

    lost = {scope: escape(features_lost([scope])[0]) for scope in REQUESTED}
    assert f"<code>{missing}</code> {lost[missing]}" in html
    assert [scope for scope in REQUESTED if lost[scope] in html] == [missing]


def test_a_connection_tells_its_health(as_owner, page, connected, add_run):
    connection = connected(refreshed_at=timezone.now() - timedelta(days=1, hours=1))
    run = add_run(connection)
    CallBudget.objects.create(
        connection=connection, used=1061, limit=10_000, window_ends_at=timezone.now() + timedelta(minutes=5)
    )

    html = read(as_owner, page)

    assert "<dd> 1,061 of 10,000 </dd>" in html
    assert "in 12 days" in html
    assert f'href="{reverse("integrations:run", args=[connection.domain.name, run.pk])}"' in html


def test_an_hour_that_is_over_counts_nothing(as_owner, page, connected):
    CallBudget.objects.create(
        connection=connected(), used=900, window_ends_at=timezone.now() - timedelta(minutes=5)
    )

    assert "<dd> 0 of 10,000 </dd>" in read(as_owner, page)


def test_a_sleeping_worker_is_told(client, domain, make_member, page, connected):
    connected()
    client.force_login(make_member(domain, Role.OWNER))

    assert "The background worker is not running" in read(client, page)


def test_a_first_sync_that_failed_says_why_and_asks_for_another(as_owner, page, connected, add_run):
    add_run(connected(), state=RunState.FAILED, cause="Outreach answered <502>.")

    html = read(as_owner, page)

    assert "The last sync failed" in html
    assert "Outreach answered &lt;502&gt;." in html
    assert "Sync now" in list_buttons(html)


def test_a_new_connection_asks_for_the_first_sync_and_then_follows_it(
    as_owner, page, connected, add_run, domain
):
    connection = connected()
    assert "Read your directory next" in read(as_owner, page)

    add_run(
        connection, state=RunState.RUNNING, finished_at=None, phase="people", teams_read=4, people_read=17
    )

    html = read(as_owner, page)
    assert f'hx-get="{reverse("integrations:outreach_progress", args=[domain.name])}"' in html
    assert "17 read" in html
    assert "Sync now" not in list_buttons(html)


# ── Pausing, modes, checking ─────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("action", "body", "before", "after", "act"),
    [
        ("outreach_pause", {}, {}, (True, Mode.LIVE), "paused"),
        ("outreach_resume", {}, {"paused_at": "2026-11-01T10:00:00Z"}, (False, Mode.LIVE), "resumed"),
        (
            "outreach_mode",
            {"mode": "dry_run"},
            {},
            (False, Mode.DRY_RUN),
            "mode set to dry run: nothing is written",
        ),
        ("outreach_mode", {"mode": "live"}, {"mode": Mode.DRY_RUN}, (False, Mode.LIVE), "mode set to live"),
    ],
)
def test_an_action_changes_its_own_connection_and_tells_the_ledger(
    as_owner, domain, other_domain, connected, page, action, body, before, after, act
):
    connection, bystander = connected(**before), connected(other_domain, **before)

    response = as_owner.post(reverse(f"integrations:{action}", args=[domain.name]), body)

    kept = (bystander.paused_at is not None, bystander.mode)
    connection.refresh_from_db()
    bystander.refresh_from_db()
    assert response["Location"] == page
    assert (connection.paused_at is not None, connection.mode) == after
    assert (bystander.paused_at is not None, bystander.mode) == kept
    assert get_acts() == [(act, "owner@acme.example", "acme.example")]


def test_a_mode_that_does_not_exist_changes_nothing(as_owner, domain, connected):
    connection = connected()

    response = as_owner.post(
        reverse("integrations:outreach_mode", args=[domain.name]), {"mode": "wild"}, follow=True
    )

    connection.refresh_from_db()
    assert "Nothing was changed" in " ".join(response.content.decode().split())
    assert (connection.mode, get_acts()) == (Mode.LIVE, [])


@pytest.mark.parametrize("action", ["pause", "resume", "mode", "check", "disconnect"])
@pytest.mark.parametrize("has_left", [False, True])
def test_without_an_open_connection_there_is_nothing_to_act_on(as_owner, domain, connected, action, has_left):
    if has_left:
        connected(state=ConnectionState.DISCONNECTED)

    response = as_owner.post(reverse(f"integrations:outreach_{action}", args=[domain.name]), {"mode": "live"})

    assert response.status_code == 404
    assert get_acts() == []


def test_a_check_that_works_says_so(client, sandbox, connection, owner, page):
    client.force_login(owner)

    response = client.post(reverse("integrations:outreach_check", args=[connection.domain.name]), follow=True)

    assert "Outreach answers, and every permission that was granted works." in " ".join(
        response.content.decode().split()
    )
    assert {entry.path for entry in sandbox.requests} == {
        "/api/v2/users",
        "/api/v2/teams",
        "/api/v2/mailboxes",
    }


def test_a_check_that_finds_our_access_revoked_shows_the_connection_as_lost(
    client, sandbox, connection, owner
):
    client.force_login(owner)
    sandbox.oauth.revoke_all()
    an_hour_ago = timezone.now() - timedelta(
        hours=1
    )  # Outreach mints one token a minute, so we ask no sooner
    Connection.objects.filter(pk=connection.pk).update(refreshed_at=an_hour_ago)

    response = client.post(reverse("integrations:outreach_check", args=[connection.domain.name]), follow=True)

    html = " ".join(response.content.decode().split())
    connection.refresh_from_db()
    assert connection.state == ConnectionState.LOST
    assert "Revoked in Outreach" in html
    assert list_buttons(html) == ["Connect again", "Connect again"]
    assert reverse("signatures:originals", args=[connection.domain.name]) in html
