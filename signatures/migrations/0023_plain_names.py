"""Columns are named as pages and docs name what they hold; the data stay where they are."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('signatures', '0022_plain_banner_labels'),
    ]

    operations = [
        migrations.RenameField('dailycount', 'scanner_impressions', 'bot_impressions'),
        migrations.RenameField('dailycount', 'scanner_clicks', 'bot_clicks'),
        migrations.RenameField('dailytotal', 'scanner_impressions', 'bot_impressions'),
        migrations.RenameField('dailytotal', 'scanner_clicks', 'bot_clicks'),
        migrations.RemoveIndex(model_name='bannerevent', name='signatures__domain__405c8c_idx'),
        migrations.RenameField('bannerevent', 'reader_key', 'visitor_key'),
        migrations.AddIndex(
            model_name='bannerevent',
            index=models.Index(fields=['domain', 'visitor_key', 'at'], name='signatures__domain__c7d249_idx'),
        ),
        migrations.RenameModel('CampaignEdition', 'CampaignRevision'),
        migrations.AlterField(
            model_name='campaignrevision',
            name='campaign',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='revisions', to='signatures.campaign'),
        ),
        migrations.RenameIndex(
            'campaignrevision', new_name='signatures__campaig_85ec52_idx', old_name='signatures__campaig_010c5b_idx'
        ),
    ]
