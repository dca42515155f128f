"""The ledger: every call that left, every call that was refused, every privileged act, and nothing changed."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import cast

import pytest
from django.contrib import admin
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from integrations import lookup
from integrations.connection.lifecycle import check_connection
from integrations.connection.sessions import open_session, renew_now
from integrations.disconnect.steps import continue_disconnect, request_disconnect
from integrations.errors import IntegrationError, PolicyViolation, ScopeMissing, WritesNotAllowed
from integrations.gateway import open_gateway
from integrations.interfaces import CallRecord
from integrations.ledger.record import CallCollector, record_act
from integrations.ledger.usage import count_calls, count_refused, list_days, summarise
from integrations.models import AppendOnlyError, CallBudget, Connection, LedgerEntry, Mailbox, SyncKind
from integrations.outreach.allowed_calls import LIST_USERS
from integrations.outreach.connector import OutreachConnector
from integrations.sync import runs
from tests.support.connections import get_acts
from tests.support.page_text import words_of

ENDPOINTS = {
    ("GET", "/api/v2/users"): "list_people",
    ("GET", "/api/v2/teams"): "list_teams",
    ("GET", "/api/v2/mailboxes"): "list_mailboxes",
    ("GET", "/api/v2/prospects"): "find_prospect",
    ("PATCH", "/api/v2/mailboxes/"): "write_signature",
    ("POST", "/oauth/revoke"): "revoke_token",
}


def count_in_ledger(domain):
    """endpoint x status -> calls, of what left."""
    found: Counter[tuple[str, str, int]] = Counter()
    for entry in LedgerEntry.objects.filter(domain=domain, action="call").exclude(outcome="refused"):
        found[entry.method, entry.endpoint, entry.status] += entry.times
    return found


def count_in_outreach(sandbox):
    """The same of what Outreach saw, by its own log."""
    found: Counter[tuple[str, str, int]] = Counter()
    for entry in sandbox.requests:
        path = entry.path if entry.method != "PATCH" else entry.path.rpartition("/")[0] + "/"
        if path == "/oauth/authorize":
            continue
        name = ENDPOINTS.get((entry.method, path)) or (
            "exchange_code" if b"authorization_code" in entry.body else "refresh_token"
        )
        found[entry.method, name, entry.status or 0] += 1
    return found


@pytest.fixture
def names(monkeypatch):
    """The table's own names, so that the comparison names what a person reads."""
    from integrations.outreach.allowed_calls import ENDPOINTS as table

    for endpoint in table:
        path = endpoint.path.replace("{id}", "")
        monkeypatch.setitem(ENDPOINTS, (endpoint.method, path), endpoint.name)


def attempt(act):
    try:
        return act()
    except IntegrationError:
        return None


@pytest.mark.django_db(transaction=True)
def test_l5_the_ledger_agrees_with_outreachs_own_log_to_the_last_call(
    trip, sandbox, domain, bystander, names, monkeypatch
):
    monkeypatch.setattr("integrations.outreach.pace.FIRST_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr("integrations.disconnect.steps.SEEN_AFTER_SECONDS", 0)

    def full():
        return runs.carry_out(runs.request_sync(connection, kind=SyncKind.FULL, actor="test").pk)

    def write(number, html):
        with open_gateway(connection, job="delivery 1", actor_label="dana@acme.example") as gateway:
            gateway.publish_signature(str(number), html)

    def old():
        Connection.objects.filter(pk=connection.pk).update(refreshed_at=timezone.now() - timedelta(hours=3))
        connection.refresh_from_db()

    trip.walk(decision="deny")
    trip.walk()
    connection = Connection.objects.get(domain=domain)
    full()
    editable = Mailbox.objects.filter(connection=connection, is_editable=True).values_list(
        "remote_id", flat=True
    )
    for number in editable[:5]:
        write(number, f"<p>signature {number}</p>")
    attempt(lambda: write(999_999, "<p>nobody</p>"))
    attempt(lambda: lookup.find_prospect(connection, "nobody@example.com", asked=("title",), job="preview"))
    for kind, path in [
        ("status", "/api/v2/users"),
        ("reset", "/api/v2/teams"),
        ("truncated_json", "/api/v2/mailboxes"),
        ("forbidden", "/api/v2/users"),
        ("rate_limited", "/api/v2/mailboxes"),
        ("lost", "/api/v2/mailboxes/*"),
    ]:
        sandbox.faults.add(kind, path=path)
        attempt(full)
        attempt(lambda: write(editable[6], "<p>again</p>"))
        connection.sync_runs.filter(state="waiting").update(state="failed")
        CallBudget.objects.all().delete()
    old()
    sandbox.faults.add("unauthorized", path="/api/v2/teams")
    full()
    old()
    sandbox.faults.add("retry_later", path="/oauth/token")
    attempt(lambda: renew_now(connection, job="test"))
    attempt(lambda: check_connection(connection, actor="dana@acme.example"))
    request_disconnect(Connection.objects.get(pk=connection.pk), restores=False, actor="dana@acme.example")
    assert continue_disconnect(connection.pk)

    assert count_in_ledger(domain) == count_in_outreach(sandbox)
    assert sum(count_in_outreach(sandbox).values()) > 40
    assert not LedgerEntry.objects.filter(domain=bystander.domain, action="call").exists()
    writes = LedgerEntry.objects.filter(domain=domain, verb="write").exclude(outcome="refused")
    assert set(writes.values_list("times", flat=True)) == {1}
    assert set(writes.values_list("scope", flat=True)) == {"mailboxes.all"}
    assert all(entry.fields == ["emailSignature"] and entry.object_ref for entry in writes)
    by_scope = {use.scope: use.calls for use in summarise(domain, Connection.objects.get(pk=connection.pk))}
    seen = Counter(entry.path.split("/")[3] for entry in sandbox.requests if entry.path.startswith("/api/"))
    assert by_scope == {
        "users.all": seen["users"],
        "teams.read": seen["teams"],
        "mailboxes.all": seen["mailboxes"],
        "prospects.read": seen["prospects"],
    }
    calls, signature_writes = count_calls(list_days(domain))
    assert (calls, signature_writes) == (sum(count_in_ledger(domain).values()), writes.count())


RESOURCES = {
    "users": "users.all",
    "teams": "teams.read",
    "mailboxes": "mailboxes.all",
    "prospects": "prospects.read",
}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_l5_the_page_of_scopes_used_equals_outreachs_log_after_random_runs(
    client, sandbox, connection, domain, owner, bystander, monkeypatch, seed
):
    monkeypatch.setattr("integrations.outreach.pace.FIRST_BACKOFF_SECONDS", 0.01)
    chance = random.Random(seed)  # noqa: S311 - which of many ways is walked; no secret
    faults = [("status", "/api/v2/users"), ("reset", "/api/v2/teams"), ("lost", "/api/v2/mailboxes/*")]

    def fail_once():
        kind, path = chance.choice(faults)
        sandbox.faults.add(kind, path=path)

    def read(kind):
        connection.sync_runs.filter(state="waiting").update(state="failed")
        return runs.carry_out(runs.request_sync(connection, kind=kind, actor="test").pk)

    def write():
        with open_gateway(connection, job="delivery 1", actor_label=owner.email) as gateway:
            gateway.publish_signature(str(chance.randint(1, 30)), "<p>Hi</p>")

    acts = [
        lambda: read(SyncKind.FULL),
        lambda: read(SyncKind.CHANGES),
        write,
        lambda: lookup.find_prospect(connection, "nobody@example.com", asked=("title",), job="preview"),
        lambda: check_connection(connection, actor=owner.email),
        fail_once,
    ]
    for act in chance.choices(acts, weights=[2, 3, 6, 2, 1, 2], k=14):
        attempt(act)

    client.force_login(owner)
    seen: Counter[tuple[str, str]] = Counter()
    for entry in sandbox.requests:
        if entry.path.startswith("/api/"):
            verb = "write" if entry.method == "PATCH" else "read"
            seen[RESOURCES[entry.path.split("/")[3]], verb] += 1
    shown: Counter[tuple[str, str]] = Counter()
    for scope in RESOURCES.values():
        page = client.get(reverse("integrations:ledger_scope", args=[domain.name, scope]))
        for verb in page.context["use"].verbs:
            shown[scope, verb.name] += verb.times
        if scope.endswith(".all"):
            assert "No code path" in words_of(page)  # it allows more than is used
    assert +shown == seen
    assert sum(seen.values()) > 10


def test_every_refused_call_is_there_and_none_of_them_left(sandbox, connect, domain, owner, bystander):
    connection = connect(domain, owner, scopes=("users.all", "mailboxes.all"))
    sandbox.requests.clear()

    with pytest.raises(ScopeMissing), open_session(connection, job="sync 1") as session:
        next(iter(session.connector.list_teams()))
    Connection.objects.filter(pk=connection.pk).update(paused_at=timezone.now())
    for _ in range(2):
        with pytest.raises(WritesNotAllowed), open_gateway(connection, job="delivery 1") as gateway:
            gateway.publish_signature("7", "<p>ours</p>")
    with pytest.raises(PolicyViolation), open_session(connection, job="sync 2") as session:
        cast(OutreachConnector, session.connector)._client.send(LIST_USERS, query={"page[size]": "5"})

    entries = LedgerEntry.objects.filter(domain=domain, outcome="refused").order_by("id")
    assert list(entries.values_list("endpoint", "scope", "verb", "job", "object_ref", "times", "status")) == [
        ("list_teams", "teams.read", "read", "sync 1", "", 1, 0),
        ("write_signature", "mailboxes.all", "write", "delivery 1", "7", 1, 0),
        ("write_signature", "mailboxes.all", "write", "delivery 1", "7", 1, 0),
        ("list_users", "users.all", "read", "sync 2", "", 1, 0),
    ]
    assert (sandbox.requests, count_refused(domain), count_refused(bystander.domain)) == ([], 4, 0)


def test_reads_that_differ_in_nothing_are_folded_and_writes_never(sandbox, connection, domain):
    with open_gateway(connection, job="delivery 1") as gateway:
        for _ in range(3):
            gateway.read_mailboxes(["1"])
        for _ in range(3):
            gateway.publish_signature(str(next(iter(sandbox.directory.mailboxes))), "<p>ours</p>")

    found = LedgerEntry.objects.filter(domain=domain, action="call").order_by("id")
    assert [(entry.verb, entry.times) for entry in found] == [("read", 3)] + [("write", 1)] * 3


def test_calls_that_could_not_be_written_are_written_with_the_next_flush(connection, domain, monkeypatch):
    calls = CallCollector(connection, job="test", actor_label="")
    calls(CallRecord("list_users", "users.all", "GET", "read", 200, "answered", ("name",), "", 24, 3, ""))

    def fail(*args, **kwargs):
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(LedgerEntry.objects, "bulk_create", fail)
        with pytest.raises(OSError, match="disk full"):
            calls.flush()
    calls.flush()
    calls.flush()

    assert LedgerEntry.objects.filter(domain=domain, job="test").count() == 1


# ── append-only ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def entry(domain):
    return record_act("connected", domain=domain, actor_label="dana@acme.example")


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.save(),
        lambda entry: entry.save(update_fields=["action"], force_update=True),
        lambda entry: entry.delete(),
        lambda entry: LedgerEntry.objects.update(action="other"),
        lambda entry: LedgerEntry.objects.filter(pk=entry.pk).update(action="other"),
        lambda entry: LedgerEntry.objects.all().delete(),
        lambda entry: LedgerEntry.objects.filter(pk=entry.pk).delete(),
        lambda entry: LedgerEntry.objects.bulk_update([entry], ["action"]),
        lambda entry: LedgerEntry.objects.update_or_create(pk=entry.pk, defaults={"action": "other"}),
        lambda entry: LedgerEntry(pk=entry.pk, domain_name="x", action="other", outcome="done").save(),
        lambda entry: LedgerEntry.objects.bulk_create(
            [LedgerEntry(pk=entry.pk, domain_name="x", action="other", outcome="done")],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["action"],
        ),
        lambda entry: LedgerEntry._base_manager.filter(pk=entry.pk).update(action="other"),
        lambda entry: LedgerEntry._base_manager.filter(pk=entry.pk).delete(),
    ],
)
def test_an_entry_is_neither_changed_nor_deleted(entry, domain, change):
    entry.action = "other"

    with pytest.raises((AppendOnlyError, IntegrityError)), transaction.atomic():
        change(entry)

    assert get_acts(domain) == ["connected"]


def test_entries_outlive_their_domain_and_their_people(sandbox, connection, domain, owner):
    count = LedgerEntry.objects.count()
    assert count

    owner.delete()
    domain.delete()

    left = LedgerEntry.objects.all()
    assert left.count() == count
    assert {(entry.domain_name, entry.actor_label) for entry in left} == {
        ("acme.example", "owner@acme.example")
    }


def test_the_admin_offers_no_way_to_change_one(admin_client, entry):
    page = admin.site._registry[LedgerEntry]

    assert admin_client.get(reverse("admin:integrations_ledgerentry_add")).status_code == 403
    for verb in ("change", "delete"):
        address = reverse(f"admin:integrations_ledgerentry_{verb}", args=[entry.pk])
        assert admin_client.post(address, {"action": "other", "post": "yes"}).status_code == 403
    assert "delete_selected" not in page.get_actions(_request(admin_client))


def _request(client):
    return client.get(reverse("admin:integrations_ledgerentry_changelist")).wsgi_request


def test_privileged_acts_name_who_did_them(client, sandbox, connection, domain, owner):
    client.force_login(owner)
    for name, fields in [
        ("outreach_pause", {}),
        ("outreach_resume", {}),
        ("outreach_mode", {"mode": "dry_run"}),
        ("outreach_mode", {"mode": "nonsense"}),
        ("outreach_disconnect", {"restores": "0", "confirmation": domain.name}),
    ]:
        client.post(reverse(f"integrations:{name}", args=[domain.name]), fields)

    acts = LedgerEntry.objects.filter(domain=domain).exclude(action="call").order_by("id")
    assert [(entry.action, entry.actor_label) for entry in acts][1:] == [
        ("paused", owner.email),
        ("resumed", owner.email),
        ("mode set to dry run: nothing is written", owner.email),
        ("disconnect requested", owner.email),
    ]


def test_the_ledger_page_shows_this_domain_alone(client, sandbox, connection, domain, other_domain, owner):
    record_act("a secret of others", domain=other_domain, actor_label="eve@bystander.example")
    client.force_login(owner)

    page = words_of(client.get(reverse("integrations:ledger", args=[domain.name])))

    assert "connected" in page.lower()
    assert "a secret of others" not in page and "eve@bystander.example" not in page
