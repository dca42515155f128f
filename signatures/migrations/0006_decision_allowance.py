"""Keys count their requests, the present ones from a full allowance; senders are found by address, in any case."""

import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0009_mailbox_by_address'),
        ('portal', '0002_cache_table'),
        ('signatures', '0005_known_recipients'),
    ]

    operations = [
        migrations.AddField(
            model_name='decisionkey',
            name='counted_at',
            field=models.FloatField(default=0, editable=False, help_text='When that was, in epoch seconds.'),
        ),
        migrations.AddField(
            model_name='decisionkey',
            name='requests_left',
            field=models.FloatField(default=0, editable=False, help_text='Of the burst, when it was last counted.'),
        ),
        migrations.AddIndex(
            model_name='sender',
            index=models.Index(models.F('domain'), django.db.models.functions.text.Lower('email'), name='sender_by_address'),
        ),
    ]
