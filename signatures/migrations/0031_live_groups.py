import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("signatures", "0030_restore_targets")]
    operations = [
        migrations.AddField(
            model_name="sender",
            name="live_group",
            field=models.ForeignKey(
                editable=False,
                help_text="The group that the live release gives; `group` is the one as edited.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="live_senders",
                to="signatures.group",
            ),
        ),
    ]
