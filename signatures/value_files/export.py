"""Value export: local values of senders as a file that can be filled in, and that imports unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db.models import QuerySet

from integrations.ledger.record import record_act
from portal.csv_export import write_lines
from portal.models import Domain
from signatures.models import Sender, SenderImportRow
from signatures.rendering.fields import Field
from signatures.senders.many_values import CHUNK, get_present_values

from .reading import iterate_rows

PERSON = "Person"  # for whoever reads the file; no field is called so


def write_values(
    domain: Domain, senders: QuerySet[Sender], fields: Sequence[Field], *, waits: bool
) -> Iterator[str]:
    """Yield the lines of a file with a row for each sender; they are read 500 at a time.

    waits: as in `get_present_values`.
    """
    columns = ("E-mail", PERSON, *(field.label for field in fields))
    return write_lines(columns, _list_values(domain, senders, fields, waits=waits))


def _list_values(
    domain: Domain, senders: QuerySet[Sender], fields: Sequence[Field], *, waits: bool
) -> Iterator[tuple[str, ...]]:
    last = 0
    while chunk := list(senders.order_by("pk").filter(pk__gt=last)[:CHUNK]):
        last = chunk[-1].pk
        present = get_present_values(domain, chunk, waits=waits)
        for sender in chunk:
            values = present[sender.pk]
            yield (sender.email, sender.name, *(values.get(field.name, "") for field in fields))


def record_export(domain: Domain, senders: QuerySet[Sender], fields: Sequence[Field], *, actor: str) -> None:
    """Note in the ledger whose values leave, and which."""
    record_act(
        "sender values downloaded",
        domain=domain,
        actor_label=actor,
        detail=f"{senders.count():,} senders: {', '.join(field.name for field in fields)}",
    )


def write_rows(rows: QuerySet[SenderImportRow]) -> Iterator[str]:
    """Yield the lines of a file that says of each row what is the matter with it."""
    said = ((row.line, row.address, row.get_state_display(), row.reason) for row in iterate_rows(rows))
    return write_lines(("Line", "E-mail", "Row state", "Reason"), said)
