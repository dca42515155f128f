"""Regular syncs between the full listings read changed people only; existing rows keep their kind."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0002_signing_key'),
    ]

    operations = [
        migrations.AlterField(
            model_name='syncrun',
            name='kind',
            field=models.CharField(choices=[('people', 'Changed people'), ('changes', 'What changed'), ('full', 'Everything')], max_length=16),
        ),
    ]
