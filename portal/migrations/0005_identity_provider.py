"""Adds single sign-on by domain. No domain has it until its owner sets it up; passwords stay as they are."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0004_invitations'),
    ]

    operations = [
        migrations.CreateModel(
            name='IdentityProvider',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('issuer', models.URLField(help_text='Exactly as it is published, such as https://login.acme.com/realms/acme.', max_length=500)),
                ('client_id', models.CharField(max_length=255, verbose_name='client ID')),
                ('client_secret_sealed', models.TextField()),
                ('default_role', models.CharField(blank=True, choices=[('auditor', 'Auditor')], help_text='People of this mail domain who sign in for the first time.', max_length=16, verbose_name='role of people nobody invited')),
                ('is_required', models.BooleanField(default=False, help_text='Members sign in this way alone. Operators keep their passwords.', verbose_name='no passwords')),
                ('domain', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='identity_provider', to='portal.domain')),
            ],
        ),
    ]
