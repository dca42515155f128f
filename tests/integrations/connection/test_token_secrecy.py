"""Tokens are shown to nobody: no log, page, ledger, queue or error holds one."""

from __future__ import annotations

import logging

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django_q.models import OrmQ

from integrations.crypto.sealing import open_sealed
from integrations.models import Connection, LedgerEntry
from integrations.sync import runs
from tests.support.sync_runs import run_sync
from tests.support.token_renewal import age, read_one


@pytest.mark.django_db(transaction=True)
def test_i8_no_token_is_in_a_log_a_page_the_ledger_the_queue_or_an_error(
    trip, sandbox, domain, owner, caplog, capsys
):
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    trip.walk()
    found = Connection.objects.get(domain=domain)
    secrets = []

    def remember():
        row = Connection.objects.get(pk=found.pk)
        for column in ("access", "refresh"):
            sealed = getattr(row, f"{column}_sealed")
            if sealed:
                secrets.extend([sealed, open_sealed(sealed, bound_to=f"{row.pk}:{column}")])

    remember()
    trip.client.post(reverse("integrations:sync_now", args=[domain.name]), {"kind": "full"})
    said.extend(row.payload for row in OrmQ.objects.all())
    said.extend(str(row.task) for row in OrmQ.objects.all())
    for kind, path in [
        ("status", "/api/v2/*"),
        ("forbidden", "/api/v2/*"),
        ("truncated_json", "/oauth/token"),
        ("retry_later", "/oauth/token"),
        ("reset", "/oauth/token"),
        ("unauthorized", "/api/v2/*"),
    ]:
        age(found)
        sandbox.faults.add(kind, path=path, times=3)
        try:
            read_one(found)
        except Exception as error:
            said.extend([str(error), repr(error), repr(error.__cause__), str(vars(error))])
        remember()
        sandbox.faults.clear()
    age(found)
    run_sync_quietly(found)
    remember()
    with pytest.raises(CommandError) as refused:
        call_command("checkconnection", domain=domain.name)
    said.append(str(refused.value))
    owner.is_staff = owner.is_superuser = True
    owner.save()
    pages = [
        reverse("integrations:outreach", args=[domain.name]),
        reverse("integrations:runs", args=[domain.name]),
        reverse("integrations:ledger", args=[domain.name]),
        reverse("admin:integrations_connection_changelist"),
        reverse("admin:integrations_connection_change", args=[found.pk]),
        reverse("admin:integrations_ledgerentry_changelist"),
        reverse("admin:integrations_syncrun_changelist"),
    ]
    for page in pages:
        response = trip.client.get(page)
        assert response.status_code == 200, page
        said.append(response.content.decode())
    said.extend(str(entry) for entry in LedgerEntry.objects.values())
    said.extend([caplog.text, *capsys.readouterr(), repr(found), str(vars(found).keys())])

    assert len(secrets) >= 6
    everything = "\n".join(map(str, said))
    assert not [secret[:20] for secret in secrets if secret in everything]
    assert "sandbox-secret" not in everything and "sandbox-at-" not in everything
    assert "sandbox-rt-" not in everything


def run_sync_quietly(connection):
    try:
        return run_sync(connection)
    except runs.SyncRefused:
        return None
