"""Whether a person is locked may be unknown. Existing rows keep what they say; the next sync asks again."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0014_restored_at'),
    ]

    operations = [
        migrations.AlterField(
            model_name='person',
            name='is_locked',
            field=models.BooleanField(default=False, help_text='Empty: Outreach did not say, so nothing is written to this person.', null=True),
        ),
        migrations.AlterField(
            model_name='mailbox',
            name='is_editable',
            field=models.BooleanField(help_text='Empty: Outreach did not say, so nothing is written to this mailbox.', null=True),
        ),
    ]
