"""Recipient lists: creates, replaces and deletes them, and finds those that contain an address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import BinaryIO

from django.db import transaction
from django.db.models import QuerySet

from integrations.ledger.record import record_act
from portal.models import Domain
from signatures.conditions.conditions import Clause, ConditionError, Kind, flatten
from signatures.models import BannerPlace, Campaign, RecipientList, RecipientListEntry

from .attributes import parse_audience
from .list_files import BadLine, Entry, check_file, read_entries
from .mail_addresses import normalise
from .pseudonyms import key_of, make_keyer

BATCH = 2_000


class ListRefused(Exception):
    """A recipient list cannot be changed; the message says why, to a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def save_list(
    domain: Domain, file: BinaryIO, *, name: str, actor: str, present: RecipientList | None = None
) -> tuple[RecipientList, int]:
    """Set the list's entries to those of the file; return the list and its number of entries.

    The file is read twice: once to find what is wrong with it, and only then to be imported, in one
    transaction. present: None creates a list. Raises: FileRefused, and nothing was changed.
    """
    check_file(file)
    with transaction.atomic():
        if present is None:
            row = RecipientList.objects.create(domain=domain, name=name, created_by_label=actor)
        else:
            row = RecipientList.objects.select_for_update().get(pk=present.pk, domain=domain)
            row.name = name
            row.save(update_fields=["name"])
            row.entries.all().delete()
        key_of = make_keyer(domain)
        values = (key_of(entry.value) if entry.is_address else entry.value for entry in _entries(file))
        while batch := [
            RecipientListEntry(recipient_list=row, value=value) for value in islice(values, BATCH)
        ]:
            # The same address twice in a file is one entry.
            RecipientListEntry.objects.bulk_create(batch, ignore_conflicts=True)
        count = row.entries.count()
        BannerPlace.objects.touch(domain)
        record_act(
            "recipient list made" if present is None else "recipient list replaced",
            domain=domain,
            actor_label=actor,
            object_ref=f"recipient list {row.pk}",
            detail=f"{row.name}: {count:,} entries",
        )
    return row, count


def _entries(file: BinaryIO) -> Iterator[Entry]:
    found: Iterable[Entry | BadLine] = read_entries(file)
    return (one for one in found if isinstance(one, Entry))


@transaction.atomic
def delete_list(recipient_list: RecipientList, *, actor: str) -> None:
    """Delete the list. Raises: ListRefused while a campaign's audience uses it, naming the campaigns."""
    row = (
        RecipientList.objects.select_for_update(of=("self",))
        .select_related("domain")
        .get(pk=recipient_list.pk)
    )
    users = find_campaigns_using(row)
    if users:
        names = ", ".join(f"“{campaign.name}”" for campaign in users)
        raise ListRefused(f"“{row.name}” is in the audience of {names}. Remove it there first.")
    record_act(
        "recipient list deleted",
        domain=row.domain,
        actor_label=actor,
        object_ref=f"recipient list {row.pk}",
        detail=row.name,
    )
    row.entries.all().delete()
    row.delete()
    BannerPlace.objects.touch(row.domain)


def refuse_missing_lists(domain: Domain, conditions: Iterable[Clause]) -> None:
    """Raise ConditionError for the first condition that names a recipient list this domain does not have."""
    known = {str(pk) for pk in domain.recipient_lists.values_list("pk", flat=True)}
    for index, condition in enumerate(flatten(conditions)):
        if condition.attribute.kind is Kind.LIST and not known.issuperset(condition.values):
            raise ConditionError(
                index, "A recipient list of this condition has been deleted. Choose another."
            )


def find_campaigns_using(recipient_list: RecipientList) -> list[Campaign]:
    """Return the campaigns whose audience uses the list, without archived ones."""
    rows: QuerySet[Campaign] = Campaign.objects.filter(domain=recipient_list.domain, archived_at=None)
    return [row for row in rows.exclude(audience=[]) if str(recipient_list.pk) in get_list_ids(row)]


def get_list_ids(campaign: Campaign) -> frozenset[str]:
    """Return the IDs of the recipient lists in the campaign's audience."""
    try:
        conditions = parse_audience(campaign.audience)
    except ConditionError:
        return frozenset()
    return frozenset(
        value for one in flatten(conditions) if one.attribute.kind is Kind.LIST for value in one.values
    )


def get_lists_holding(domain: Domain, address: str) -> frozenset[str]:
    """Return the ids, as text, of the domain's recipient lists with this address or its mail domain."""
    address = normalise(address)
    wanted = [key_of(domain, address), address.rpartition("@")[2]]
    rows = RecipientListEntry.objects.filter(recipient_list__domain=domain, value__in=wanted)
    return frozenset(map(str, rows.values_list("recipient_list_id", flat=True)))


def label_lists(domain: Domain) -> Mapping[str, str]:
    """Return id, as text, -> name of the domain's recipient lists."""
    return {str(pk): name for pk, name in domain.recipient_lists.values_list("pk", "name")}
