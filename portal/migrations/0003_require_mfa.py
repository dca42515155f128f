"""A domain may require a second step of its members. Existing domains require none, as before."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("portal", "0002_cache_table")]
    operations = [
        migrations.AddField(
            model_name="domain",
            name="require_mfa",
            field=models.BooleanField(
                default=False,
                help_text="Members of any role set up an authenticator app or a security key before they see anything.",
                verbose_name="require a second step",
            ),
        ),
    ]
