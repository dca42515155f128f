"""Hand edits: somebody changes signatures in Outreach, and the portal reads its mailboxes."""

from __future__ import annotations

from datetime import timedelta

from integrations.models import Connection, SyncKind
from integrations.outreach.sandbox import Sandbox
from integrations.sync import runs
from signatures.models import Group, MailboxState, Sender
from signatures.tasks import follow_sync

MINE = "<p>My own words</p>"


def sync_mailboxes(connection: Connection, kind: SyncKind = SyncKind.MAILBOXES) -> None:
    """Read every mailbox once, and do all that follows a sync."""
    run = runs.carry_out(runs.request_sync(connection, kind=kind, actor="test").pk)
    follow_sync(run_id=run.pk)


def edit(sandbox: Sandbox, mailbox_id: str, html: str = MINE) -> None:
    """Put a signature into a mailbox in Outreach."""
    sandbox.directory.set_signature(int(mailbox_id), html)


def pass_hours(hours: float) -> None:
    """Every status so far is that much older."""
    for state in MailboxState.objects.all():
        MailboxState.objects.filter(pk=state.pk).update(since=state.since - timedelta(hours=hours))


def get_state(mailbox_id: str) -> MailboxState:
    return MailboxState.objects.select_related("mailbox", "sender").get(mailbox__remote_id=mailbox_id)


def set_policy(mailbox_id: str, policy: str, *, hours: int = 24) -> Group:
    """Set the policy of the group of a mailbox's owner."""
    group = get_state(mailbox_id).sender.group
    Group.objects.filter(pk=group.pk).update(drift_policy=policy, drift_grace_hours=hours)
    return group


def pick_mailboxes(delivered: set[str]) -> tuple[str, str]:
    """Return a delivered mailbox and one of a sender in another group."""
    mine = min(delivered, key=int)
    group = get_state(mine).sender.group_id
    others = Sender.objects.exclude(group=group).values("pk")
    theirs = MailboxState.objects.filter(sender__in=others, mailbox__remote_id__in=delivered)
    return mine, str(theirs.order_by("pk").values_list("mailbox__remote_id", flat=True)[0])
