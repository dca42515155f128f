"""Entries from before there were chains."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


EARLIER = """
INSERT INTO integrations_ledgerentry (at, domain_id, domain_name, connection_ref, action, endpoint, method, scope, verb,
  fields, object_ref, actor_label, job, outcome, status, times, item_count, detail)
VALUES (?, ?, ?, '', 'call', 'list_users', 'GET', 'users.all', 'read',
  '["name"]', '', '', 'sync 3', 'answered', 200, ?, 1, '')
"""


@pytest.mark.soak
def test_entries_from_before_there_were_chains_are_chained_and_counted(installation):
    def migrate(*target: str) -> None:
        done = installation.manage("migrate", "--verbosity=0", *target, timeout=900)
        assert done.returncode == 0, done.stderr

    migrate("integrations", "0002_signing_key")
    for number, (key, name) in enumerate(
        [(7, "gone.example"), (None, ""), (7, "gone.example"), (7, "gone.example")]
    ):
        installation.rows(EARLIER, f"2026-11-{20 + number // 3} 23:30:00.000001", key, name, number + 1)
    migrate()

    checked = installation.manage("verifyledger").stdout.splitlines()
    assert [line.partition(" entries")[0] for line in checked] == [
        "no domain: intact, 1",
        "gone.example: intact, 3",
    ]
    assert installation.rows(
        "SELECT chain_id, day, entries, calls, job_kind, last_job FROM integrations_ledgerday ORDER BY chain_id, day"
    ) == [
        (0, "2026-11-20", 1, 2, "sync", "sync 3"),
        (7, "2026-11-20", 2, 4, "sync", "sync 3"),
        (7, "2026-11-21", 1, 4, "sync", "sync 3"),
    ]
    # What version 0.1 gave these entries: a digest that somebody noted down then is found again.
    assert installation.rows("SELECT digest FROM integrations_ledgerentry ORDER BY id") == [
        ("988fa8b739cf9f850ef916f3893946bbe74e83fb197e4631b14c968d810413eb",),
        ("1a5da9e8879b347ad4aa10c921e677659d04ade7c47216d33665fdc95ef22782",),
        ("34db088d24ebf035bbf1f23ff81078ad7cad1a4c4a5a093832326f3f0066267d",),
        ("f12c3e97c3fdc0b7d66e500677469ac98dfa07409812754f3f908c196bdffa2a",),
    ]
