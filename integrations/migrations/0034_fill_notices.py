# Existing notices get the domain of their connection; those that are over count as told, so that nobody is written
# to about troubles of before.

from django.db import migrations
from django.db.models import F, OuterRef, Subquery


def fill(apps, schema_editor):
    notices = apps.get_model('integrations', 'Notice').objects.all()
    connections = apps.get_model('integrations', 'Connection').objects.filter(pk=OuterRef('connection'))
    notices.update(domain_id=Subquery(connections.values('domain_id')[:1]))
    notices.exclude(ended_at=None).update(resolved_sent_at=F('ended_at'))


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0033_notice_channels'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
