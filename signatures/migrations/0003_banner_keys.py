"""Each sender gets a key of its own for the addresses of its banner; those there already, in batches."""

from django.db import migrations, models

import signatures.models.sender
from signatures.models.sender import make_banner_key

BATCH = 2_000


def give_keys(apps, schema_editor):
    Sender = apps.get_model("signatures", "Sender")
    while rows := list(Sender.objects.filter(banner_key=None).only("pk")[:BATCH]):
        for row in rows:
            row.banner_key = make_banner_key()
        Sender.objects.bulk_update(rows, ["banner_key"])


class Migration(migrations.Migration):
    dependencies = [("signatures", "0002_banners")]

    operations = [
        migrations.AddField(
            model_name="sender",
            name="banner_key",
            field=models.CharField(max_length=22, null=True, editable=False),
        ),
        migrations.RunPython(give_keys, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="sender",
            name="banner_key",
            field=models.CharField(
                default=signatures.models.sender.make_banner_key,
                editable=False,
                help_text="Stands in the addresses of this sender's banner; tells nobody who it is.",
                max_length=22,
                unique=True,
            ),
        ),
    ]
