"""Sending: sends the message of one notice that is due, and notes it.

At least once: a message that was taken and not noted because the process died in between goes out once more, over a
webhook with the same id; none is lost.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from integrations.ledger.record import record_act
from integrations.models import Audience, Notice
from integrations.models.notice import MAILED
from integrations.signature_service import get_signature_service
from integrations.trouble import Trouble
from portal.models import Domain, Role, User

from .channels import Channel, NotTaken, list_channels, list_operator_channels, send
from .connection_troubles import list_installation_troubles, list_troubles
from .messages import Message, compose
from .watch import REMIND_AFTER, list_due

log = logging.getLogger(__name__)

SENDING_FOR = timedelta(minutes=10)  # longer than a mail server may take; then somebody else may try
FIRST_RETRY = timedelta(minutes=5)
LONGEST_RETRY = timedelta(hours=6)
MOST_TRIES = 8
"""Of one message to a webhook, in about eleven hours; then it is left, and the next is the reminder. E-mails go on."""


def send_notice(notice_id: int) -> bool:
    """The message of one notice is sent, if it is due; returns whether it was accepted.

    One that was not accepted is due again after a while, longer each time.
    """
    now = timezone.now()
    if not list_due(now).filter(pk=notice_id).update(not_before=now + SENDING_FOR):
        return False
    notice = Notice.objects.select_related("connection__domain", "domain").get(pk=notice_id)
    trouble = None if notice.ended_at else _find_trouble(notice, now)
    if trouble is None and notice.ended_at is None:  # over, or not to be judged now: the next watch decides
        Notice.objects.filter(pk=notice_id).update(not_before=now + FIRST_RETRY)
        return False
    message = compose(notice, trouble)
    try:
        answer, to = _send(notice, message)
    except NotTaken as failure:
        _note_failure(notice, str(failure), now)
        return False
    with transaction.atomic():
        _note_sent(notice, message, answer)
        if trouble is not None and notice.audience == Audience.MANAGERS:
            get_signature_service().note_told(trouble.findings)
        if notice.domain is not None:
            record_act(
                "message sent",
                domain=notice.domain,
                connection=notice.connection,
                job="notices",
                detail=f"{message.event}: {notice.get_kind_display()}; to {to}",
            )
    return True


def list_stuck() -> QuerySet[Notice]:
    """Return the notices whose e-mail was refused three times or more: for a quarter of an hour."""
    return Notice.objects.filter(ended_at=None, failures__gte=3, audience__in=MAILED)


def _find_trouble(notice: Notice, now: datetime) -> Trouble | None:
    connection = notice.connection
    troubles = list_troubles(connection, at=now) if connection else list_installation_troubles()
    mine = (each for each in troubles if (each.kind, each.subject) == (notice.kind, notice.subject))
    return next(mine, None)


def _send(notice: Notice, message: Message) -> tuple[str, str]:
    """Return the answer, and to whom it went. Raises: NotTaken"""
    if not notice.is_mail:
        channel = _find_channel(notice)
        if channel is None:
            raise NotTaken("It is not set any more.")
        return send(channel, message), str(notice.get_audience_display()).lower()
    addresses = _get_addresses(notice.domain, notice.audience)
    if not addresses:
        raise NotTaken("Nobody has an address.")
    try:
        message.as_mail(addresses).send()
    except OSError as error:  # smtplib's errors and refused sockets are of this family
        raise NotTaken(f"The mail server did not take it: {type(error).__name__}") from error
    return "", f"{len(addresses)} {notice.get_audience_display().lower()}"


def _find_channel(notice: Notice) -> Channel | None:
    channels = [*(list_channels(notice.domain) if notice.domain else []), *list_operator_channels()]
    return next((channel for channel in channels if channel.audience == notice.audience), None)


def _note_sent(notice: Notice, message: Message, answer: str) -> None:
    columns: dict[str, Any] = {"failures": 0, "not_before": None, "answer": answer}
    if message.event == "resolved":
        columns |= {"resolved_sent_at": timezone.now()}
    else:
        columns |= {"sent_at": timezone.now(), "times_sent": F("times_sent") + 1, "has_news": False}
    Notice.objects.filter(pk=notice.pk).update(**columns)


def _note_failure(notice: Notice, answer: str, now: datetime) -> None:
    log.warning("notice %s was not sent to %s: %s", notice.pk, notice.audience, answer)
    wait = min(FIRST_RETRY * 2 ** min(notice.failures, 10), LONGEST_RETRY)
    if not notice.is_mail and notice.failures + 1 >= MOST_TRIES:
        wait = REMIND_AFTER
    Notice.objects.filter(pk=notice.pk).update(
        failures=F("failures") + 1, not_before=now + wait, answer=answer[:120]
    )


def _get_addresses(domain: Domain | None, audience: str) -> list[str]:
    people = User.objects.filter(is_active=True)
    if audience == Audience.STAFF:
        people = people.filter(is_staff=True)
    else:
        roles = [Role.OWNER, Role.ADMIN] if audience == Audience.MANAGERS else [Role.OWNER]
        people = people.filter(memberships__domain=domain, memberships__role__in=roles)
    return list(people.order_by("email").values_list("email", flat=True))
