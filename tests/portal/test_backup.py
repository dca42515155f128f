"""A backup made and restored as docs/backup.md says: same counts, no readable secret, no write before a test."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.core.management import call_command
from django.urls import reverse

from integrations.connection.lifecycle import ResumeRefused, check_connection, pause_restored, resume
from integrations.models import Connection, ConnectionState
from portal.management.commands.countrows import list_differences
from tests.support.connections import get_acts, get_values
from tests.support.consent import token_calls
from tests.support.installation import Installation
from tests.support.portal_process import as_json
from tests.support.token_renewal import age

pytestmark = pytest.mark.soak

ROOT = Path(__file__).resolve().parents[2]


def get_documented_backup() -> str:
    """The Python one-liner of docs/backup.md, for machines without the sqlite3 program."""
    found = re.search(r'python -c "(import sqlite3; .*?)"`', (ROOT / "docs/backup.md").read_text())
    assert found
    return found[1].replace("\\", "")


def test_i11_a_backup_is_restored_by_the_documented_commands_with_the_same_counts(
    migrated_database, tmp_path, sandbox
):
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    old = Installation(tmp_path / "old", migrated_database, OUTREACH_BASE_URL=sandbox.base_url)
    reply = sandbox.oauth.issue_tokens(user_id=1)
    old.connect("acme.example", reply)
    counts = tmp_path / "counts.json"
    counts.write_text(old.manage("countrows").stdout)
    backup = tmp_path / "backup.sqlite3"
    script = get_documented_backup().replace("countersign.sqlite3", str(old.database))
    old.run(script.replace("backup.sqlite3", str(backup)))
    old.database.unlink()

    new = Installation(tmp_path / "new", backup, OUTREACH_BASE_URL=sandbox.base_url)
    compared = new.manage("countrows", "--compare", str(counts))
    paused = new.manage("pauserestored")
    different = new.manage("countrows", "--compare", str(counts))
    verified = new.manage("verifyledger")

    assert compared.returncode == 0, compared.stderr
    assert json.loads(counts.read_text())["integrations_connection"] == 1
    assert paused.stdout.startswith("1 paused.")
    assert "integrations_ledgerentry: " in different.stderr
    assert verified.returncode == 0, verified.stderr
    held = backup.read_bytes()
    assert not [
        secret for secret in (reply["access_token"], reply["refresh_token"]) if secret.encode() in held
    ]


def test_i11_a_backup_without_its_key_yields_nothing_and_says_so(migrated_database, tmp_path, sandbox):
    installation = Installation(tmp_path, migrated_database, OUTREACH_BASE_URL=sandbox.base_url)
    installation.connect("acme.example", sandbox.oauth.issue_tokens(user_id=1))

    done = installation.manage(
        "checkconnection",
        "--domain",
        "acme.example",
        TOKEN_KEYS="QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=",
    )

    assert done.returncode != 0
    assert "cannot be decrypted with the keys in TOKEN_KEYS" in done.stderr


@pytest.mark.django_db
def test_a_count_that_is_none_is_refused_in_words(tmp_path, capsys):
    with pytest.raises(Exception, match="is not a file written by countrows"):
        call_command("countrows", "--compare", str(tmp_path / "missing.json"))


def test_after_a_restore_nothing_is_written_until_the_connection_was_tested(
    client, sandbox, connection, owner, domain
):
    client.force_login(owner)
    assert pause_restored(actor="command") == 1
    connection.refresh_from_db()
    page = reverse("integrations:outreach", args=[domain.name])

    refused = client.post(reverse("integrations:outreach_resume", args=[domain.name]), follow=True)
    with pytest.raises(ResumeRefused):
        resume(connection, actor="test")
    connection.refresh_from_db()
    assert (connection.allows_writes, connection.paused_at is None) == (False, False)
    assert "Check the connection first, then resume." in refused.content.decode()
    assert "restored from a backup" in client.get(page).content.decode()

    age(connection)
    client.post(reverse("integrations:outreach_check", args=[domain.name]))
    connection.refresh_from_db()
    assert (connection.restored_at, connection.allows_writes) == (None, False)
    client.post(reverse("integrations:outreach_resume", args=[domain.name]))
    connection.refresh_from_db()

    assert connection.allows_writes
    assert get_acts(domain)[-3:] == ["restored from a backup", "tested after a restore", "resumed"]


def test_an_older_refresh_token_ends_once_and_does_not_loop(sandbox, connection, domain, client, owner):
    older = get_values(connection)
    age(connection)
    assert check_connection(connection, actor="test").is_ok  # Outreach handed out a newer pair meanwhile
    columns = ("access_sealed", "refresh_sealed", "token_version", "access_expires_at", "refreshed_at")
    Connection.objects.filter(pk=connection.pk).update(**{name: older[name] for name in columns})
    connection.refresh_from_db()
    age(connection)
    pause_restored(actor="command")
    sandbox.requests.clear()

    connection.refresh_from_db()
    tested = check_connection(connection, actor="test")
    for _ in range(3):
        connection.refresh_from_db()
        check_connection(connection, actor="test")

    connection.refresh_from_db()
    assert not tested.is_ok
    assert (connection.state, connection.allows_writes) == (ConnectionState.LOST, False)
    assert (connection.access_sealed, connection.refresh_sealed) == ("", "")
    assert len(token_calls(sandbox)) == 1


BEFORE = """
import json
from django.test import Client
from django_q.tasks import async_task
from portal.models import User
client = Client()
client.force_login(User.objects.get(email="owner@acme.example"))
async_task("portal.tasks.record_beat")
print(client.cookies["countersign_session"].value)
"""

AFTER = """
import json
from django.test import Client
from django_q.models import OrmQ
from django_q.signing import BadSignature, SignedPackage
from django_q.tasks import async_task
from integrations.connection.lifecycle import check_connection
from integrations.models import Connection
def opens(entry):
    try:
        return bool(SignedPackage.loads(entry.payload))
    except BadSignature:
        return False
client = Client()
client.cookies["countersign_session"] = sys.argv[1]
async_task("portal.tasks.record_beat")
print(json.dumps({
    "session": client.get("/accounts/2fa/").status_code,
    "tokens": check_connection(Connection.objects.get(), actor="test").is_ok,
    "queue": [opens(entry) for entry in OrmQ.objects.order_by("pk")],
}))
"""


@pytest.mark.parametrize(("fallbacks", "session"), [("former-key-" + "k" * 50, 200), ("", 302)])
def test_i10_a_new_secret_key_leaves_tokens_alone_and_sessions_as_the_policy_says(
    migrated_database, tmp_path, sandbox, fallbacks, session
):
    installation = Installation(tmp_path, migrated_database, OUTREACH_BASE_URL=sandbox.base_url)
    installation.connect("acme.example", sandbox.oauth.issue_tokens(user_id=1))
    cookie = installation.run(BEFORE, SECRET_KEY="former-key-" + "k" * 50)

    found = as_json(
        installation.run(AFTER, cookie, SECRET_KEY="newer-key-" + "k" * 50, SECRET_KEY_FALLBACKS=fallbacks)
    )

    # The queue reads entries of its own key alone; what the others would have woken, the sweeps find.
    assert found == {"session": session, "tokens": True, "queue": [False, True]}


def test_a_difference_of_counts_names_each_table():
    assert list_differences({"a": 1, "b": 2, "c": 3}, {"b": 3, "c": 3, "d": 4}) == [
        "a: 1 then, none now",
        "b: 2 then, 3 now",
        "d: none then, 4 now",
    ]


def test_a_count_from_before_an_upgrade_compares_where_only_migrate_added_rows_and_tables():
    earlier = {"auth_permission": 40, "django_content_type": 12, "kept": 3, "lost": 0}
    now = {"auth_permission": 44, "kept": 3, "new_and_empty": 0, "new_with_rows": 2}

    assert list_differences(earlier, now) == ["lost: 0 then, none now", "new_with_rows: none then, 2 now"]
