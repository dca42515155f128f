"""Syncs count how often they waited. Existing runs keep 0: the next wait of one is taken for its first."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integrations", "0017_pace")]

    operations = [
        migrations.AddField(
            model_name="syncrun",
            name="waits",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="How often it had to wait; the pauses grow with it."
            ),
        ),
        migrations.AlterField(
            model_name="syncrun",
            name="state",
            field=models.CharField(
                choices=[
                    ("queued", "Queued"),
                    ("running", "Running"),
                    ("waiting", "Waiting"),
                    ("complete", "Complete"),
                    ("failed", "Failed"),
                    ("interrupted", "Interrupted"),
                    ("skipped", "Skipped"),
                ],
                default="queued",
                max_length=16,
            ),
        ),
    ]
