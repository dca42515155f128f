"""Daily figures tell calls apart by HTTP status. Sums of earlier days have none, and stay as they are."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0030_plain_help'),
    ]

    operations = [
        migrations.AddField(
            model_name='ledgerday',
            name='status',
            field=models.PositiveSmallIntegerField(help_text='HTTP status; 0 where no answer came, empty in sums of earlier versions.', null=True),
        ),
    ]
