"""Senders: one without directory, mailbox or group, for what is about values alone; or many with a mailbox each."""

from __future__ import annotations

from datetime import timedelta

from integrations.models import Mailbox, Person
from signatures.delivery.status import refresh_domain
from signatures.models import Sender
from signatures.senders.refresh import refresh_senders

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


def add_people(company: Company, number: int, **person: object) -> list[Sender]:
    """Return this many new senders with a mailbox each, in the default group, with their status stored."""
    rows = Person.objects.bulk_create(
        Person(
            connection=company.connection, remote_id=f"p{n}", email=f"person{n:03}@{company.domain.name}",
            name=f"Person {n:03}", first_name="Person", last_name=f"{n:03}", digest=f"p{n}",
            changed_at=company.at, **person,
        )
        for n in range(number)
    )  # fmt: skip
    Mailbox.objects.bulk_create(
        Mailbox(
            connection=company.connection, remote_id=f"mp{n}", email=row.email, person_remote_id=row.remote_id,
            signature_html="<p>Before</p>", is_editable=True, digest="x", changed_at=company.at,
            read_at=company.at - timedelta(days=1),
        )
        for n, row in enumerate(rows)
    )  # fmt: skip
    refresh_senders(company.connection, since=None)
    refresh_domain(company.domain)
    return list(Sender.objects.filter(person__in=rows).select_related("person").order_by("name"))
