"""Senders without directory, mailbox or group, for what is about their values alone."""

from __future__ import annotations

from integrations.models import Person
from signatures.models import Sender

from .company import Company


def add_sender(company: Company, name: str, own: dict[str, str] | None = None, **person: str) -> Sender:
    """Return a new sender without mailbox or group."""
    address = f"{name.lower()}@{company.domain.name}"
    row = Person.objects.create(
        connection=company.connection, remote_id=name, email=address, name=name, digest="x",
        changed_at=company.at, **person,
    )  # fmt: skip
    return Sender.objects.create(
        domain=company.domain,
        person=row,
        email=address,
        name=name,
        own_values=own or {},
        changed_at=company.at,
    )


def get_own() -> dict[str, dict[str, str]]:
    """Return every sender's address with the values kept here, of all domains."""
    return dict(Sender.objects.values_list("email", "own_values"))
