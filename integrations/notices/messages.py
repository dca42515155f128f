"""Messages: what a notice says, as an e-mail, as JSON and as a text for Slack. Names of people are in e-mails alone."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from integrations.models import Notice, NoticeKind
from integrations.trouble import Trouble

OVER = "Nothing needs to be done any more."


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a notice, the same for every channel.

    event: opened, updated, reminder, resolved or test. event_id: the same each time this message is tried.
    notice_id: the same for all messages of one notice to one channel. detail: for mails alone.
    """

    event: str
    event_id: str
    notice_id: str
    kind: str
    title: str
    domain: str
    subject: str
    sentence: str
    what_to_do: str
    url: str
    began_at: datetime | None = None
    ended_at: datetime | None = None
    detail: str = ""

    @property
    def headline(self) -> str:
        """Whose it is and what; whether it is over."""
        whose = self.domain or urlsplit(settings.PUBLIC_URL).hostname
        return f"{whose}: {'resolved: ' if self.event == 'resolved' else ''}{self.title}"

    @property
    def began(self) -> str:
        return say(self.began_at)

    @property
    def slack_text(self) -> str:
        lines = [f"*{self.headline}*", self.sentence, self.what_to_do, self.url]
        text = "\n".join(line for line in lines if line)
        # These three alone are escaped: docs.slack.dev/messaging/formatting-message-text
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    def as_json(self) -> dict[str, Any]:
        """Return what a webhook gets."""
        return {
            "id": self.event_id,
            "event": f"notice.{self.event}",
            "notice": self.notice_id,
            "kind": self.kind,
            "title": self.title,
            "domain": self.domain or None,
            "subject": self.subject or None,
            "sentence": self.sentence,
            "what_to_do": self.what_to_do,
            "url": self.url,
            "opened_at": self.began_at.isoformat() if self.began_at else None,
            "resolved_at": self.ended_at.isoformat() if self.ended_at else None,
        }

    def as_mail(self, addresses: list[str]) -> EmailMessage:
        body = render_to_string("integrations/mail/notice.txt", {"message": self})
        return EmailMessage(" ".join(self.headline.split()), body, to=addresses)


def compose(notice: Notice, trouble: Trouble | None) -> Message:
    """Return what is to be said now: what needs a person, or without a trouble that it is over."""
    if trouble is None:
        event = "resolved"
    elif not notice.times_sent:
        event = "opened"
    else:
        event = "updated" if notice.has_news else "reminder"
    return Message(
        event=event,
        event_id=_make_id(notice, event if trouble is None else str(notice.times_sent)),
        notice_id=_make_id(notice),
        kind=notice.kind,
        title=NoticeKind(notice.kind).label,
        domain=notice.domain.name if notice.domain else "",
        subject=notice.subject,
        sentence=trouble.sentence if trouble else f"It was over on {say(notice.ended_at)}.",
        what_to_do=trouble.what_to_do if trouble else OVER,
        url=settings.PUBLIC_URL + trouble.path if trouble else "",
        began_at=notice.began_at,
        ended_at=notice.ended_at,
        detail=trouble.detail if trouble else "",
    )


def compose_test(*, domain: str, path: str) -> Message:
    """Return a message that says only that messages arrive."""
    return Message(
        event="test",
        event_id=str(uuid.uuid4()),
        notice_id=str(uuid.uuid4()),
        kind="test",
        title="Test message",
        domain=domain,
        subject="",
        sentence="Notices of this portal arrive here.",
        what_to_do=OVER,
        url=settings.PUBLIC_URL + path,
    )


def say(at: datetime | None) -> str:
    """Return an instant as mails show it."""
    return f"{at:%-d %b %Y, %H:%M} UTC" if at else "an unknown date"


def _make_id(notice: Notice, *parts: str) -> str:
    """Return an id that is the same at every try, and of no other notice of any installation."""
    path = "/".join([settings.PUBLIC_URL, "notices", str(notice.pk), notice.began_at.isoformat(), *parts])
    return str(uuid.uuid5(uuid.NAMESPACE_URL, path))
