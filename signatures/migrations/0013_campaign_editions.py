"""How campaigns were before is kept."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('signatures', '0012_banner_since'),
    ]

    operations = [
        migrations.CreateModel(
            name='CampaignEdition',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('since', models.DateTimeField(default=django.utils.timezone.now)),
                ('rule', models.JSONField()),
                ('campaign', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='editions', to='signatures.campaign')),
            ],
            options={
                'ordering': ['campaign', 'since', 'id'],
                'indexes': [models.Index(fields=['campaign', 'since'], name='signatures__campaig_010c5b_idx')],
            },
        ),
    ]
