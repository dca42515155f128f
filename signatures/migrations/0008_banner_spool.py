"""Banner events come in from files, and it is kept how far each was read; senders are found by when they changed.

No row changes.
"""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("signatures", "0007_variable_tests")]

    operations = [
        migrations.CreateModel(
            name="SpoolImport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=64, unique=True)),
                ("offset", models.PositiveBigIntegerField(default=0)),
                ("changed_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.AddIndex(
            model_name="sender",
            index=models.Index(fields=["domain", "changed_at"], name="signatures__domain__49cbd1_idx"),
        ),
    ]
