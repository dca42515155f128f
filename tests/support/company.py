"""Company: a connected domain with people in teams, as rows only; nothing is called."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from integrations.models import Connection, Mailbox, Person, RunState, SyncKind, SyncRun, Team
from portal.models import Domain
from signatures.authoring.templates import install_starters
from signatures.models import Delivery, DeliveryRun, Placement, Sender, Template
from signatures.senders.groups import refresh_groups
from signatures.senders.refresh import refresh_senders


@dataclass
class Company:
    """One domain whose directory was read; `add` makes another person with one mailbox."""

    domain: Domain
    connection: Connection
    at: datetime = field(default_factory=timezone.now)
    count: int = 0

    def add(
        self, name: str, *, teams: tuple[str, ...] = (), has_mailbox: bool = True, **person: Any
    ) -> Sender:
        """Return a new sender, in the group its teams give it."""
        self.count += 1
        number = str(self.count)
        first, _, last = name.partition(" ")
        for team in teams:
            Team.objects.get_or_create(
                connection=self.connection,
                remote_id=team,
                defaults={"name": team, "digest": "x", "changed_at": self.at},
            )
        row = Person.objects.create(
            connection=self.connection,
            remote_id=number,
            email=person.pop("email", f"person{number}@acme.example"),
            name=name,
            first_name=first,
            last_name=last,
            team_ids=sorted(teams),
            digest=number,
            changed_at=self.at,
            **person,
        )
        if has_mailbox:
            Mailbox.objects.create(
                connection=self.connection,
                remote_id=f"m{number}",
                email=row.email,
                person_remote_id=number,
                signature_html="<p>Before</p>",
                is_editable=True,
                digest="x",
                changed_at=self.at,
                read_at=self.at - timedelta(days=1),
            )
        refresh_groups(self.connection)
        refresh_senders(self.connection, since=None)
        return Sender.objects.get(person=row)

    def place(self, sender: Sender, template: Template | None = None) -> Placement:
        """Return a placement of the template's current version in the sender's mailbox, as a delivery leaves it."""
        template = template or Template.objects.get(domain=self.domain, name="Letterhead")
        return Placement.objects.create(
            domain=self.domain,
            account_key=self.connection.account_key,
            mailbox_remote_id=f"m{sender.person.remote_id}",
            template_version=template.current,
            placed_at=self.at,
        )

    def run(self, state: str, **columns: Any) -> DeliveryRun:
        """Return a run of this domain in that state."""
        return DeliveryRun.objects.create(
            domain=self.domain,
            connection=self.connection,
            state=state,
            started_by_label="dana@acme.example",
            **columns,
        )

    def attempt(self, run: DeliveryRun, sender: Sender, state: str, **columns: Any) -> Delivery:
        """Return a delivery of that run to the sender's mailbox."""
        return Delivery.objects.create(
            run=run,
            sender=sender,
            mailbox_remote_id=f"m{sender.person.remote_id}",
            mailbox_email=sender.email,
            person_remote_id=sender.person.remote_id,
            state=state,
            **columns,
        )


def found_company(domain: Domain) -> Company:
    """Return the domain connected and read once, with its default group and the shipped templates."""
    connection = Connection.objects.create(
        domain=domain,
        account_key=f"organisation of {domain.name}",
        scopes_requested=["mailboxes.all"],
        scopes_granted=["mailboxes.all"],
        refreshed_at=timezone.now(),
    )
    SyncRun.objects.create(
        connection=connection, kind=SyncKind.FULL, state=RunState.COMPLETE, started_by_label="schedule"
    )
    refresh_groups(connection)
    install_starters(domain, actor="dana@acme.example")
    return Company(domain, connection)
