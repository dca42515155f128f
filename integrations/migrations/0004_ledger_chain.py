"""Entries get their place in a chain; existing ones have none until the next migration gives it to them."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0003_sync_of_people'),
        ('portal', '0002_cache_table'),
    ]

    operations = [
        migrations.AddField(
            model_name='ledgerentry',
            name='digest',
            field=models.CharField(default='', help_text="SHA-256 of all the rest but the row's id; see `integrations.ledger.digests`.", max_length=64),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='previous_digest',
            field=models.CharField(default='', help_text='Of the entry before it in the chain.', max_length=64),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='sequence',
            field=models.PositiveBigIntegerField(help_text="Its place in its domain's chain, from 1.", null=True),
        ),
        migrations.CreateModel(
            name='LedgerChain',
            fields=[
                ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('domain_name', models.CharField(blank=True, max_length=253)),
                ('count', models.PositiveBigIntegerField(default=0, help_text='Entries ever written, pruned ones included.')),
                ('digest', models.CharField(default='0000000000000000000000000000000000000000000000000000000000000000', help_text="The newest entry's.", max_length=64)),
                ('domain', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='portal.domain')),
            ],
            options={
                'ordering': ['domain_name', 'id'],
            },
        ),
        migrations.CreateModel(
            name='ChainCheck',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('is_intact', models.BooleanField()),
                ('entries', models.PositiveBigIntegerField(help_text='How many entries were read.')),
                ('count', models.PositiveBigIntegerField(help_text="The head's, as the check found it.")),
                ('digest', models.CharField(help_text="The head's, as the check found it.", max_length=64)),
                ('finding', models.TextField(blank=True, help_text='The first bad entry, in words.')),
                ('key_id', models.CharField(blank=True, max_length=16)),
                ('public_key', models.CharField(blank=True, max_length=44)),
                ('signature', models.CharField(blank=True, max_length=88)),
                ('chain', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='checks', to='integrations.ledgerchain')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['chain', '-id'], name='integration_chain_i_a0a116_idx')],
            },
        ),
        migrations.CreateModel(
            name='LedgerCheckpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('last_sequence', models.PositiveBigIntegerField()),
                ('digest', models.CharField(help_text='Of the last entry that went.', max_length=64)),
                ('older_than', models.DateTimeField(help_text='Every entry that went is older than this.')),
                ('totals', models.JSONField(default=list, help_text='Of all entries that ever went: scope, verb, outcome, entries and calls.')),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('actor_label', models.CharField(max_length=255)),
                ('key_id', models.CharField(max_length=16)),
                ('public_key', models.CharField(max_length=44)),
                ('signature', models.CharField(max_length=88)),
                ('chain', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='checkpoints', to='integrations.ledgerchain')),
            ],
            options={
                'ordering': ['-last_sequence'],
                'constraints': [models.UniqueConstraint(fields=('chain', 'last_sequence'), name='one_checkpoint_per_entry')],
            },
        ),
        migrations.CreateModel(
            name='LedgerDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('shape', models.CharField(max_length=64)),
                ('action', models.CharField(max_length=40)),
                ('endpoint', models.CharField(blank=True, max_length=40)),
                ('scope', models.CharField(blank=True, max_length=64)),
                ('verb', models.CharField(blank=True, max_length=8)),
                ('outcome', models.CharField(max_length=16)),
                ('fields', models.JSONField(default=list)),
                ('job_kind', models.CharField(blank=True, help_text='The job without its number.', max_length=64)),
                ('connection_ref', models.CharField(blank=True, help_text="Over which connection; '' for none.", max_length=36)),
                ('actor_label', models.CharField(blank=True, max_length=255)),
                ('entries', models.PositiveBigIntegerField(default=0)),
                ('calls', models.PositiveBigIntegerField(default=0)),
                ('items', models.PositiveBigIntegerField(default=0)),
                ('first_at', models.DateTimeField()),
                ('last_at', models.DateTimeField()),
                ('last_job', models.CharField(blank=True, max_length=64)),
                ('chain', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='days', to='integrations.ledgerchain')),
            ],
            options={
                'ordering': ['-day', 'id'],
                'constraints': [models.UniqueConstraint(fields=('chain', 'day', 'shape'), name='one_sum_per_day_and_shape')],
            },
        ),
    ]
