"""Totals by day beside the daily counts, and the day an event is counted on.

Nothing is counted yet, so no total is missing.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0002_cache_table'),
        ('signatures', '0008_banner_spool'),
    ]

    operations = [
        migrations.CreateModel(
            name='DailyTotal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('impressions', models.PositiveIntegerField(default=0)),
                ('clicks', models.PositiveIntegerField(default=0)),
                ('scanner_impressions', models.PositiveIntegerField(default=0)),
                ('scanner_clicks', models.PositiveIntegerField(default=0)),
                ('day', models.DateField()),
                ('campaign_id', models.BigIntegerField(default=0)),
                ('banner_id', models.BigIntegerField(default=0)),
                ('group_id', models.BigIntegerField(default=0)),
                ('campaign_name', models.CharField(blank=True, max_length=120)),
                ('banner_name', models.CharField(blank=True, max_length=80)),
                ('group_name', models.CharField(blank=True, max_length=255)),
            ],
            options={
                'ordering': ['-day', 'id'],
            },
        ),
        migrations.RemoveIndex(
            model_name='dailycount',
            name='signatures__domain__cc754f_idx',
        ),
        migrations.AddField(
            model_name='bannerevent',
            name='counted_on',
            field=models.DateField(help_text="The day whose count it is in; it stays, whatever the domain's zone becomes.", null=True),
        ),
        migrations.AddField(
            model_name='bannerplace',
            name='events_removed_until',
            field=models.DateTimeField(editable=False, help_text='Single views and clicks until then are no longer kept.', null=True),
        ),
        migrations.AddField(
            model_name='bannerplace',
            name='sifted_until',
            field=models.DateTimeField(editable=False, help_text='Views and clicks until then are judged; one that is older came late.', null=True),
        ),
        migrations.AddIndex(
            model_name='bannerevent',
            index=models.Index(fields=['domain', 'sender_id', 'at'], name='signatures__domain__c92106_idx'),
        ),
        migrations.AddIndex(
            model_name='dailycount',
            index=models.Index(fields=['domain', 'campaign_id', 'sender_id', 'day'], name='signatures__domain__4888f5_idx'),
        ),
        migrations.AddField(
            model_name='dailytotal',
            name='domain',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='portal.domain'),
        ),
        migrations.AddIndex(
            model_name='dailytotal',
            index=models.Index(fields=['domain', 'campaign_id', 'day'], name='signatures__domain__b4b941_idx'),
        ),
        migrations.AddConstraint(
            model_name='dailytotal',
            constraint=models.UniqueConstraint(fields=('domain', 'day', 'campaign_id', 'banner_id', 'group_id'), name='one_total_per_day_banner_and_group'),
        ),
    ]
