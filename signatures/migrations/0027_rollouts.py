"""Runs get stages, limits and pauses; a mailbox is in one started run at most, instead of a domain having one.

What is unfinished goes on in one go, as it was started, and holds its mailboxes from now on.
"""

from django.conf import settings
from django.db import migrations, models


def hold_mailboxes(apps, schema_editor):
    """Where two halted runs have the same mailbox, the newest one holds it."""
    Delivery = apps.get_model("signatures", "Delivery")
    unfinished = Delivery.objects.filter(
        run__state__in=["queued", "running", "waiting", "halted"], state__in=["planned", "claimed"]
    )
    held = set()
    rows = unfinished.order_by("-run_id", "id").values_list(
        "pk", "run__domain", "run__connection__account_key", "mailbox_remote_id"
    )
    for pk, domain_id, account_key, mailbox_id in list(rows):
        key = f"{domain_id}:{account_key}:{mailbox_id}"
        if key not in held:
            held.add(key)
            Delivery.objects.filter(pk=pk).update(active_key=key)


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0025_mailbox_written_at'),
        ('portal', '0009_approver'),
        ('signatures', '0026_followed_release'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='deliveryrun',
            name='one_unfinished_delivery_per_domain',
        ),
        migrations.AddField(
            model_name='delivery',
            name='active_key',
            field=models.CharField(blank=True, editable=False, help_text='The mailbox, while a started run has yet to settle it: no other run may take it.', max_length=255, null=True),
        ),
        migrations.AddField(
            model_name='delivery',
            name='read_back_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='delivery',
            name='read_back_sha256',
            field=models.CharField(blank=True, help_text='Digest of what it held when its stage was read back.', max_length=64),
        ),
        migrations.AddField(
            model_name='delivery',
            name='stage',
            field=models.PositiveSmallIntegerField(default=1),
        ),
        migrations.AddField(
            model_name='deliveryrun',
            name='cause_code',
            field=models.CharField(blank=True, help_text='Why it waits or halted, for pages.', max_length=32),
        ),
        migrations.AddField(
            model_name='deliveryrun',
            name='counted_from',
            field=models.DateTimeField(help_text='What was refused or edited before was accepted by the person who resumed it.', null=True),
        ),
        migrations.AddField(
            model_name='deliveryrun',
            name='drift_limit',
            field=models.PositiveIntegerField(default=0, help_text='Per stage; 0 for none.'),
        ),
        migrations.AddField(
            model_name='deliveryrun',
            name='held_at',
            field=models.DateTimeField(blank=True, help_text='Since when it waits for a person.', null=True),
        ),
        migrations.AddField(
            model_name='deliveryrun',
            name='held_by_label',
            field=models.CharField(blank=True, help_text='Who paused it; empty where the next stage waits for somebody.', max_length=255),
        ),
        migrations.AddField(
            model_name='deliveryrun',
            name='refusal_limit',
            field=models.PositiveIntegerField(default=0, help_text='Per stage; 0 for none.'),
        ),
        migrations.AddField(
            model_name='deliveryrun',
            name='scope',
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name='deliveryrun',
            name='stage',
            field=models.PositiveSmallIntegerField(default=1, help_text='The present stage, from 1.'),
        ),
        migrations.AddField(
            model_name='deliveryrun',
            name='stage_pause_minutes',
            field=models.PositiveIntegerField(blank=True, default=0, help_text='Between stages; empty: each waits for a person.', null=True),
        ),
        migrations.AddField(
            model_name='deliveryrun',
            name='stages',
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name='deliveryrun',
            name='stop_asked_by_label',
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.RunPython(hold_mailboxes, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name='deliveryrun',
            index=models.Index(fields=['domain', 'state'], name='signatures__domain__e975ff_idx'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(fields=('active_key',), name='one_active_delivery_per_mailbox'),
        ),
    ]
