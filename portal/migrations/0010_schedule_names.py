"""Rename the portal's schedules, which keep their state and their next run."""

from django.db import migrations

RENAMED = {
    "read mailboxes back": "read back mailboxes",
    "renew access": "refresh tokens",
    "sweep syncs and connections": "resume interrupted syncs",
    "write to whose turn it is": "send alerts",
    "sweep deliveries": "resume interrupted deliveries",
    "count looked-up recipients": "count audience matches",
    "take in banner events": "import banner events",
}


def rename(apps, editor):
    for before, after in RENAMED.items():
        apps.get_model("django_q", "Schedule").objects.filter(name=before).update(name=after)


def rename_back(apps, editor):
    for before, after in RENAMED.items():
        apps.get_model("django_q", "Schedule").objects.filter(name=after).update(name=before)


class Migration(migrations.Migration):
    dependencies = [("portal", "0009_approver"), ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more")]
    operations = [migrations.RunPython(rename, rename_back)]
