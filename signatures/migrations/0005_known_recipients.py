"""What is known of a recipient, for an hour; a new table, so no row is touched."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0002_cache_table'),
        ('signatures', '0004_banner_image_note'),
    ]

    operations = [
        migrations.CreateModel(
            name='KnownRecipient',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('recipient_key', models.CharField(help_text='Keyed digest of the address.', max_length=64)),
                ('verdicts', models.JSONField(default=dict)),
                ('asked_at', models.DateTimeField(help_text='When Outreach was last asked; a claim, written before the request leaves.', null=True)),
                ('answered_at', models.DateTimeField(help_text='When that answer was read; none for a failure.', null=True)),
                ('failed_at', models.DateTimeField(help_text='When it was clear that no answer comes.', null=True)),
                ('expires_at', models.DateTimeField(help_text='After this, nothing of it counts.')),
                ('is_tallied', models.BooleanField(default=True, help_text="False until the audiences' tallies count it.")),
                ('domain', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='portal.domain')),
            ],
            options={
                'indexes': [models.Index(fields=['expires_at'], name='signatures__expires_686832_idx'), models.Index(condition=models.Q(('is_tallied', False)), fields=['domain'], name='known_not_yet_tallied')],
                'constraints': [models.UniqueConstraint(fields=('domain', 'recipient_key'), name='one_known_recipient_per_key')],
            },
        ),
    ]
