"""The database itself refuses what the ledger never does: triggers for PostgreSQL and for SQLite.

Existing rows stay as they are. SQLite drops a table's triggers when a later migration remakes the table:
such a migration must make them again (`integrations.ledger.triggers.list_missing` names what is not there).
"""

from django.db import migrations

ENTRY_WORDS = "Ledger entries are never changed or deleted; pruneledger leaves a checkpoint first."
CHECKPOINT_WORDS = "Checkpoints of the ledger are never changed or deleted."

COVERED = """
    EXISTS (SELECT 1 FROM integrations_ledgercheckpoint AS one
            WHERE one.chain_id = COALESCE(OLD.domain_id, 0) AND one.last_sequence >= OLD.sequence)
"""

SQLITE = [
    f"""
    CREATE TRIGGER ledger_refuses_update BEFORE UPDATE ON integrations_ledgerentry
    BEGIN SELECT RAISE(ABORT, '{ENTRY_WORDS}'); END
    """,
    f"""
    CREATE TRIGGER ledger_refuses_delete BEFORE DELETE ON integrations_ledgerentry WHEN NOT {COVERED}
    BEGIN SELECT RAISE(ABORT, '{ENTRY_WORDS}'); END
    """,
    # INSERT OR REPLACE deletes the row in its way, and runs no trigger for that.
    f"""
    CREATE TRIGGER ledger_refuses_replace BEFORE INSERT ON integrations_ledgerentry
    WHEN EXISTS (SELECT 1 FROM integrations_ledgerentry WHERE id = NEW.id)
      OR EXISTS (SELECT 1 FROM integrations_ledgerentry
                 WHERE domain_id IS NEW.domain_id AND sequence = NEW.sequence)
    BEGIN SELECT RAISE(ABORT, '{ENTRY_WORDS}'); END
    """,
    f"""
    CREATE TRIGGER checkpoint_refuses_update BEFORE UPDATE ON integrations_ledgercheckpoint
    BEGIN SELECT RAISE(ABORT, '{CHECKPOINT_WORDS}'); END
    """,
    f"""
    CREATE TRIGGER checkpoint_refuses_delete BEFORE DELETE ON integrations_ledgercheckpoint
    BEGIN SELECT RAISE(ABORT, '{CHECKPOINT_WORDS}'); END
    """,
]

POSTGRESQL = [
    f"""
    CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $body$
    BEGIN
      IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'integrations_ledgerentry' THEN
        IF {COVERED} THEN
          RETURN OLD;
        END IF;
      END IF;
      IF TG_TABLE_NAME = 'integrations_ledgerentry' THEN
        RAISE EXCEPTION '{ENTRY_WORDS}' USING ERRCODE = 'integrity_constraint_violation';
      END IF;
      RAISE EXCEPTION '{CHECKPOINT_WORDS}' USING ERRCODE = 'integrity_constraint_violation';
    END
    $body$
    """,
    *(
        f"""
        CREATE TRIGGER {name}_refuses_change BEFORE UPDATE OR DELETE ON {table}
        FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
        CREATE TRIGGER {name}_refuses_truncate BEFORE TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
        """
        for name, table in [
            ("ledger", "integrations_ledgerentry"),
            ("checkpoint", "integrations_ledgercheckpoint"),
        ]
    ),
]

BACK = {
    "sqlite": [
        f"DROP TRIGGER {name}"
        for name in (
            "ledger_refuses_update", "ledger_refuses_delete", "ledger_refuses_replace",
            "checkpoint_refuses_update", "checkpoint_refuses_delete",
        )
    ],
    "postgresql": ["DROP FUNCTION ledger_refuse() CASCADE"],
}


def set_up(apps, schema_editor):
    for statement in {"sqlite": SQLITE, "postgresql": POSTGRESQL}[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def take_down(apps, schema_editor):
    for statement in BACK[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [("integrations", "0006_ledger_rules")]
    operations = [migrations.RunPython(set_up, take_down)]
