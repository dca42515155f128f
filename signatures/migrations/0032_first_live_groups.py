"""Senders have the group as edited until everybody is compared anew, with the next sync or plan."""

from django.db import migrations
from django.db.models import F


def copy_groups(apps, schema_editor):
    apps.get_model("signatures", "Sender").objects.update(live_group=F("group"))
    apps.get_model("signatures", "Following").objects.update(release=None)


class Migration(migrations.Migration):
    dependencies = [("signatures", "0031_live_groups")]
    operations = [migrations.RunPython(copy_groups, migrations.RunPython.noop)]
