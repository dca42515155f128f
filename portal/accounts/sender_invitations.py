"""Sender invitations: invites senders to self-service, reminds them once, and sends the mails that are owed.

An invitation goes to the address that Outreach has of the sender, and to no other. Its token is made as its mail is
sent, by the worker, so that no row ever holds one. A mail that is sent again, or a reminder, has a new link; the
former one no longer works.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.access import Permission, get_permissions
from portal.models import Domain, User
from signatures.models import SelfService, Sender, SenderInvitation

from .invitations import digest_token, send_link
from .members import MembershipRefused

MAIL_CHUNK = 200  # mails of one task
_CHUNK = 500  # rows
_SENDING_FOR = timedelta(minutes=10)  # longer than a mail server may take; then somebody else may try
_MOST_NAMED = 20  # addresses in one entry of the ledger


def list_invitable(senders: QuerySet[Sender]) -> QuerySet[Sender]:
    """Return those who are active, have an address, and were neither invited nor signed in."""
    open_ones = SenderInvitation.objects.filter(accepted_at=None, withdrawn_at=None)
    found = senders.filter(is_active=True, account=None).exclude(email="")
    return found.exclude(pk__in=open_ones.values("sender"))


def invite_senders(domain: Domain, senders: QuerySet[Sender], *, actor: User) -> int:
    """Invite those of these senders who can be, and return how many. Raises MembershipRefused."""
    rules = _check(domain, actor)
    now = timezone.now()
    with transaction.atomic():
        Domain.objects.select_for_update().get(pk=domain.pk)
        invited = [
            SenderInvitation(
                domain=domain,
                sender=sender,
                email=sender.email,
                token_sha256=digest_token(
                    secrets.token_urlsafe(32)
                ),  # nobody knows it: the mail makes its own
                invited_by=actor,
                expires_at=now + timedelta(days=rules.valid_days),
            )
            for sender in list_invitable(senders.filter(domain=domain)).order_by("pk")
        ]
        SenderInvitation.objects.bulk_create(invited, batch_size=_CHUNK)
        if invited:
            _record("senders invited", domain, actor, [one.email for one in invited])
    return len(invited)


def send_again(domain: Domain, invitations: QuerySet[SenderInvitation], *, actor: User) -> int:
    """Send these open invitations once more, each with a new link, and return how many. Raises MembershipRefused."""
    rules, now = _check(domain, actor), timezone.now()
    with transaction.atomic():
        Domain.objects.select_for_update().get(pk=domain.pk)
        found = list(_list_open(domain).filter(pk__in=invitations.values("pk")))
        again = SenderInvitation.objects.filter(pk__in=[one.pk for one in found])
        again.update(
            invited_by=actor,
            expires_at=now + timedelta(days=rules.valid_days),
            reminded_at=now,
            mail_not_before=now,
        )
        if found:
            _record("sender invitations sent again", domain, actor, [one.email for one in found])
    return len(found)


def withdraw_invitations(domain: Domain, invitations: QuerySet[SenderInvitation], *, actor: User) -> int:
    """Withdraw these open invitations, so that their links no longer work, and return how many."""
    _check(domain, actor, is_inviting=False)
    with transaction.atomic():
        Domain.objects.select_for_update().get(pk=domain.pk)
        found = list(_list_open(domain).filter(pk__in=invitations.values("pk")))
        withdrawn = SenderInvitation.objects.filter(pk__in=[one.pk for one in found])
        withdrawn.update(withdrawn_at=timezone.now(), mail_not_before=None)
        if found:
            _record("sender invitations withdrawn", domain, actor, [one.email for one in found])
    return len(found)


def note_opened(invitation: SenderInvitation) -> None:
    """Note that the link was followed."""
    SenderInvitation.objects.filter(pk=invitation.pk, opened_at=None).update(opened_at=timezone.now())


def ask_for_reminders() -> int:
    """Let each open invitation that is old enough be sent once more, by itself; return how many."""
    now, number = timezone.now(), 0
    for rules in SelfService.objects.filter(is_on=True, remind_after_days__gt=0).select_related("domain"):
        due = _list_open(rules.domain).filter(
            reminded_at=None,
            mailed_at__lte=now - timedelta(days=rules.remind_after_days),
            expires_at__gt=now,
            sender__is_active=True,
        )
        number += _remind(rules, list(due))
    return number


@transaction.atomic
def _remind(rules: SelfService, due: list[SenderInvitation]) -> int:
    now = timezone.now()
    reminded = _list_open(rules.domain).filter(pk__in=[one.pk for one in due], reminded_at=None)
    number = reminded.update(
        reminded_at=now, mail_not_before=now, expires_at=now + timedelta(days=rules.valid_days)
    )
    if number:
        record_act(
            "sender invitations sent again",
            domain=rules.domain,
            job="notices",
            detail=_name([one.email for one in due]),
        )
    return number


def send_invitation_mails() -> int:
    """Send mails that are owed, up to MAIL_CHUNK; return how many a mail server took. Others are tried again."""
    return sum(_send(pk) for pk in list(_owed().order_by("pk").values_list("pk", flat=True)[:MAIL_CHUNK]))


def list_owed(*, before: datetime) -> list[QuerySet[Any]]:
    """Return the invitations that were made before that instant and were never mailed."""
    return [_list_mailable().filter(mailed_at=None, invited_at__lt=before)]


def _owed() -> QuerySet[SenderInvitation]:
    return _list_mailable().filter(mail_not_before__lte=timezone.now())


def _list_mailable() -> QuerySet[SenderInvitation]:
    return SenderInvitation.objects.filter(
        accepted_at=None,
        withdrawn_at=None,
        mail_not_before__isnull=False,
        expires_at__gt=timezone.now(),
        sender__is_active=True,
        domain__self_service__is_on=True,
    )


def _send(pk: int) -> bool:
    token = secrets.token_urlsafe(32)
    claimed = _owed().filter(pk=pk, email__iexact=F("sender__email"))
    ids = SenderInvitation.objects.filter(pk__in=claimed.values("pk"))
    ends_at = timezone.now() + _SENDING_FOR
    if ids.update(mail_not_before=ends_at, token_sha256=digest_token(token)) != 1:
        return False
    invitation = SenderInvitation.objects.select_related("domain", "invited_by", "sender").get(pk=pk)
    subject = f"Your e-mail signature at {invitation.domain.name}"
    if not send_link(invitation, token, subject, "portal/email/sender_invitation.txt"):
        return False
    sent = SenderInvitation.objects.filter(pk=pk, token_sha256=digest_token(token))
    return sent.update(mailed_at=timezone.now(), mail_not_before=None) == 1


def _list_open(domain: Domain) -> QuerySet[SenderInvitation]:
    return SenderInvitation.objects.filter(domain=domain, accepted_at=None, withdrawn_at=None)


def _check(domain: Domain, actor: User, *, is_inviting: bool = True) -> SelfService:
    if Permission.INVITE_SENDERS not in get_permissions(actor, domain):
        raise MembershipRefused("Your role does not let you invite senders.")
    rules = SelfService.objects.for_domain(domain)
    if is_inviting and not rules.is_on:
        raise MembershipRefused("Self-service is off. Switch it on first; nobody was invited.")
    return rules


def _record(act: str, domain: Domain, actor: User, emails: Sequence[str]) -> None:
    record_act(act, domain=domain, actor_label=actor.email, detail=_name(emails))


def _name(emails: Sequence[str]) -> str:
    more = f" and {len(emails) - _MOST_NAMED:,} more" if len(emails) > _MOST_NAMED else ""
    return f"{len(emails):,}: {', '.join(emails[:_MOST_NAMED])}{more}"
