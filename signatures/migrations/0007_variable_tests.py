"""Tests of the recipient variable; a new table, so no row is touched."""

import django.db.models.deletion
import django.utils.timezone
import signatures.models.sender
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0002_cache_table'),
        ('signatures', '0006_decision_allowance'),
    ]

    operations = [
        migrations.CreateModel(
            name='VariableTest',
            fields=[
                ('domain', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='variable_test', serialize=False, to='portal.domain')),
                ('key', models.CharField(default=signatures.models.sender.make_banner_key, editable=False, max_length=22, unique=True)),
                ('variable', models.CharField(max_length=64)),
                ('outcome', models.CharField(blank=True, choices=[('', 'Nothing arrived yet'), ('unexpanded', 'It arrived as it was written'), ('expanded', 'It arrived as an address'), ('other', 'Something else arrived')], default='', max_length=16)),
                ('masked', models.CharField(blank=True, help_text='What arrived, too little to be read back.', max_length=64)),
                ('arrived_at', models.DateTimeField(null=True)),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('started_by_label', models.CharField(blank=True, max_length=255)),
            ],
        ),
    ]
