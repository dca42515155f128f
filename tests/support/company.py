"""Company: a connected domain with people in teams, as rows only; nothing is called."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from integrations.models import Connection, Mailbox, Person, RunState, SyncKind, SyncRun, Team
from portal.models import Domain
from signatures.authoring.templates import install_starters
from signatures.delivery.status import note_attempts, refresh_domain
from signatures.delivery.texts import keep_texts
from signatures.models import Delivery, DeliveryRun, Placement, Sender
from signatures.releases.compose import Composed, Composer
from signatures.releases.live import get_content, get_live
from signatures.senders.groups import refresh_groups
from signatures.senders.refresh import refresh_senders

from .deliveries import publish_drafts


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
        """Return a new sender, in the group its teams give it; the group is published."""
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
        publish_drafts(self.domain)
        sender = Sender.objects.get(person=row)
        refresh_domain(self.domain, sender_ids=[sender.pk])
        return sender

    def place(self, sender: Sender) -> Placement:
        """Return the placement of what the live release renders in the sender's mailbox, as a delivery leaves it."""
        release = get_live(self.domain)
        composed = Composer(self.domain, get_content(release)).compose(sender)
        assert isinstance(composed, Composed), composed
        keep_texts(self.domain.pk, [composed.rendered.html])
        placed = Placement.objects.create(
            domain=self.domain,
            account_key=self.connection.account_key,
            mailbox_remote_id=f"m{sender.person.remote_id}",
            template_version_id=composed.version_id,
            release=release,
            rendered_sha256=composed.rendered.sha256,
            returned_sha256=composed.rendered.sha256,
            placed_at=self.at,
        )
        refresh_domain(self.domain, sender_ids=[sender.pk])
        return placed

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
        """Return a delivery of that run to the sender's mailbox; one that Outreach refused shows in its status."""
        if state == "refused":
            columns = {"reason_code": "rejected", **columns}
        row = Delivery.objects.create(
            run=run,
            sender=sender,
            mailbox_remote_id=f"m{sender.person.remote_id}",
            mailbox_email=sender.email,
            person_remote_id=sender.person.remote_id,
            state=state,
            **columns,
        )
        note_attempts(self.connection, [row])
        refresh_domain(self.domain, sender_ids=[sender.pk])
        return row


def found_company(domain: Domain) -> Company:
    """Return the domain connected and read once, with its default group and the shipped templates published."""
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
    publish_drafts(domain)
    return Company(domain, connection)
