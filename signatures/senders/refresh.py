"""Sender refresh: creates and updates senders from the mirror's people, and keeps local values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from integrations.models import Connection, Person
from portal.db import update_rows
from signatures.models import Sender

from .group_membership import GroupRule, GroupTable, Member
from .grouping import digest_source, get_group_rules
from .team_counts import count_again
from .values import get_member, name_sender

CHUNK = 1_000


@dataclass(slots=True)
class SenderTally:
    """How many senders a refresh added, changed (retired ones among them left out) and retired."""

    added: int = 0
    changed: int = 0
    retired: int = 0

    @property
    def total(self) -> int:
        return self.added + self.changed + self.retired


@dataclass(slots=True)
class _Batch:
    new: list[Sender] = field(default_factory=list)
    old: list[Sender] = field(default_factory=list)


def refresh_senders(connection: Connection, *, since: datetime | None) -> SenderTally:
    """Create or update a sender for each mirrored person, in the right group; locked and removed people are inactive.

    Without a lock state, a sender's activity does not change.

    since: only people a sync changed at or after it; None for everybody. Local values stay, and follow a
    person into a new connection of the same organisation. Unchanged rows are not written. Works in chunks of
    1,000, each in a transaction of its own.
    """
    tally = SenderTally()
    table = GroupTable(get_group_rules(connection.domain))
    for people in _chunks(connection, since):
        with transaction.atomic():
            _refresh_chunk(connection, people, table, tally)
    if since is None:
        tally.retired += _retire_strangers(connection)
    if tally.total:
        count_again(connection)
    return tally


def _chunks(connection: Connection, since: datetime | None) -> Iterator[list[Person]]:
    people = Person.objects.filter(connection=connection).order_by("pk")
    if since is not None:
        people = people.filter(changed_at__gte=since)
    last = 0
    while chunk := list(people.filter(pk__gt=last)[:CHUNK]):
        yield chunk
        last = chunk[-1].pk


def _refresh_chunk(
    connection: Connection, people: list[Person], table: GroupTable[GroupRule], tally: SenderTally
) -> None:
    known = {sender.person_id: sender for sender in Sender.objects.filter(person__in=people)}
    strangers = [person for person in people if person.pk not in known]
    known.update(_find_earlier_selves(connection, strangers))
    now = timezone.now()
    batch = _Batch()
    for person in people:
        sender = known.get(person.pk)
        group = table.find_group(_make_member(person, sender))
        group_id = group.id if group else None
        is_active = _is_active(person, sender)
        digest = digest_source(person, group, is_active=is_active)
        if sender is None and person.retired_at is not None:
            continue
        if sender is None:
            sender = Sender(domain_id=connection.domain_id)
            batch.new.append(sender)
            tally.added += 1
        elif sender.source_digest == digest and sender.person_id == person.pk:
            continue
        else:
            batch.old.append(sender)
            if sender.is_active and not is_active:
                tally.retired += 1
            else:
                tally.changed += 1
        sender.person = person
        sender.email = person.email
        name_sender(sender)
        sender.group_id, sender.is_active = group_id, is_active
        sender.source_digest, sender.changed_at = digest, now
    Sender.objects.bulk_create(
        batch.new, batch_size=500, ignore_conflicts=True
    )  # another follower may be as fast
    changing = ["person", "email", "name", "search", "group", "is_active", "source_digest", "changed_at"]
    update_rows(batch.old, changing)


def _make_member(person: Person, sender: Sender | None) -> Member:
    """Return what decides about a person's groups: Outreach's values as read now, and local ones."""
    if sender is None:
        return get_member(Sender(person=person))
    return get_member(Sender(pk=sender.pk, person=person, own_values=sender.own_values))


def _is_active(person: Person, sender: Sender | None) -> bool:
    if person.retired_at is None and person.is_locked is None:
        return sender is not None and sender.is_active
    return person.retired_at is None and not person.is_locked


def _find_earlier_selves(connection: Connection, strangers: list[Person]) -> dict[int, Sender]:
    """Return person id -> the sender this person was under an earlier connection of the same organisation."""
    if not strangers or not connection.account_key:
        return {}
    by_remote_id = {person.remote_id: person.pk for person in strangers}
    earlier = (
        Sender.objects.filter(
            domain=connection.domain_id,
            person__connection__account_key=connection.account_key,
            person__remote_id__in=by_remote_id,
        )
        .exclude(person__connection=connection)
        .select_related("person")
        .order_by("changed_at")
    )
    return {by_remote_id[sender.person.remote_id]: sender for sender in earlier}


def _retire_strangers(connection: Connection) -> int:
    """Deactivate the domain's senders of other connections."""
    others = Sender.objects.filter(domain=connection.domain_id, is_active=True).exclude(
        person__connection=connection
    )
    return others.update(is_active=False, source_digest="", changed_at=timezone.now())
