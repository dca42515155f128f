"""Watch: opens a notice for each trouble there is and each audience, and ends those that are over.

Which messages are due is read from the rows alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from integrations.models import Audience, Connection, ConnectionState, Notice, NoticeKind
from integrations.trouble import Trouble
from portal.models import Domain

from .channels import list_channels, list_operator_channels
from .connection_troubles import list_installation_troubles, list_troubles

REMIND_AFTER = timedelta(days=7)
RESOLVED_WITHIN = timedelta(days=2)  # later, nobody is told any more that it is over
AT_MOST_EVERY = timedelta(days=1)
AT_MOST_DAILY = (NoticeKind.EDITED, NoticeKind.CALLS)
"""What comes and goes: a new notice, and news of an open one, a day after the last message at the earliest."""

KNOWN_WHILE_ACTIVE = (NoticeKind.LAPSING, NoticeKind.INCOMPLETE, NoticeKind.CALLS, NoticeKind.EDITED)
"""What cannot be judged while the connection is lost: such a notice is not over then."""


def watch_connections() -> list[int]:
    """Every notice stands for a trouble there is; return the ids of those of which a message is due now."""
    now = timezone.now()
    open_ones = Notice.objects.filter(ended_at=None).values("connection")
    watched = Connection.objects.filter(Q(pk__in=open_ones) | ~Q(state=ConnectionState.DISCONNECTED))
    for connection in watched.select_related("domain"):
        is_unknown = connection.state in (ConnectionState.LOST, ConnectionState.MISCONFIGURED)
        _settle(
            list_troubles(connection, at=now),
            now,
            domain=connection.domain,
            keeps=KNOWN_WHILE_ACTIVE if is_unknown else (),
            connection=connection,
        )
    return list(list_due(now).order_by("pk").values_list("pk", flat=True))


def watch_installation() -> None:
    """The same for what concerns no connection; the next watch of connections returns what is due."""
    _settle(list_installation_troubles(), timezone.now(), connection=None)


def list_due(now: datetime) -> QuerySet[Notice]:
    """Return the notices of which a message is due at `now` and that nobody is sending."""
    owes_trouble = Q(sent_at=None) | Q(sent_at__lte=now - REMIND_AFTER) | Q(has_news=True)
    owes_end = Q(ended_at__gt=now - RESOLVED_WITHIN, times_sent__gt=0, resolved_sent_at=None)
    return Notice.objects.filter(
        Q(owes_trouble, ended_at=None) | owes_end, Q(not_before=None) | Q(not_before__lte=now)
    )


@transaction.atomic
def _settle(
    troubles: Sequence[Trouble],
    now: datetime,
    *,
    connection: Connection | None,
    domain: Domain | None = None,
    keeps: Collection[str] = (),
) -> None:
    """The open notices of a connection, or without one of the installation, are those of these troubles."""
    present = Notice.objects.filter(connection=connection)
    channels = {found: _list_channels(found) for found in {each.domain or domain for each in troubles}}
    wanted = {
        (trouble.kind, trouble.subject, audience): trouble
        for trouble in troubles
        for audience in _list_audiences(trouble, channels[trouble.domain or domain])
    }
    open_ones = present.filter(ended_at=None)
    over = [
        notice.pk
        for notice in open_ones
        if (notice.kind, notice.subject, notice.audience) not in wanted and notice.kind not in keeps
    ]
    open_ones.filter(pk__in=over).update(ended_at=now, failures=0)
    told = present.filter(kind__in=AT_MOST_DAILY, sent_at__gt=now - AT_MOST_EVERY)
    lately = set(told.values_list("kind", "subject"))
    for (kind, subject, audience), trouble in sorted(wanted.items(), key=lambda item: item[0]):
        if (kind, subject) in lately:
            continue
        columns: dict[str, Any] = {"kind": kind, "subject": subject, "audience": audience}
        notice, is_new = Notice.objects.get_or_create(
            connection=connection, ended_at=None, **columns, defaults={"domain": trouble.domain or domain}
        )
        if trouble.findings and not is_new:
            Notice.objects.filter(pk=notice.pk, times_sent__gt=0).update(has_news=True)


def _list_channels(domain: Domain | None) -> list[str]:
    return [channel.audience for channel in list_channels(domain)] if domain else []


def _list_audiences(trouble: Trouble, of_domain: Collection[str]) -> set[str]:
    """Return who is mailed, and the channels of the domain, of the installation, or of both."""
    audiences: set[str] = set(trouble.audiences)
    if Audience.STAFF in audiences:
        audiences.update(channel.audience for channel in list_operator_channels())
    if audiences & {Audience.OWNERS, Audience.MANAGERS}:
        audiences.update(of_domain)
    return audiences
