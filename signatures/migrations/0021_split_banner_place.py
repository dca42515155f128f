"""What a domain keeps of recipients, and how far its events are counted, are rows of their own.

Every value moves with its domain, the sealed key of the pseudonyms byte for byte, and back where this is undone.
"""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

PRIVACY = {name: name for name in ("pepper_sealed", "event_days", "decision_days", "recipient_variable")}
COUNTING = {"counted_until": "sifted_until", "events_removed_until": "events_removed_until"}


def move_out(apps, schema_editor):
    for place in apps.get_model("signatures", "BannerPlace").objects.all():
        for name, columns in (("RecipientPrivacy", PRIVACY), ("CountingState", COUNTING)):
            apps.get_model("signatures", name).objects.create(
                domain_id=place.pk, **{new: getattr(place, old) for new, old in columns.items()}
            )


def move_back(apps, schema_editor):
    places = apps.get_model("signatures", "BannerPlace").objects
    for name, columns in (("RecipientPrivacy", PRIVACY), ("CountingState", COUNTING)):
        for row in apps.get_model("signatures", name).objects.all():
            places.update_or_create(
                pk=row.pk, defaults={old: getattr(row, new) for new, old in columns.items()}
            )


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0007_address_vouching'),
        ('signatures', '0020_plain_labels'),
    ]

    operations = [
        migrations.CreateModel(
            name='CountingState',
            fields=[
                ('domain', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='counting_state', serialize=False, to='portal.domain')),
                ('counted_until', models.DateTimeField(help_text='Events until then are counted; one that is older came late.', null=True)),
                ('events_removed_until', models.DateTimeField(help_text='Single events until then are no longer kept.', null=True)),
            ],
        ),
        migrations.CreateModel(
            name='RecipientPrivacy',
            fields=[
                ('domain', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='recipient_privacy', serialize=False, to='portal.domain')),
                ('pepper_sealed', models.TextField(blank=True, editable=False, help_text="The sealed key that recipients' digests are made with.")),
                ('event_days', models.PositiveSmallIntegerField(default=90, help_text='How long single impressions and clicks are kept.', validators=[django.core.validators.MinValueValidator(7), django.core.validators.MaxValueValidator(3650)])),
                ('decision_days', models.PositiveSmallIntegerField(default=30, help_text='How long a decision for a recipient is kept.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(3650)])),
                ('recipient_variable', models.CharField(blank=True, help_text="What Outreach replaces with the recipient’s address; '' for none.", max_length=64)),
            ],
            options={
                'verbose_name_plural': 'recipient privacy',
            },
        ),
        migrations.RunPython(move_out, move_back),
        migrations.RemoveField(
            model_name='bannerplace',
            name='decision_days',
        ),
        migrations.RemoveField(
            model_name='bannerplace',
            name='event_days',
        ),
        migrations.RemoveField(
            model_name='bannerplace',
            name='events_removed_until',
        ),
        migrations.RemoveField(
            model_name='bannerplace',
            name='pepper_sealed',
        ),
        migrations.RemoveField(
            model_name='bannerplace',
            name='recipient_variable',
        ),
        migrations.RemoveField(
            model_name='bannerplace',
            name='sifted_until',
        ),
    ]
