"""Groups take members by hand and by rule. Present groups follow their teams as before; no sender changes group."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('signatures', '0043_team_counts'),
    ]

    operations = [
        migrations.AddField(
            model_name='group',
            name='excluded',
            field=models.ManyToManyField(blank=True, related_name='excluded_from', to='signatures.sender'),
        ),
        migrations.AddField(
            model_name='group',
            name='included',
            field=models.ManyToManyField(blank=True, related_name='included_in', to='signatures.sender'),
        ),
        migrations.AddField(
            model_name='group',
            name='rule',
            field=models.JSONField(blank=True, default=list, help_text='Conditions on a sender’s fields.'),
        ),
        migrations.AddField(
            model_name='group',
            name='team_ids',
            field=models.JSONField(blank=True, default=list, help_text='Remote ids of teams whose members it takes.', verbose_name='further teams'),
        ),
        migrations.AlterField(
            model_name='group',
            name='archived_at',
            field=models.DateTimeField(blank=True, help_text='Archived, or its team was removed in Outreach.', null=True),
        ),
        migrations.CreateModel(
            name='GroupMember',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('group', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='signatures.group')),
                ('sender', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='signatures.sender')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('sender', 'group'), name='one_membership_per_group')],
            },
        ),
    ]
