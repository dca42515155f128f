"""Group members: store which group of the live release each sender is in, and every group that campaigns see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from integrations.connection.lifecycle import get_connection
from portal.db import update_rows
from portal.models import Domain
from signatures.models import Following, Group, GroupMember, Sender
from signatures.releases.content import ReleaseContent
from signatures.releases.live import get_live_content
from signatures.senders.group_membership import GroupRule, GroupTable, Member
from signatures.senders.grouping import get_group_rules
from signatures.senders.values import get_member

CHUNK = 500


class GroupStore:
    """Stores the groups of senders by one content.

    Campaigns see a group as the content has it, and as it is edited where it was not published yet.
    """

    def __init__(self, domain: Domain, content: ReleaseContent) -> None:
        self._content = content
        known = set(Group.objects.filter(domain=domain).values_list("pk", flat=True))
        groups: list[GroupRule] = [group for group in content.groups if group.id in known]
        groups += [group for group in get_group_rules(domain) if group.id not in content.group_by_id]
        self._table = GroupTable(sorted(groups, key=lambda group: group.is_default))

    def store(self, senders: Sequence[Sender]) -> None:
        """Store the groups of these senders where they changed. Needs person loaded."""
        members = {sender.pk: get_member(sender) for sender in senders}
        moved = []
        for sender in senders:
            group = self._content.find_group(members[sender.pk])
            group_id = group.id if group else None
            if sender.live_group_id != group_id:
                sender.live_group_id = group_id
                moved.append(sender)
        update_rows(moved, ["live_group"])
        self._store_members(senders, members)

    def _store_members(self, senders: Sequence[Sender], members: dict[int, Member]) -> None:
        held: dict[int, dict[int, int]] = defaultdict(dict)
        rows = GroupMember.objects.filter(sender__in=members)
        for pk, sender_id, group_id in rows.values_list("pk", "sender", "group"):
            held[sender_id][group_id] = pk
        new, gone, changed = [], [], []
        for sender in senders:
            before = held.get(sender.pk, {})
            wanted = {group.id for group in self._table.list_groups(members[sender.pk])}
            new += [GroupMember(sender=sender, group_id=id) for id in sorted(wanted - before.keys())]
            gone += [pk for id, pk in before.items() if id not in wanted]
            if wanted != (before.keys() or {sender.group_id}):
                changed.append(sender.pk)
        GroupMember.objects.bulk_create(new, batch_size=500, ignore_conflicts=True)
        if gone:
            GroupMember.objects.filter(pk__in=gone).delete()
        if changed:  # so that whoever serves their banners reads their groups again
            Sender.objects.filter(pk__in=changed).update(changed_at=timezone.now())


def refresh_members(domain: Domain) -> None:
    """Store the groups of all senders of a domain; nothing is rendered."""
    connection = get_connection(domain)
    if connection is None:
        return
    store = GroupStore(domain, get_live_content(domain))
    rows = Sender.objects.filter(person__connection=connection).select_related("person").order_by("pk")
    last = 0
    while senders := list(rows.filter(pk__gt=last)[:CHUNK]):
        with transaction.atomic():
            Following.objects.select_for_update().filter(connection=connection).first()  # one at a time
            store.store(senders)
        last = senders[-1].pk
