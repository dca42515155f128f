"""Since when a mailbox carries the place for a banner; no signature placed so far does."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('signatures', '0011_mail_receipts'),
    ]

    operations = [
        migrations.AddField(
            model_name='placement',
            name='banner_since',
            field=models.DateTimeField(help_text='Since when what we put there carries the place for a banner; empty for not.', null=True),
        ),
    ]
