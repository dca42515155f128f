"""Pictures say what became of the upload; those there already say nothing."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("signatures", "0003_banner_keys")]

    operations = [
        migrations.AddField(
            model_name="bannerimage",
            name="note",
            field=models.CharField(
                blank=True,
                default="",
                help_text="What became of the upload that a person may want to know.",
                max_length=400,
            ),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="bannerimage",
            name="bytes_2x",
            field=models.BinaryField(help_text="The same as at 1× where there is nothing sharper."),
        ),
    ]
