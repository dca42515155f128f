"""Adds what the search of senders looks through, and notes it for those who are there."""

from django.db import migrations, models

CHUNK = 1_000


def note(apps, schema_editor):
    Sender = apps.get_model("signatures", "Sender")
    rows = Sender.objects.select_related("person").only("name", "email", "own_values", "person__title")
    last = 0
    while chunk := list(rows.filter(pk__gt=last).order_by("pk")[:CHUNK]):
        for sender in chunk:
            title = sender.own_values.get("sender.title") or sender.person.title
            sender.search = "\n".join((sender.name, sender.email, title)).lower()
        Sender.objects.bulk_update(chunk, ["search"])
        last = chunk[-1].pk


class Migration(migrations.Migration):
    atomic = False  # each thousand is committed for itself: a live portal goes on

    dependencies = [("signatures", "0050_delivery_traces")]

    operations = [
        migrations.AddField(
            model_name="sender",
            name="search",
            field=models.TextField(
                blank=True,
                db_default="",
                editable=False,
                help_text="Name, address and title in lower case, for the search of the list; '' until it was noted.",
            ),
        ),
        migrations.RunPython(note, migrations.RunPython.noop, elidable=True),
    ]
