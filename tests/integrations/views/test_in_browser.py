"""Each state of the door's pages as a browser, a screen reader and the policy meet them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from integrations.models import ConnectionState, Mode, RejectedRecord, RunState, SyncRun
from integrations.outreach.scopes import REQUESTED
from portal.models import Domain, Membership, Role, User
from tests.support.browser_checks import find_faults

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

STATES = {
    "well.example": {"scopes_granted": [*REQUESTED, "sequences.all"]},
    "limited.example": {"scopes_granted": ["users.all"], "scopes_known": False},
    "paused.example": {"paused_at": "2026-11-01T10:00:00Z", "mode": Mode.DRY_RUN},
    "lost.example": {
        "state": ConnectionState.LOST,
        "state_reason": "Somebody revoked our access in Outreach.",
    },
    "misconfigured.example": {"state": ConnectionState.MISCONFIGURED},
    "leaving.example": {"state": ConnectionState.DISCONNECTING, "disconnect_step": "restoring"},
    "gone.example": {"state": ConnectionState.DISCONNECTED, "revocation_confirmed": False},
}


def add_incomplete_run(
    connected: Callable[..., Any], add_run: Callable[..., SyncRun], owner: User
) -> list[str]:
    """Return the pages of a domain whose last sync rejected half of the company."""
    domain = Domain.objects.create(name="rejected.example")
    Membership.objects.create(domain=domain, user=owner, role=Role.OWNER)
    run = add_run(
        connected(domain),
        kind="full",
        state=RunState.INCOMPLETE,
        rejected=301,
        cause="301 of 600 people could not be imported.",
        unknown_values=[
            {"kind": "person", "attribute": "bridgePhone", "was_sent": False, "records": 299},
            {"kind": "person", "attribute": "locked", "was_sent": False, "records": 1},
            {"kind": "mailbox", "attribute": "sendDisabled", "was_sent": True, "records": 594},
        ],
    )
    for remote_id, number in (("7", 1), ("", 300)):
        RejectedRecord.objects.create(
            connection=run.connection,
            run=run,
            kind="person",
            remote_id=remote_id,
            number=number,
            reason="email is not an address",
        )
    at = [domain.name]
    return [
        reverse("portal:overview", args=at),
        reverse("integrations:outreach", args=at),
        reverse("integrations:runs", args=at),
        reverse("integrations:run", args=[*at, run.pk]),
    ]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_page_in_every_state_is_accessible_and_within_the_policy(
    open_page, connected, add_run, write_entry, domain, width, scheme
):
    owner = Membership.objects.get(domain=domain).user
    paths = ["/"]
    for name, fields in STATES.items():
        one = Domain.objects.create(name=name)
        Membership.objects.create(domain=one, user=owner, role=Role.OWNER)
        add_run(connected(one, **fields))
        paths.append(reverse("integrations:outreach", args=[name]))
    paths += add_incomplete_run(connected, add_run, owner)
    connection = connected()
    run = add_run(connection, held_removals=12, rejected=1, cause="Outreach no longer lists 12 of 24 people.")
    RejectedRecord.objects.create(
        connection=run.connection, run=run, kind="person", remote_id="7", reason="Its name is not text."
    )
    moving = add_run(connection, state=RunState.RUNNING, finished_at=None, phase="people")
    write_entry(
        domain, action="call", endpoint="list_users", method="GET", scope="users.all", verb="read",
        fields=["email", "name"], outcome="failed", status=502, detail="Outreach answered 502.", at=timezone.now(),
    )  # fmt: skip
    at = [domain.name]
    paths += [
        reverse("portal:overview", args=at),
        reverse("portal:settings", args=at),
        reverse("portal:members", args=at),
        reverse("portal:member", args=[*at, Membership.objects.get(domain=domain).pk]),
        reverse("portal:integrations", args=at),
        reverse("integrations:outreach_disconnect", args=at),
        reverse("integrations:runs", args=at),
        reverse("integrations:run", args=[*at, run.pk]),
        reverse("integrations:run", args=[*at, moving.pk]),
        reverse("integrations:ledger", args=at),
        reverse("integrations:ledger", args=at) + "?job=nothing&since=tomorrow",
        reverse("integrations:ledger_calls", args=at),
    ]
    page = open_page(width, scheme)

    assert [fault for path in paths for fault in find_faults(page, path)] == []


def test_the_consent_page_is_accessible_before_anything_is_connected(open_page, domain):
    page = open_page(390, "light")

    assert find_faults(page, reverse("integrations:outreach", args=[domain.name])) == []
    assert find_faults(page, reverse("portal:overview", args=[domain.name])) == []


def test_a_run_is_followed_by_itself_and_said_aloud_until_it_ends(open_page, domain, connected, add_run):
    run = add_run(connected(), state=RunState.RUNNING, finished_at=None, phase="teams", teams_read=3)
    page = open_page()
    page.goto(reverse("integrations:run", args=[domain.name, run.pk]))
    expect(page.locator("#run-progress")).to_contain_text("3 read")

    SyncRun.objects.filter(pk=run.pk).update(phase="people", people_read=20)
    expect(page.locator("#run-progress")).to_contain_text("20 read")
    expect(page.locator("#live")).to_have_text("Reading people.")

    SyncRun.objects.filter(pk=run.pk).update(state=RunState.COMPLETE, finished_at=timezone.now())
    expect(page.get_by_role("button", name="Sync again")).to_be_visible()
    assert page.locator("[hx-get]").count() == 0
