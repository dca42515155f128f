"""Change mails: tell who may approve what waits, together, and senders what was declined.

The rows decide what is owed. A mail that was taken and not recorded, because the process died in between, goes out
once more; none is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.core.mail import EmailMessage
from django.db.models import F, Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.models import Domain
from portal.public_url import get_public_address
from signatures.models import ChangeState, SenderChange
from signatures.releases.requests import list_approvers
from signatures.senders.vocabulary import get_vocabulary

log = logging.getLogger(__name__)

TOGETHER = timedelta(minutes=10)  # what is asked for within it is in one mail
SENDING_FOR = timedelta(minutes=10)  # longer than a mail server may take; then somebody else may try
TOLD_FOR = timedelta(days=7)  # later, nobody is told any more


def send_change_mails() -> int:
    """Send every mail that is owed; return how many a mail server took. One that was not is tried again."""
    return _tell_approvers() + _tell_senders()


def list_owed(*, before: datetime) -> list[QuerySet[Any]]:
    """Return the changes whose mail was due at that instant and that nobody was told of."""
    waiting = _unsent(ChangeState.WAITING).filter(made_at__lt=before - TOGETHER)
    declined = _unsent(ChangeState.DECLINED).filter(
        decided_at__lt=before, decided_at__gte=timezone.now() - TOLD_FOR
    )
    return [waiting, declined]


def _owed(state: ChangeState) -> QuerySet[SenderChange]:
    due = _unsent(state).filter(Q(mail_not_before=None) | Q(mail_not_before__lte=timezone.now()))
    return due.select_related("sender__domain", "sender__account__user")


def _unsent(state: ChangeState) -> QuerySet[SenderChange]:
    return SenderChange.objects.filter(state=state).exclude(mailed_state=F("state"))


def _tell_approvers() -> int:
    owed = _owed(ChangeState.WAITING)
    ready = owed.filter(made_at__lte=timezone.now() - TOGETHER).values("sender__domain")
    sent = 0
    for domain in Domain.objects.filter(pk__in=ready):
        changes = _claim(owed.filter(sender__domain=domain))
        to = list(list_approvers(domain, besides="").values_list("email", flat=True))
        url = get_public_address(reverse("signatures:sender_changes", args=[domain.name]))
        context = {"domain": domain, "url": url, "senders": sorted({str(one.sender) for one in changes})}
        subject = (
            f"{domain.name}: {len(changes)} signature change{'' if len(changes) == 1 else 's'} to approve"
        )
        sent += _send(
            domain, changes, to, subject, render_to_string("signatures/mail/changes_waiting.txt", context)
        )
    return sent


def _tell_senders() -> int:
    owed = (
        _owed(ChangeState.DECLINED)
        .filter(decided_at__gte=timezone.now() - TOLD_FOR)
        .order_by("sender_id", "pk")
    )
    sent = 0
    for _, group in groupby(list(owed), key=lambda one: one.sender_id):
        changes = _claim(SenderChange.objects.filter(pk__in=[one.pk for one in group]))
        if not changes:
            continue
        sender = changes[0].sender
        labels = {field.name: field.label for field in get_vocabulary(sender.domain).fields}
        context = {
            "domain": sender.domain,
            "url": get_public_address(reverse("signatures:me", args=[sender.domain.name])),
            "changes": [(one, labels.get(one.field, one.field)) for one in changes],
        }
        body = render_to_string("signatures/mail/changes_declined.txt", context)
        subject = f"Your signature at {sender.domain.name}: a change was declined"
        account = getattr(sender, "account", None)
        to = (
            [account.user.email]
            if account is not None and account.user.is_active and sender.is_active
            else []
        )
        sent += _send(sender.domain, changes, to, subject, body)
    return sent


def _claim(owed: QuerySet[SenderChange]) -> list[SenderChange]:
    """Return those of the rows that nobody else sends a mail about now."""
    now, claimed = timezone.now(), []
    for change in owed.select_related("sender__domain", "sender__account__user"):
        free = SenderChange.objects.filter(
            Q(mail_not_before=None) | Q(mail_not_before__lte=now), pk=change.pk, state=change.state
        )
        if free.exclude(mailed_state=F("state")).update(mail_not_before=now + SENDING_FOR):
            claimed.append(change)
    return claimed


def _send(domain: Domain, changes: Iterable[SenderChange], to: list[str], subject: str, body: str) -> bool:
    rows = list(changes)
    if rows and to:
        try:
            EmailMessage(subject, body, to=to).send()
        except OSError as error:  # smtplib's errors and refused sockets are of this family
            log.warning("a mail of changes by senders was not sent: %s", type(error).__name__)
            return False
        record_act(
            "message sent",
            domain=domain,
            job="notices",
            detail=f"{len(rows)} changes by senders; to {len(to)}",
        )
    for change in rows:
        SenderChange.objects.filter(pk=change.pk).update(mailed_state=change.state, mail_not_before=None)
    return bool(rows and to)
