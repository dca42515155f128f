"""Deliveries in the sandbox: the directory read, what was written, and what each mailbox holds."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from integrations.connection.lifecycle import get_connection
from integrations.models import Connection, SyncKind
from integrations.outreach.sandbox import Sandbox
from integrations.sync import runs
from portal.models import Domain
from signatures.authoring.templates import save_template
from signatures.delivery.digest import digest
from signatures.delivery.status import follow_release, refresh_states
from signatures.models import (
    Delivery,
    DeliveryRun,
    DeliveryState,
    Group,
    Sender,
    TemplateVersion,
)
from signatures.releases.compose import Composer
from signatures.releases.live import get_live, get_live_content
from signatures.releases.publish import list_drafts, publish
from signatures.senders.groups import refresh_groups
from signatures.senders.refresh import refresh_senders


def read_directory(connection: Connection) -> None:
    """The mirror, the groups and the senders say what Outreach says now."""
    run = runs.request_sync(connection, kind=SyncKind.FULL, actor="test")
    runs.carry_out(run.pk)
    refresh_groups(connection)
    refresh_senders(connection, since=None)
    refresh_states(connection)


def publish_drafts(domain: Domain) -> None:
    """Everything that is edited is live, and the status of each mailbox follows."""
    if list_drafts(domain) or get_live(domain) is None:
        publish(domain, actor="test")
    connection = get_connection(domain)
    if connection is not None:
        follow_release(connection)


def change_template(domain: Domain, source: str) -> None:
    """Everybody's template has this source, and it is published."""
    template = Group.objects.get(domain=domain, is_default=True).assignment.template
    save_template(domain, name=template.name, template=template, source=source, actor="test")
    publish_drafts(domain)


def get_writes(sandbox: Sandbox) -> list[str]:
    """Return the ids of the mailboxes that were written, in the order the requests arrived."""
    return [entry.path.rsplit("/", 1)[1] for entry in sandbox.requests if entry.method == "PATCH"]


def get_held(sandbox: Sandbox) -> dict[str, str]:
    """Return mailbox id -> the signature Outreach holds, '' for none."""
    return {str(id): mailbox.email_signature or "" for id, mailbox in sandbox.directory.mailboxes.items()}


def get_delivered(run: DeliveryRun) -> set[str]:
    """Return the ids of the mailboxes the run delivered to."""
    rows = Delivery.objects.filter(run=run, state=DeliveryState.DELIVERED)
    return set(rows.values_list("mailbox_remote_id", flat=True))


def find_version(sender: Sender) -> TemplateVersion:
    """Return the template version that a delivery to this sender would write now."""
    composer = Composer(sender.domain, get_live_content(sender.domain))
    versions = TemplateVersion.objects.select_related("template__domain")
    return versions.get(pk=composer.get_version_id(sender))


PATCH = {"method": "PATCH", "path": "/api/v2/mailboxes/*"}


def get_planned(run: DeliveryRun) -> list[str]:
    rows = run.deliveries.filter(state=DeliveryState.PLANNED).order_by("id")
    return list(rows.values_list("mailbox_remote_id", flat=True))


def make_due(run: DeliveryRun) -> None:
    DeliveryRun.objects.filter(pk=run.pk).update(resume_at=timezone.now() - timedelta(seconds=1))


def assert_everything_arrived(sandbox, run: DeliveryRun) -> None:
    held = get_held(sandbox)
    rows = run.deliveries.filter(state=DeliveryState.DELIVERED)
    assert {row.mailbox_remote_id: digest(held[row.mailbox_remote_id]) for row in rows} == {
        row.mailbox_remote_id: row.rendered_sha256 for row in rows
    }
