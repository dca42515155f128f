"""Rows of earlier versions, one for each run and record, become one for each record that is rejected still."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.db.migrations.executor import MigrationExecutor

BEFORE, AFTER = "0020_assumption_reports", "keep_rejected_records_once"


@pytest.mark.soak
@pytest.mark.django_db(transaction=True)
def test_what_was_rejected_since_everything_was_last_read_is_kept_once(connection, bystander):
    executor = MigrationExecutor(database)
    [latest] = [node for node in executor.loader.graph.nodes if node[1].endswith(AFTER)]
    leaves = executor.loader.graph.leaf_nodes()  # what depends on it goes back as well
    executor.migrate([("integrations", BEFORE)])
    old = executor.loader.project_state([("integrations", BEFORE)]).apps
    Run = old.get_model("integrations", "SyncRun")
    Aside = old.get_model("integrations", "QuarantinedRecord")

    def run(to, kind, state, *asides):
        made = Run.objects.create(connection_id=to.pk, kind=kind, state=state, started_by_label="test")
        Aside.objects.bulk_create(Aside(run=made, kind=k, remote_id=i, reason=r) for k, i, r in asides)
        return made.pk

    run(connection, "full", "complete", ("person", "1", "healed since"), ("person", "2", "first"))
    full = run(
        connection, "full", "complete", ("person", "2", "second"), ("person", "", "a"), ("person", "", "b")
    )
    changes = run(connection, "people", "complete", ("person", "2", "third"), ("mailbox", "2", "odd"))
    run(connection, "full", "failed", ("person", "3", "of a run that failed"))
    theirs = run(bystander, "full", "complete", ("person", "2", "theirs"))

    try:
        executor = MigrationExecutor(database)
        executor.migrate([latest])
        new = executor.loader.project_state([latest]).apps.get_model("integrations", "RejectedRecord")
        columns = ("connection", "kind", "remote_id", "reason", "number", "run")
        rows = set(new.objects.values_list(*columns))
    finally:
        executor = MigrationExecutor(database)
        executor.migrate(leaves)

    assert rows == {
        (connection.pk, "person", "2", "third", 1, changes),
        (connection.pk, "mailbox", "2", "odd", 1, changes),
        (connection.pk, "person", "", "b", 2, full),
        (bystander.pk, "person", "2", "theirs", 1, theirs),
    }
