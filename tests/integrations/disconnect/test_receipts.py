"""The receipt of a disconnect: what it says of each way to leave, who may have it, and how it is checked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations import tasks
from integrations.connection.permissions import switch_off
from integrations.crypto.sealing import open_sealed
from integrations.crypto.signing import export_pem, replace_key
from integrations.disconnect.receipts import check_file, make_file, serialise
from integrations.disconnect.steps import continue_disconnect
from integrations.models import Connection, ConnectionState, LedgerEntry, Receipt, SigningKey
from portal.models import Role
from tests.support.connections import get_calls, get_values
from tests.support.disconnects import assert_erased, leave
from tests.support.installation import ROOT
from tests.support.page_text import words_of
from tests.support.sync_runs import run_sync

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("unchanged_bystander", "without_waiting"),
]

AFTERWARDS = "/api/v2/users"


def end(connection: Connection) -> Receipt:
    leave(connection)
    assert continue_disconnect(connection.pk) is True
    return Receipt.objects.get(connection_ref=str(connection.pk))


# ── What it says ─────────────────────────────────────────────────────────────────────────────────
def test_the_receipt_says_who_when_the_last_call_and_that_a_call_afterwards_was_refused(
    sandbox, connection, domain, owner
):
    run = run_sync(connection)
    calls = len(sandbox.requests)

    receipt = end(connection)

    content = receipt.content
    ended = get_values(connection)["disconnected_at"]
    assert (content["kind"], content["version"], content["domain"]) == (
        "countersign disconnect receipt",
        1,
        domain.name,
    )
    assert content["authorised"]["by"] == owner.email
    assert content["asked_for"]["by"] == "dana@acme.example"
    asked = LedgerEntry.objects.get(domain=domain, action="disconnect requested").at
    assert content["asked_for"]["at"] == f"{asked:%Y-%m-%dT%H:%M:%SZ}"
    assert content["ended_at"] == content["tokens"]["erased_at"] == f"{ended:%Y-%m-%dT%H:%M:%SZ}"
    assert content["calls"]["made"] == calls + 2  # the revocation, and the one that shows it
    assert (content["calls"]["last"]["job"], content["calls"]["last"]["http_status"]) == (
        f"sync {run.pk}",
        200,
    )
    assert content["tokens"]["revocation"] == "confirmed by Outreach"
    assert (content["call_afterwards"]["http_status"], content["call_afterwards"]["verdict"]) == (
        401,
        "refused by Outreach",
    )
    # The ledger's head of that moment: the next entry is the one that says that it is over.
    last = LedgerEntry.objects.get(domain=domain, action="disconnected")
    assert content["ledger"] == {"entries": last.sequence - 1, "head": last.previous_digest}
    assert content["kept"][0]["until"].startswith(f"{ended + timedelta(days=400):%Y-%m-%d} or later")
    assert receipt.is_signed


def test_exactly_one_call_is_made_with_the_revoked_token_and_it_is_in_the_ledger(sandbox, connection):
    end(connection)

    assert [(seen.method, seen.path) for seen in sandbox.requests] == [
        ("POST", "/oauth/revoke"),
        ("GET", AFTERWARDS),
    ]
    [seen] = sandbox.requests.to(AFTERWARDS)
    assert (seen.parameters["page[size]"], seen.parameters["fields[user]"]) == (["1"], ["email"])
    assert get_calls(connection)[-2:] == [
        ("revoke_token", "answered", 200, 1),
        ("list_users", "failed", 401, 1),
    ]
    assert LedgerEntry.objects.filter(job="disconnect", endpoint="list_users").get().scope == "users.all"


@pytest.mark.parametrize("trouble", ["unavailable", "reset", "retry_later", "missing_scope", "unauthorized"])
def test_whatever_it_is_answered_the_call_afterwards_is_not_repeated(sandbox, connection, trouble):
    sandbox.faults.add(trouble, path=AFTERWARDS, times=None)

    content = end(connection).content

    assert len(sandbox.requests.to(AFTERWARDS)) == 1
    assert content["call_afterwards"]["verdict"].startswith(
        "refused by Outreach" if trouble == "unauthorized" else "Outreach did not confirm: "
    )
    assert_erased(connection)


def test_an_outreach_that_still_answers_did_not_confirm_and_the_receipt_says_until_when(sandbox, connection):
    sandbox.settings.revoke_status = 404
    expires = get_values(connection)["access_expires_at"]

    content = end(connection).content

    assert content["tokens"]["revocation"] == "not confirmed by Outreach"
    assert content["call_afterwards"]["http_status"] == 200
    assert content["call_afterwards"]["verdict"] == (
        "Outreach did not confirm: it still answered. The token is erased here and expires at "
        f"{expires:%H:%M} UTC"
    )
    assert_erased(connection)


def test_a_token_that_had_run_out_anyway_proves_less_and_says_so(sandbox, connection):
    Connection.objects.filter(pk=connection.pk).update(access_expires_at=timezone.now() - timedelta(hours=1))

    content = end(connection).content

    assert content["call_afterwards"]["verdict"] == "refused by Outreach, though the token had also expired"
    assert len(sandbox.requests.to("/oauth/token")) == 0  # nothing is renewed to be thrown away


def test_an_unreachable_outreach_is_not_called_again_to_show_what_nobody_confirmed(sandbox, connection):
    sandbox.faults.add("reset", path="/oauth/revoke", times=None)
    leave(connection)
    Connection.objects.filter(pk=connection.pk).update(state_changed_at=timezone.now() - timedelta(minutes=6))

    assert continue_disconnect(connection.pk) is True

    content = Receipt.objects.get().content
    assert content["tokens"]["revocation"].startswith("not confirmed by Outreach, which could not be reached")
    assert content["call_afterwards"]["verdict"] == "not made: Outreach could not be reached to revoke it"
    assert sandbox.requests.to(AFTERWARDS) == []


def test_after_a_loss_nothing_is_called_and_the_receipt_says_that_no_token_was_held(sandbox, connection):
    Connection.objects.filter(pk=connection.pk).update(
        state=ConnectionState.LOST, access_sealed="", refresh_sealed=""
    )
    connection.refresh_from_db()

    content = end(connection).content

    assert content["tokens"]["revocation"] == "not requested: no token was stored here any more"
    assert content["call_afterwards"] == {
        "at": "",
        "http_status": 0,
        "verdict": "not made: no token was stored here any more",
    }
    assert sandbox.requests == []


def test_the_call_afterwards_obeys_the_switches_too(sandbox, connection):
    for scope in ("users.all", "teams.read", "mailboxes.all"):
        switch_off(connection, scope, actor="dana@acme.example", reason="The audit is open.")

    content = end(connection).content

    assert (
        content["call_afterwards"]["verdict"] == "not made: no permission to read was granted and switched on"
    )
    assert content["permissions"]["switched_off_here"] == ["users.all", "teams.read", "mailboxes.all"]
    assert [seen.path for seen in sandbox.requests] == ["/oauth/revoke"]


def test_r6_a_worker_stuck_past_its_lease_makes_no_call_after_another_erased(
    sandbox, connection, monkeypatch
):
    leave(connection)
    from integrations.disconnect import steps as disconnect_steps

    revoke = disconnect_steps._revoke

    def be_stuck(row: Connection) -> bool | None:
        confirmed = revoke(row)
        monkeypatch.setattr(disconnect_steps, "_revoke", revoke)
        Connection.objects.filter(pk=row.pk).update(disconnect_lease_until=None)  # it has lapsed
        assert continue_disconnect(row.pk) is True  # the other worker
        sandbox.requests.clear()
        return confirmed

    monkeypatch.setattr(disconnect_steps, "_revoke", be_stuck)

    assert continue_disconnect(connection.pk) is False

    assert sandbox.requests == []
    assert Receipt.objects.count() == 1


def test_r5_what_remains_is_the_record_and_no_byte_of_a_token(
    sandbox, connection, domain, owner, client, caplog
):
    tokens = [
        open_sealed(getattr(connection, f"{kind}_sealed"), bound_to=f"{connection.pk}:{kind}")
        for kind in ("access", "refresh")
    ]
    sealed = [connection.access_sealed, connection.refresh_sealed]
    run_sync(connection)

    receipt = end(connection)

    acts = LedgerEntry.objects.filter(domain=domain).exclude(action="call")
    assert [(act.action, act.actor_label) for act in acts.order_by("id")] == [
        ("connected", owner.email),
        ("disconnect requested", "dana@acme.example"),
        ("disconnected", "dana@acme.example"),
    ]
    assert receipt.content["permissions"]["granted"] == list(connection.scopes_granted)
    client.force_login(owner)
    pages = [
        client.get(reverse(f"integrations:{name}", args=[domain.name, *ids])).text
        for name, ids in (
            ("outreach", []),
            ("ledger", []),
            ("receipt", [receipt.pk]),
            ("receipt_file", [receipt.pk]),
        )
    ]
    dump = "\n".join(database.connection.iterdump()) if database.vendor == "sqlite" else ""
    assert dump
    for secret in (*tokens, *sealed):
        assert secret and secret not in dump and secret not in caplog.text
        assert not any(secret in page for page in pages)


# ── Kept, signed, checked ────────────────────────────────────────────────────────────────────────
def test_the_file_is_verified_without_the_portal_as_the_documentation_says(sandbox, connection, tmp_path):
    receipt = end(connection)
    (tmp_path / "receipt-acme.com-2026-11-24.json").write_text(make_file(receipt))
    (tmp_path / "key.pem").write_text(export_pem(receipt.signature["public_key"]))
    documented = (ROOT / "docs" / "connection.md").read_text()
    steps = documented[documented.index("    python3 - receipt-acme") :].partition("\n\n")[0]

    done = subprocess.run(
        ["bash", "-ec", textwrap.dedent(steps)], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout.strip()) == (0, "Signature Verified Successfully"), done.stderr


def test_the_command_tells_a_genuine_file_from_a_changed_or_foreign_one(
    sandbox, connection, tmp_path, capsys
):
    file = tmp_path / "receipt.json"
    genuine = make_file(end(connection))
    document = json.loads(genuine)

    file.write_text(genuine)
    call_command("verifyreceipt", str(file))
    assert capsys.readouterr().out.startswith("Genuine and unchanged, signed with our key ")
    file.write_text(json.dumps(document))  # spaced otherwise, and the same
    call_command("verifyreceipt", str(file))

    changed = json.loads(genuine)
    changed["receipt"]["calls"]["made"] += 1
    for text, words in (
        (json.dumps(changed), "changed after it was signed"),
        (
            json.dumps(document | {"signature": document["signature"] | {"signature": "AAAA"}}),
            "changed after",
        ),
        ("{}", "This is not a receipt"),
        ("no json", "This is not a receipt"),
        ('{"receipt": [], "signature": 3}', "This is not a receipt"),
    ):
        file.write_text(text)
        with pytest.raises(CommandError, match=words):
            call_command("verifyreceipt", str(file))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("verifyreceipt", str(tmp_path / "nothing.json"))
    SigningKey.objects.all().delete()
    assert "does not belong to this installation" in check_file(genuine).words


def test_the_command_checks_a_file_without_any_setting_of_ours(sandbox, connection, tmp_path):
    file = tmp_path / "receipt.json"
    file.write_text(make_file(end(connection)))
    key = json.loads(file.read_text())["signature"]["public_key"]
    bare = {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": "k" * 60,
        "DATABASE_URL": f"sqlite:///{tmp_path}/none.sqlite3",
    }

    def check(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "manage.py", "verifyreceipt", str(file), *arguments],
            env=bare, cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    assert check("--key", key) == (0, "Unchanged, signed with the key that you named.\n")
    assert check("--key", "AAAA")[0] == 1
    status, words = check()
    assert (status, key in words, "compare it with the one you noted down" in words) == (0, True, True)
    file.write_text(file.read_text().replace('"made": ', '"made": 1'))
    assert check("--key", key)[0] == 1


def test_a_receipt_stays_genuine_after_the_key_was_replaced(sandbox, connection):
    text = make_file(end(connection))

    replace_key()

    assert check_file(text).is_genuine


def test_a_lost_signing_key_keeps_nobody_from_leaving_and_the_receipt_is_signed_later(
    sandbox, connection, domain, owner, client, settings
):
    replace_key()
    keys = settings.TOKEN_KEYS
    settings.TOKEN_KEYS = [Fernet.generate_key().decode()]
    receipt = end(connection)
    assert_erased(connection)
    assert receipt.signature == {}
    client.force_login(owner)
    page = reverse("integrations:receipt", args=[domain.name, receipt.pk])
    assert "Not signed yet" in words_of(client.get(page))
    assert client.get(reverse("integrations:receipt_file", args=[domain.name, receipt.pk])).status_code == 404

    settings.TOKEN_KEYS = keys
    tasks.sweep_connections()

    receipt.refresh_from_db()
    assert check_file(make_file(receipt)).is_genuine
    assert receipt.payload.encode() == serialise(receipt.content)


def test_owners_and_auditors_read_and_download_it_and_editors_do_not(
    client, sandbox, connection, domain, other_domain, make_member
):
    receipt = end(connection)
    pages = [
        reverse(f"integrations:{name}", args=[domain.name, receipt.pk])
        for name in ("receipt", "receipt_file")
    ]

    for role in (Role.ADMIN, Role.AUDITOR):
        client.force_login(make_member(domain, role))
        shown, file = (client.get(page) for page in pages)
        assert "refused by Outreach (HTTP 401)" in words_of(shown)
        assert check_file(file.text).is_genuine
        assert file["Content-Disposition"].startswith('attachment; filename="receipt-acme.example-')
    client.force_login(make_member(domain, Role.EDITOR))
    assert [client.get(page).status_code for page in pages] == [403, 403]
    stranger = Client()
    stranger.force_login(make_member(other_domain, Role.ADMIN))
    assert [stranger.get(page).status_code for page in pages] == [404, 404]
    foreign = reverse("integrations:receipt", args=[other_domain.name, receipt.pk])
    assert stranger.get(foreign).status_code == 404


def test_the_outreach_page_leads_to_it_and_it_outlives_connection_and_domain(
    client, sandbox, connection, domain, owner
):
    receipt = end(connection)
    client.force_login(owner)
    page = client.get(reverse("integrations:outreach", args=[domain.name])).text
    assert reverse("integrations:receipt", args=[domain.name, receipt.pk]) in page

    domain.delete()

    kept = Receipt.objects.get(pk=receipt.pk)
    assert (kept.domain, kept.domain_name, check_file(make_file(kept)).is_genuine) == (
        None,
        "acme.example",
        True,
    )
