"""Edit digest: which edits in Outreach wait for a decision, and which of them no e-mail has listed."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import F
from django.urls import reverse

from integrations.models import Connection, ConnectionState, NoticeKind
from integrations.trouble import Trouble
from signatures.models import MailboxState

from .edits import list_edited
from .report import count_mailboxes

NAMED = 20


def find_edits(connection: Connection) -> Trouble | None:
    """Return the edits that wait for a decision, with those that no mail has listed as findings; None without any."""
    if connection.state != ConnectionState.ACTIVE:
        return None
    edited = list_edited(connection)
    number = edited.count()
    if not number:
        return None
    rows = list(
        edited.exclude(reported_sha256=F("held_sha256")).values_list("pk", "held_sha256", "mailbox__email")
    )
    names = ", ".join(email for _, _, email in rows[:NAMED])
    more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
    return Trouble(
        NoticeKind.EDITED,
        f"{count_mailboxes(number)} {'was' if number == 1 else 'were'} edited or emptied.",
        "Keep each edit, replace it or take a value over on the page “Edited in Outreach”. Where a group’s policy "
        "acts automatically, the page says when.",
        reverse("signatures:drift", args=[connection.domain.name]),
        findings=tuple((pk, held) for pk, held, _ in rows),
        detail=f"New: {names}{more}." if rows else "",
    )


def note_told(findings: Iterable[tuple[int, str]]) -> None:
    """Store that a mail listed these edits; an edit that changed meanwhile will be listed again."""
    for pk, held in findings:
        MailboxState.objects.filter(pk=pk, held_sha256=held).update(reported_sha256=held)
