"""A connection may have come from a backup. No existing one did, so that every column stays empty."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0013_receipts'),
    ]

    operations = [
        migrations.AddField(
            model_name='connection',
            name='restored_at',
            field=models.DateTimeField(blank=True, help_text='It came from a backup and was not tested since; writing stays paused.', null=True),
        ),
    ]
