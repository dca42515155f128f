"""Deliveries and restores name the request or schedule that started them. Existing rows name none."""

from django.db import migrations, models

import portal.trace


class Migration(migrations.Migration):

    dependencies = [
        ('signatures', '0049_seen_values'),
    ]

    operations = [
        migrations.AddField(
            model_name='deliveryrun',
            name='trace',
            field=models.CharField(blank=True, db_default='', default=portal.trace.get_trace, help_text='Id of the request or schedule that started it last.', max_length=32),
        ),
    ]
