"""Every group that each sender's teams give is stored: campaigns of a second team's group now show for its members.

No sender changes group, and no mailbox changes.
"""

from collections import defaultdict

from django.db import migrations


def store_members(apps, schema_editor):
    Group = apps.get_model("signatures", "Group")
    GroupMember = apps.get_model("signatures", "GroupMember")
    Sender = apps.get_model("signatures", "Sender")
    by_team = defaultdict(dict)
    for pk, domain_id, team_id in Group.objects.filter(archived_at=None).exclude(follows_team_id="").values_list(
        "pk", "domain_id", "follows_team_id"
    ):
        by_team[domain_id][team_id] = pk
    rows, new = Sender.objects.order_by("pk").values_list("pk", "domain_id", "group_id", "person__team_ids"), []
    for pk, domain_id, group_id, team_ids in rows.iterator(chunk_size=2000):
        teams = by_team[domain_id]
        found = {teams[team_id] for team_id in team_ids or () if team_id in teams}
        found |= {group_id} if group_id and not found else set()
        new += [GroupMember(sender_id=pk, group_id=id) for id in sorted(found)]
        if len(new) > 2000:
            GroupMember.objects.bulk_create(new, batch_size=500)
            new = []
    GroupMember.objects.bulk_create(new, batch_size=500)


class Migration(migrations.Migration):

    dependencies = [
        ("signatures", "0044_group_members"),
    ]

    operations = [
        migrations.RunPython(store_members, migrations.RunPython.noop, elidable=True),
    ]
