"""Notices: mail the people who must act, once per trouble; again only after a week, or when it comes back.

The rows decide what is owed. A mail that was taken and not recorded because the process died in between
goes out once more; none is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from integrations.connection.health import LAPSES_SOON, describe, get_incomplete_run
from integrations.ledger.record import record_act
from integrations.models import Audience, Connection, ConnectionState, Notice, NoticeKind
from integrations.signature_service import Trouble, get_signature_service
from portal.models import Domain, Role, User

log = logging.getLogger(__name__)

REMIND_AFTER = timedelta(days=7)
SENDING_FOR = timedelta(minutes=10)  # longer than a mail server may take; then somebody else may try
FIRST_RETRY = timedelta(minutes=5)
LONGEST_RETRY = timedelta(hours=6)


def list_troubles(connection: Connection, *, at: datetime) -> list[Trouble]:
    """Return what needs a person at this connection now; nothing where it is over.

    One that is being disconnected needs somebody only where the originals cannot be restored automatically.
    """
    if connection.state == ConnectionState.DISCONNECTED:
        return []
    return [*_list_own_troubles(connection, at), *get_signature_service().list_troubles(connection)]


def _list_own_troubles(connection: Connection, at: datetime) -> Iterator[Trouble]:
    """Yield what concerns the connection itself, whatever its signatures do."""
    page = reverse("integrations:outreach", args=[connection.domain.name])
    if connection.state == ConnectionState.LOST:
        advice = "Connect again on the Outreach page. Every setting is kept, and signatures stay as they are."
        yield Trouble(NoticeKind.LOST, describe(connection).sentence, advice, page)
    if connection.state == ConnectionState.MISCONFIGURED:
        advice = (
            "The operator corrects the client ID or secret; “Check the connection” on the Outreach page then "
            "resumes syncs and deliveries. Token and settings are kept."
        )
        yield Trouble(NoticeKind.MISCONFIGURED, describe(connection).sentence, advice, page)
    if connection.state != ConnectionState.ACTIVE:
        return
    lapses_at = connection.refresh_lapses_at
    if lapses_at is not None and lapses_at - at < LAPSES_SOON:
        yield Trouble(
            NoticeKind.LAPSING,
            f"The Outreach token could not be refreshed since {_say(connection.refreshed_at)}. "
            f"It expires on {_say(lapses_at)}.",
            "Press “Check the connection” on the Outreach page; it shows the cause. A new connection is "
            "valid for another 14 days.",
            page,
        )
    incomplete = get_incomplete_run(connection)
    if incomplete is not None:
        yield Trouble(
            NoticeKind.INCOMPLETE,
            incomplete.cause,
            "The page of the sync lists the rejected records, each with its reason. Correct them in Outreach; "
            "where nearly all are listed, tell the operator that Outreach’s replies changed.",
            reverse("integrations:run", args=[connection.domain.name, incomplete.pk]),
        )


def watch_connections() -> list[int]:
    """Every notice stands for a trouble there is; return the ids of those whose mail is owed now."""
    now = timezone.now()
    told = Notice.objects.filter(ended_at=None).values("connection")
    watched = Connection.objects.filter(Q(pk__in=told) | ~Q(state=ConnectionState.DISCONNECTED))
    for connection in watched.select_related("domain"):
        wanted = {
            (trouble.kind, audience)
            for trouble in list_troubles(connection, at=now)
            for audience in trouble.audiences
        }
        _settle(connection, wanted, now)
    return list(_owed(now).order_by("pk").values_list("pk", flat=True))


def _settle(connection: Connection, wanted: Collection[tuple[str, str]], now: datetime) -> None:
    present = connection.notices.filter(ended_at=None)
    over = [notice.pk for notice in present if (notice.kind, notice.audience) not in wanted]
    present.filter(pk__in=over).update(ended_at=now)
    for kind, audience in sorted(wanted):
        Notice.objects.get_or_create(connection=connection, kind=kind, audience=audience, ended_at=None)


def _owed(now: datetime) -> QuerySet[Notice]:
    return Notice.objects.filter(
        Q(sent_at=None) | Q(sent_at__lte=now - REMIND_AFTER),
        Q(not_before=None) | Q(not_before__lte=now),
        ended_at=None,
    )


def send_notice(notice_id: int) -> bool:
    """The mail of one notice is sent, if it is owed; returns whether a mail server took it.

    A mail that was not taken is owed again after a while, longer each time.
    """
    now = timezone.now()
    if not _owed(now).filter(pk=notice_id).update(not_before=now + SENDING_FOR):
        return False
    notice = Notice.objects.select_related("connection__domain").get(pk=notice_id)
    connection = notice.connection
    trouble = next((each for each in list_troubles(connection, at=now) if each.kind == notice.kind), None)
    if trouble is None:
        Notice.objects.filter(pk=notice_id).update(ended_at=now, not_before=None)
        return False
    addresses = _get_addresses(connection.domain, notice.audience)
    try:
        if not addresses:
            raise OSError("no recipient")
        _compose(notice, trouble, addresses).send()
    except OSError as error:  # smtplib's errors and refused sockets are of this family
        log.warning(
            "notice %s of %s was not sent: %s", notice.pk, connection.domain.name, type(error).__name__
        )
        wait = min(FIRST_RETRY * 2 ** min(notice.failures, 10), LONGEST_RETRY)
        Notice.objects.filter(pk=notice_id).update(failures=F("failures") + 1, not_before=now + wait)
        return False
    with transaction.atomic():
        Notice.objects.filter(pk=notice_id).update(
            sent_at=timezone.now(), times_sent=F("times_sent") + 1, failures=0, not_before=None
        )
        get_signature_service().note_told(trouble.findings)
        record_act(
            "message sent",
            domain=connection.domain,
            connection=connection,
            job="notices",
            detail=f"{notice.get_kind_display()}; to {len(addresses)} {notice.get_audience_display().lower()}",
        )
    return True


def _get_addresses(domain: Domain, audience: str) -> list[str]:
    people = User.objects.filter(is_active=True)
    if audience == Audience.STAFF:
        people = people.filter(is_staff=True)
    else:
        roles = [Role.OWNER, Role.ADMIN] if audience == Audience.MANAGERS else [Role.OWNER]
        people = people.filter(memberships__domain=domain, memberships__role__in=roles)
    return list(people.order_by("email").values_list("email", flat=True))


def _compose(notice: Notice, trouble: Trouble, addresses: list[str]) -> EmailMessage:
    name = notice.connection.domain.name
    context = {
        "domain_name": name,
        "trouble": trouble,
        "since": _say(notice.began_at),
        "is_reminder": notice.times_sent > 0,
        "url": settings.PUBLIC_URL + trouble.path,
    }
    body = render_to_string("integrations/mail/notice.txt", context)
    return EmailMessage(f"{name}: {trouble.kind.label}", body, to=addresses)


def _say(at: datetime | None) -> str:
    return f"{at:%-d %b %Y, %H:%M} UTC" if at else "an unknown date"
