"""Request mails: tell who may approve what was asked for, and who asked what was decided.

The rows decide what is owed: a request whose state nobody was told yet. A mail that was taken and not recorded,
because the process died in between, goes out once more; none is lost.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.core.mail import EmailMessage
from django.db.models import F, Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.public_url import get_public_address
from signatures.models import ReleaseRequest, RequestState

from .requests import list_approvers

log = logging.getLogger(__name__)

SENDING_FOR = timedelta(minutes=10)  # longer than a mail server may take; then somebody else may try
TOLD_FOR = timedelta(days=7)  # later, nobody is told any more


def send_request_mails() -> int:
    """Send every mail that is owed; return how many a mail server took. One that was not is tried again."""
    return sum(_send(pk) for pk in list(_owed().order_by("pk").values_list("pk", flat=True)))


def list_owed(*, before: datetime) -> list[QuerySet[Any]]:
    """Return the requests whose mail was due at that instant and is still not sent."""
    asked_or_decided = Q(decided_at=None, asked_at__lt=before) | Q(decided_at__lt=before)
    return [_unsent().filter(asked_or_decided)]


def _owed() -> QuerySet[ReleaseRequest]:
    return _unsent().filter(Q(mail_not_before=None) | Q(mail_not_before__lte=timezone.now()))


def _unsent() -> QuerySet[ReleaseRequest]:
    return ReleaseRequest.objects.filter(
        Q(decided_at=None) | Q(decided_at__gte=timezone.now() - TOLD_FOR)
    ).exclude(Q(mailed_state=F("state")) | Q(state=RequestState.WITHDRAWN))


def _send(pk: int) -> bool:
    claimed = _owed().filter(pk=pk)
    if claimed.update(mail_not_before=timezone.now() + SENDING_FOR) != 1:
        return False
    request = ReleaseRequest.objects.select_related("domain", "asked_by", "release").get(pk=pk)
    told = ReleaseRequest.objects.filter(pk=pk)
    addresses = _get_addresses(request)
    if addresses:
        try:
            _compose(request, addresses).send()
        except OSError as error:  # smtplib's errors and refused sockets are of this family
            log.warning("a mail of %s was not sent: %s", request, type(error).__name__)
            return False
        record_act(
            "message sent",
            domain=request.domain,
            object_ref=str(request),
            job="notices",
            detail=f"{request.get_state_display()}; to {len(addresses)}",
        )
    told.update(mailed_state=request.state, mail_not_before=None)
    return bool(addresses)


def _get_addresses(request: ReleaseRequest) -> list[str]:
    """Return who may approve; once it is decided, who asked, while they are a member."""
    if request.is_open:
        approvers = list_approvers(request.domain, besides=request.asked_by_label)
        return list(approvers.values_list("email", flat=True))
    asker = request.asked_by
    is_member = (
        asker is not None and asker.is_active and asker.memberships.filter(domain=request.domain).exists()
    )
    return [asker.email] if asker is not None and is_member else []


def _compose(request: ReleaseRequest, addresses: list[str]) -> EmailMessage:
    path = reverse("signatures:release_request", args=[request.domain.name, request.pk])
    context = {"request": request, "domain": request.domain, "url": get_public_address(path)}
    body = render_to_string("signatures/mail/release_request.txt", context)
    return EmailMessage(
        f"{request.domain.name}: release {request.get_state_display().lower()}", body, to=addresses
    )
