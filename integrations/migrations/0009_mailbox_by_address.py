"""Mailboxes are found by their address, whatever its case; rows stay as they are."""

import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0008_lookup_state'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='mailbox',
            index=models.Index(models.F('connection'), django.db.models.functions.text.Lower('email'), name='mailbox_by_address'),
        ),
    ]
