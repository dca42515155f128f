"""Adds an index of the ledger's acts alone: the operators' audit page lists the newest of all domains."""

from django.db import migrations, models

from portal.index_migrations import AddIndexWhileWriting


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("integrations", "0036_total_syncs")]

    operations = [
        AddIndexWhileWriting(
            model_name="ledgerentry",
            index=models.Index(
                condition=models.Q(("action", "call"), _negated=True), fields=["-id"], name="ledger_newest_acts"
            ),
        ),
    ]
