"""How look-ups go, for each connection; a new table, so no row is touched."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("integrations", "0007_ledger_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name='LookupState',
            fields=[
                ('connection', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='lookup_state', serialize=False, to='integrations.connection')),
                ('how', models.CharField(blank=True, help_text="How a look-up must ask; '' until it was learnt.", max_length=32)),
                ('failures', models.PositiveIntegerField(default=0, help_text='In a row, without an answer in time.')),
                ('rests_until', models.DateTimeField(help_text='Nobody is looked up before; null where all is well.', null=True)),
                ('tried_at', models.DateTimeField(help_text='When one look-up was let through to try again.', null=True)),
            ],
        ),
    ]
