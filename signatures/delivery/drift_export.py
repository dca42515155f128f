"""Drift export: the mailboxes edited in Outreach as lines of a table."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from integrations.models import Connection
from signatures.models import DriftPolicy
from signatures.rendering.plaintext import plain_text
from signatures.rendering.sanitize import sanitize_signature

from .drift_policy import Policies
from .edits import describe_edits, list_edited

AT_ONCE = 500
COLUMNS = (
    "Sender", "Mailbox", "Mailbox ID", "Group", "Status", "Since (UTC)", "What differs", "In the mailbox",
    "Live release", "Policy", "Policy acts (UTC)", "Replaced by delivery",
)  # fmt: skip


def list_rows(connection: Connection | None) -> Iterator[tuple[object, ...]]:
    """Yield a line for each edited mailbox, the oldest edit first; both signatures as plain text."""
    if connection is None:
        return
    policies = Policies(connection)
    states = list_edited(connection).iterator(chunk_size=AT_ONCE)
    while chunk := list(islice(states, AT_ONCE)):
        for edit in describe_edits(connection, chunk):
            state, group = edit.state, policies.find_group(edit.state.sender)
            yield (
                state.sender or "", state.mailbox.email, state.mailbox.remote_id, group or "",
                state.get_status_display(), state.since, edit.summary,
                plain_text(sanitize_signature(state.mailbox.signature_html)),
                "" if edit.ours_html is None else plain_text(edit.ours_html),
                group.get_drift_policy_display() if group else DriftPolicy.REPORT.label,
                policies.get_due_at(state), edit.replaced_by.pk if edit.replaced_by else "",
            )  # fmt: skip
