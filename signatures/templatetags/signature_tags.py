"""Template tags of signatures: counts with nouns, statuses and sources of values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from django import template
from django.template import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from signatures.media.addresses import get_own_path
from signatures.models import (
    MOVING,
    DatedAssignment,
    DateState,
    DeliveryRun,
    MailboxState,
    MailboxStatus,
    RowState,
)
from signatures.releases.differences import Mark
from signatures.senders.dates import say_dates
from signatures.senders.field_sources import FROM_GROUP
from signatures.senders.listing import STATES
from signatures.senders.vocabulary import get_vocabulary

register = template.Library()

_TONES: dict[str, str] = {
    MailboxStatus.UP_TO_DATE: "good",
    MailboxStatus.ALTERED: "good",
    MailboxStatus.PENDING: "pen",
    MailboxStatus.EDITED: "warn",
    MailboxStatus.EMPTIED: "warn",
    MailboxStatus.ACTION_NEEDED: "bad",
}
_LABELS = dict(STATES)
_SOURCES = {
    "own": "Local override",
    "outreach": "Outreach",
    "portal": "Local field",
    "company": "Brand",
    "group": "Group",
    FROM_GROUP: "From the group",
    "banner": "Banner slot",
    "missing": "Empty",
}


@register.filter
def counted(number: int | None, nouns: str) -> str:
    """Return '1 mailbox' or '48 mailboxes' for nouns 'mailbox,mailboxes'."""
    one, _, many = nouns.partition(",")
    return f"{number or 0:,} {one if number == 1 else many}"


@register.filter
def status_part(status: str) -> str:
    """Return the class of a status in a bar and its legend."""
    parts = {
        MailboxStatus.UP_TO_DATE: "uptodate",
        MailboxStatus.ACTION_NEEDED: "blocked",
        MailboxStatus.LEFT_ALONE: "inactive",
    }
    return f"is-{parts.get(MailboxStatus(status), status)}"


@register.filter
def status_tone(status: str) -> str:
    return _TONES.get(status, "")


_WHY: dict[str, str] = {
    MailboxStatus.UP_TO_DATE: "It holds the signature of the live release.",
    MailboxStatus.ALTERED: "It holds our signature in markup that Outreach rewrote.",
    MailboxStatus.PENDING: "A newer release or a newer value waits for delivery.",
    MailboxStatus.NEVER: "No delivery has written it yet.",
    MailboxStatus.EDITED: "Somebody changed it in Outreach after our delivery.",
    MailboxStatus.EMPTIED: "Somebody removed it in Outreach after our delivery.",
    MailboxStatus.LEFT_ALONE: "It was restored, or an edit was kept; deliveries skip it.",
    MailboxStatus.INACTIVE: "The person is locked or removed in Outreach.",
}


@register.filter
def status_reason(status: str, state: MailboxState | None) -> str:
    """Return the reason of a mailbox's status: the stored one, else what the status means."""
    return (state.reason if state else "") or _WHY.get(status, "Outreach lists no mailbox for this person.")


@register.filter
def status_label(status: str) -> str:
    return _LABELS.get(status, status)


@register.filter
def release_tone(state: str) -> str:
    """Return the colour of a release's state."""
    return {"live": "good", "scheduled": "pen"}.get(state, "")


@register.filter
def request_tone(state: str) -> str:
    """Return the colour of the state of a request for approval."""
    return {"asked": "pen", "approved": "good", "sent_back": "warn"}.get(state, "")


@register.filter
def import_tone(state: str) -> str:
    """Return the colour of an imported file's state."""
    return {"applied": "good", "unreadable": "bad", "previewed": "warn"}.get(
        state, "pen" if state in MOVING else ""
    )


@register.filter
def row_tone(state: int) -> str:
    """Return the colour of an imported row's state."""
    return {
        RowState.REFUSED: "bad",
        RowState.UNKNOWN: "warn",
        RowState.CHANGED: "pen",
        RowState.NEW: "good",
    }.get(RowState(state), "")


@register.filter
def marked(marks: Sequence[Mark]) -> SafeString:
    """Return a text with what went and what came marked."""
    return format_html_join(
        "",
        "{}",
        (
            (format_html("<{0}>{1}</{0}>", mark.change, mark.text) if mark.change else mark.text,)
            for mark in marks
        ),
    )


@register.simple_tag(takes_context=True)
def field_label(context: Context, name: str) -> str:
    """Return a merge field's label."""
    return get_vocabulary(context["domain"]).label_of(name)


@register.filter
def campaign_tone(state: str) -> str:
    """Return the colour of a campaign's state."""
    return {"runs": "good", "blocked": "bad", "next": "pen", "paused": "warn"}.get(state, "")


@register.simple_tag(takes_context=True)
def wall(context: Context, at: datetime | None) -> str:
    """Return the time in the domain's time zone."""
    if at is None:
        return ""
    local = at.astimezone(ZoneInfo(context["domain"].time_zone))
    return f"{local.day} {local:%b %Y, %H:%M}"


@register.filter
def kind_label(kind: str) -> str:
    """Return a run's name."""
    return "Restore" if kind == DeliveryRun.Kind.RESTORE else "Delivery"


@register.filter
def decision_label(act: str) -> str:
    """Return a decision about an edit, as the ledger names it."""
    words = act.removeprefix("mailbox ")
    return words[0].upper() + words[1:]


@register.filter
def source_label(source: str) -> str:
    """Return the label of a value's source; see `values.FieldSource`."""
    return _SOURCES.get(source, source)


@register.filter
def dates(assignment: DatedAssignment) -> str:
    """Return on which days a template is assigned, as a phrase."""
    return say_dates(assignment)


@register.filter
def date_tone(state: str) -> str:
    """Return the tone of the badge for a state of something with dates."""
    return {DateState.ACTIVE.value: "good", DateState.SCHEDULED.value: "pen"}.get(state, "")


@register.filter
def media_path(url: str) -> str:
    """Return the path of an image of Media by its address; '' of any other address, which pages do not load."""
    return get_own_path(url)


@register.simple_tag
def flipped(column: str, sort: str) -> str:
    """Return the sort parameter of a column's heading: reversed if it is the current one."""
    return f"-{column}" if sort == column else column
