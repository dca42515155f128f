"""Each record that was rejected since everything was last read is kept once, with its last reason.

What earlier runs met is told by what was read since, and goes. The way back keeps no row: the next sync finds them.
"""

from django.db import migrations, models


def keep_once(apps, schema_editor):
    SyncRun = apps.get_model("integrations", "SyncRun")
    QuarantinedRecord = apps.get_model("integrations", "QuarantinedRecord")
    RejectedRecord = apps.get_model("integrations", "RejectedRecord")
    everything = SyncRun.objects.filter(kind="full", state="complete").order_by()
    for last in everything.values("connection").annotate(run=models.Max("pk")):
        found = QuarantinedRecord.objects.filter(
            run__connection=last["connection"], run__state="complete", run__gte=last["run"]
        )
        newest = found.order_by().values("kind", "remote_id").annotate(row=models.Max("pk"), rows=models.Count("pk"))
        batch = []
        for group in newest.iterator(chunk_size=500):
            row = QuarantinedRecord.objects.select_related("run").get(pk=group["row"])
            batch.append(
                RejectedRecord(
                    connection_id=last["connection"],
                    kind=row.kind,
                    remote_id=row.remote_id,
                    reason=row.reason,
                    number=1 if row.remote_id else group["rows"],
                    run=row.run,
                    first_seen_at=row.run.created_at,
                    last_seen_at=row.run.created_at,
                )
            )
        RejectedRecord.objects.bulk_create(batch, batch_size=100)


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0021_rejected_records'),
    ]

    operations = [
        migrations.RunPython(keep_once, migrations.RunPython.noop),
        migrations.DeleteModel(name='QuarantinedRecord'),
    ]
