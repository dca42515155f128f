"""Syncs and ledger entries name the request or schedule that caused them. Existing rows name none, and keep their digest.

The ledger's new column may be NULL, so that SQLite adds it in place: a table that is remade loses its triggers.
"""

from django.db import migrations, models

import portal.trace


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0031_ledger_day_status'),
    ]

    operations = [
        migrations.AddField(
            model_name='ledgerentry',
            name='trace',
            field=models.CharField(blank=True, help_text='Id of the request or schedule that caused it, as in logs; empty where there was none.', max_length=32, null=True),
        ),
        migrations.AddField(
            model_name='syncrun',
            name='trace',
            field=models.CharField(blank=True, db_default='', default=portal.trace.get_trace, help_text='Id of the request or schedule that began it.', max_length=32),
        ),
    ]
