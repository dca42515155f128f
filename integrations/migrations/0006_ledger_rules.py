"""No two entries have one place in a chain; the page's filters have an index each. Rows stay as they are."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0005_chain_existing_entries'),
        ('portal', '0002_cache_table'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='ledgerentry',
            name='integration_domain__cf66b4_idx',
        ),
        migrations.RemoveIndex(
            model_name='ledgerentry',
            name='ledger_figures',
        ),
        migrations.AlterField(
            model_name='ledgerentry',
            name='digest',
            field=models.CharField(help_text="SHA-256 of all the rest but the row's id; see `integrations.ledger.digests`.", max_length=64),
        ),
        migrations.AlterField(
            model_name='ledgerentry',
            name='previous_digest',
            field=models.CharField(help_text='Of the entry before it in the chain.', max_length=64),
        ),
        migrations.AlterField(
            model_name='ledgerentry',
            name='sequence',
            field=models.PositiveBigIntegerField(help_text="Its place in its domain's chain, from 1."),
        ),
        migrations.AddIndex(
            model_name='ledgerentry',
            index=models.Index(fields=['domain', 'at'], name='integration_domain__352cfd_idx'),
        ),
        migrations.AddIndex(
            model_name='ledgerentry',
            index=models.Index(fields=['domain', 'scope', 'verb', '-sequence'], name='ledger_by_scope'),
        ),
        migrations.AddIndex(
            model_name='ledgerentry',
            index=models.Index(fields=['domain', 'outcome', '-sequence'], name='ledger_by_outcome'),
        ),
        migrations.AddIndex(
            model_name='ledgerentry',
            index=models.Index(fields=['domain', 'job', '-sequence'], name='ledger_by_job'),
        ),
        migrations.AddIndex(
            model_name='ledgerentry',
            index=models.Index(fields=['domain', 'actor_label', '-sequence'], name='ledger_by_person'),
        ),
        migrations.AddIndex(
            model_name='ledgerentry',
            index=models.Index(fields=['domain', 'verb', '-sequence'], name='ledger_by_verb'),
        ),
        migrations.AddIndex(
            model_name='ledgerentry',
            index=models.Index(fields=['action', '-id'], name='ledger_acts'),
        ),
        migrations.AddConstraint(
            model_name='ledgerentry',
            constraint=models.UniqueConstraint(fields=('domain', 'sequence'), name='one_entry_per_place'),
        ),
        migrations.AddConstraint(
            model_name='ledgerentry',
            constraint=models.UniqueConstraint(condition=models.Q(('domain', None)), fields=('sequence',), name='one_entry_per_place_of_no_domain'),
        ),
    ]
