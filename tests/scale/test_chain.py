"""The ledger's chain on both databases: several processes write it at once, and the database itself guards it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.installation import Installation
from tests.support.metrics import TOKEN
from tests.support.portal_process import as_json

pytestmark = [pytest.mark.soak, pytest.mark.postgres]

DOMAIN = "acme.example"
OWNER = "dana@acme.example"

WRITE_ENTRIES = """
from integrations.ledger import chain
from integrations.ledger.record import record_act
from integrations.models import LedgerEntry
from portal.models import Domain
domain = Domain.objects.get(name="acme.example")
for number in range(20):
    record_act(f"act {number}", domain=domain, actor_label=sys.argv[1])
    chain.append([LedgerEntry(
        domain=domain, domain_name=domain.name, action="call", scope="users.all", verb="read", outcome="answered",
    ) for _ in range(5)], domain=domain)
"""
# Totals and scrapes until every writer has ended, then once more.
TOTAL_AND_SCRAPE = """
import json
from integrations.ledger.totals import CALLS, total_calls
from integrations.models import LedgerChain
from tests.support.metrics import read_metrics
told, is_over = [], False
while not is_over:
    is_over = LedgerChain.objects.get(domain_name="acme.example").count == int(sys.argv[1])
    total_calls()
    told.append(sum(read_metrics().get(CALLS, {}).values()))
print(json.dumps(told))
"""
# Checks, tries to do harm, prunes a domain whose entries are old, takes the guards away and does harm.
EXAMINE = """
import io, json
from datetime import UTC, datetime
from django.core.management import CommandError, call_command
from django.db import Error, connection, transaction
from integrations.ledger import chain
from integrations.models import LedgerEntry
from portal.models import Domain
given = json.loads(sys.argv[1])
old = Domain.objects.create(name="old.example")
chain.append([LedgerEntry(
    domain=old, domain_name=old.name, action="call", scope="users.all", verb="read", outcome="answered",
    fields=["name"], at=datetime(2020 + number, 1, 1, tzinfo=UTC),
) for number in range(5)], domain=old)
def attempt(statement):
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
        return "done"
    except Error as error:
        return str(error).splitlines()[0]
def say(*command):
    said = io.StringIO()
    try:
        call_command(*command, stdout=said)
    except CommandError as error:
        said.write(str(error))
    return said.getvalue().splitlines()
print(json.dumps([
    [attempt(statement) for statement in given["refused"]],
    say("pruneledger", "--before", "2023-01-01"),
    say("verifyledger"),
    [attempt(statement) for statement in given["harm"]],
    say("verifyledger"),
]))
"""

EDIT = "UPDATE integrations_ledgerentry SET detail = 'x' WHERE sequence = 9"
DELETE = "DELETE FROM integrations_ledgerentry WHERE sequence = 4"
HARMS = {
    "postgres": {
        "refused": [
            EDIT,
            DELETE,
            "TRUNCATE integrations_ledgerentry",
            "TRUNCATE integrations_ledgerchain CASCADE",
        ],
        "harm": ["ALTER TABLE integrations_ledgerentry DISABLE TRIGGER USER", EDIT],
    },
    "sqlite": {"refused": [EDIT, DELETE], "harm": ["DROP TRIGGER ledger_refuses_update", EDIT]},
}


@pytest.mark.parametrize("database", HARMS)
def test_writers_of_several_processes_form_one_chain_that_the_database_itself_guards(
    install: Callable[..., Installation], database: str
) -> None:
    installation = install(database)
    done = installation.manage(
        "createdomain", DOMAIN, "--owner", OWNER, OWNER_PASSWORD="correct horse battery"
    )
    assert done.returncode == 0, done.stderr

    writers = [installation.start_script(WRITE_ENTRIES, f"writer {number}") for number in range(3)]
    ended = [(writer.communicate(timeout=90)[0], writer.returncode) for writer in writers]
    refused, pruned, checked, harmed, broken = as_json(
        installation.run(EXAMINE, json.dumps(HARMS[database]), timeout=90)
    )

    assert ended == [("", 0)] * 3
    assert all("never changed or deleted" in words for words in refused), refused
    assert pruned == ["acme.example: 0 entries went.", "old.example: 3 entries went."]
    written = FOUNDING_ACTS + 3 * 20 * (1 + 5)
    assert checked[0].startswith(f"acme.example: intact, {written} entries read. Head: {written} ")
    assert checked[1].startswith("old.example: intact, 3 entries read. Head: 6 ")
    assert harmed == ["done", "done"]
    assert broken[0].startswith("acme.example: BROKEN. Entry 9 (")
    assert "The database no longer protects the ledger: ledger_refuses_" in broken[2]


@pytest.mark.parametrize("database", HARMS)
def test_calls_that_several_processes_write_and_total_are_counted_once(
    install: Callable[..., Installation], database: str
) -> None:
    installation = install(database, METRICS_TOKEN=TOKEN)
    installation.manage("createdomain", DOMAIN, "--owner", OWNER, OWNER_PASSWORD="correct horse battery")
    written = str(FOUNDING_ACTS + 3 * 20 * (1 + 5))

    writers = [installation.start_script(WRITE_ENTRIES, f"writer {number}") for number in range(3)]
    readers = [installation.start_script(TOTAL_AND_SCRAPE, written) for _ in range(2)]

    assert [writer.communicate(timeout=90)[0] for writer in writers] == [""] * 3
    for reader in readers:
        told = json.loads(reader.communicate(timeout=90)[0])
        assert (told, told[-1]) == (sorted(told), 3 * 20 * 5)


FOUNDING_ACTS = 5  # the domain, and the starter templates that come with it
