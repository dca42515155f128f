"""A run may be incomplete and says what was not told. Rejected records have rows of their own; 0022 fills them."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0020_assumption_reports'),
    ]

    operations = [
        migrations.RenameField(model_name='syncrun', old_name='quarantined', new_name='rejected'),
        migrations.AlterField(
            model_name='syncrun',
            name='rejected',
            field=models.PositiveIntegerField(default=0, help_text='Records that could not be taken over.'),
        ),
        migrations.AddField(
            model_name='syncrun',
            name='unknown_values',
            field=models.JSONField(blank=True, default=list, help_text='Attributes that did not come or did not fit, with how many records.'),
        ),
        migrations.AlterField(
            model_name='notice',
            name='kind',
            field=models.CharField(choices=[('lost', 'Outreach no longer accepts our access'), ('misconfigured', 'Outreach does not accept this portal’s client id or secret'), ('lapsing', 'Our access to Outreach lapses soon'), ('incomplete', 'Too many records of Outreach cannot be read'), ('halted', 'A delivery stopped and asks somebody')], max_length=16),
        ),
        migrations.AlterField(
            model_name='syncrun',
            name='state',
            field=models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('waiting', 'Waiting'), ('complete', 'Complete'), ('incomplete', 'Incomplete'), ('failed', 'Failed'), ('interrupted', 'Interrupted'), ('skipped', 'Skipped')], default='queued', max_length=16),
        ),
        migrations.CreateModel(
            name='RejectedRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(help_text='person, team or mailbox', max_length=16)),
                ('remote_id', models.CharField(blank=True, help_text='Empty where it came without one.', max_length=64)),
                ('reason', models.TextField()),
                ('number', models.PositiveIntegerField(default=1, help_text='How many records this row stands for.')),
                ('first_seen_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('last_seen_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('connection', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rejected_records', to='integrations.connection')),
                ('run', models.ForeignKey(help_text='The last that met it.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='rejected_records', to='integrations.syncrun')),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('connection', 'kind', 'remote_id'), name='one_row_per_rejected_record')],
            },
        ),
    ]
