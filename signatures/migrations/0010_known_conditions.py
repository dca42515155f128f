"""What was found out condition by condition, for the hour it is kept; rows there already say none, until asked anew."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('signatures', '0009_counting'),
    ]

    operations = [
        migrations.AddField(
            model_name='knownrecipient',
            name='conditions',
            field=models.JSONField(default=dict),
        ),
    ]
