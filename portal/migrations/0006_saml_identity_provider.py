"""Adds SAML beside OpenID Connect. Every provider there is keeps OpenID Connect, and its SAML fields are empty."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0005_identity_provider'),
    ]

    operations = [
        migrations.AddField(
            model_name='identityprovider',
            name='protocol',
            field=models.CharField(choices=[('oidc', 'OpenID Connect'), ('saml', 'SAML 2.0')], default='oidc', max_length=8),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='saml_certificates',
            field=models.TextField(blank=True, verbose_name='certificates'),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='saml_email_attribute',
            field=models.CharField(blank=True, max_length=255, verbose_name='attribute with the e-mail address'),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='saml_entity_id',
            field=models.CharField(blank=True, max_length=500, verbose_name='entity ID'),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='saml_sso_url',
            field=models.URLField(blank=True, max_length=500, verbose_name='sign-on address'),
        ),
    ]
