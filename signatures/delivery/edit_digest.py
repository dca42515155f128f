"""Edit digest: which edits in Outreach the owners and admins of a domain are mailed about, each once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from integrations.models import Connection, ConnectionState, Notice, NoticeKind
from integrations.signature_service import Trouble
from signatures.models import MailboxState

from .edits import list_edited
from .report import count_mailboxes

AT_MOST_EVERY = timedelta(days=1)
NAMED = 20


def find_new_edits(connection: Connection) -> Trouble | None:
    """Return the edits that no mail has listed yet; None where there are none, or a mail was sent within a day."""
    if connection.state != ConnectionState.ACTIVE:
        return None
    since = timezone.now() - AT_MOST_EVERY
    if Notice.objects.filter(connection=connection, kind=NoticeKind.EDITED, sent_at__gt=since).exists():
        return None
    untold = list_edited(connection).exclude(reported_sha256=F("held_sha256"))
    rows = list(untold.values_list("pk", "held_sha256", "mailbox__email"))
    if not rows:
        return None
    were = "was" if len(rows) == 1 else "were"
    names = ", ".join(email for _, _, email in rows[:NAMED])
    more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
    return Trouble(
        NoticeKind.EDITED,
        f"{count_mailboxes(len(rows))} {were} edited or emptied: {names}{more}.",
        "Keep each edit, replace it or take a value over on the page “Edited in Outreach”. Where a group’s policy "
        "acts automatically, the page says when.",
        reverse("signatures:drift", args=[connection.domain.name]),
        tuple((pk, held) for pk, held, _ in rows),
    )


def note_told(findings: Iterable[tuple[int, str]]) -> None:
    """Store that a mail listed these edits; an edit that changed meanwhile will be listed again."""
    for pk, held in findings:
        MailboxState.objects.filter(pk=pk, held_sha256=held).update(reported_sha256=held)
