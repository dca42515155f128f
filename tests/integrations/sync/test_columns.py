"""Nothing reaches a column that does not fit it: SQLite would take it, and PostgreSQL end the whole run."""

from __future__ import annotations

import pytest

from integrations.connector import LONGEST_NAME, LONGEST_TEXT
from integrations.ledger.record import record_act
from integrations.models import Mailbox, Person, SyncKind, Team
from integrations.sync import runs
from integrations.sync.row_store import PERSON_TEXTS

PERSON_ATTRIBUTES = {
    "first_name": "firstName", "last_name": "lastName", "title": "title", "phone_number": "phoneNumber",
    "custom1": "custom1", "custom5": "custom5",
}  # fmt: skip


def test_the_mirrors_columns_hold_what_a_record_may_hold():
    people, teams, mailboxes = (
        {field.name: field.max_length for field in model._meta.concrete_fields}
        for model in (Person, Team, Mailbox)
    )

    expected = dict.fromkeys(PERSON_TEXTS, LONGEST_TEXT) | {"name": LONGEST_NAME}
    assert {name: people[name] for name in PERSON_TEXTS} == expected
    assert (teams["name"], mailboxes["email"]) == (LONGEST_TEXT, LONGEST_TEXT)


@pytest.mark.parametrize("field", PERSON_ATTRIBUTES)
def test_a_longer_text_is_left_out_and_the_longest_that_fits_is_read(sandbox, connection, field):
    sandbox.directory.update("users", 5, **{field: "x" * (LONGEST_TEXT + 1)})
    sandbox.directory.update("users", 6, **{field: "y" * LONGEST_TEXT})

    run = runs.carry_out(runs.request_sync(connection, kind=SyncKind.FULL, actor="test").pk)

    assert (run.state, run.people_read, run.rejected) == ("complete", 24, 0)
    column = {"phone_number": "phone"}.get(field, field)
    texts = dict(Person.objects.filter(remote_id__in=["5", "6"]).values_list("remote_id", column))
    assert texts == {"5": "", "6": "y" * LONGEST_TEXT}


def test_the_ledger_names_a_person_by_the_longest_address_there_is(domain):
    address = f"{'d' * 64}@{'a' * 63}.{'b' * 63}.{'c' * 57}.com"
    assert len(address) == 254

    entry = record_act("domain made", domain=domain, actor_label=address, object_ref=address)

    entry.full_clean(exclude=["fields"])  # an act reads no fields
