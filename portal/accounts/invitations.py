"""Invitations: invites an address by a link that works once, and records each in the ledger.

Members are invited here, senders in `sender_invitations`; links of both are followed and accepted in one way.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.mail import send_mail
from django.db import transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.access import Permission, get_permissions, may_change_membership
from portal.models import Domain, Invitation, Membership, User
from portal.public_url import get_public_address
from signatures.models import SelfService, SenderAccount, SenderInvitation
from signatures.self_service.accounts import open_account

from .domains import vouch_for_address
from .members import MembershipRefused, lock_members, record_added

VALID_FOR = timedelta(days=7)
AnyInvitation = Invitation | SenderInvitation

log = logging.getLogger(__name__)


class InvitationRefused(Exception):
    """An invitation cannot be accepted. title and message: words for the person with the link."""

    def __init__(self, title: str, message: str) -> None:
        super().__init__(message)
        self.title = title
        self.message = message


@dataclass(frozen=True, slots=True)
class Sent:
    """An invitation, and whether the mail server accepted its mail."""

    invitation: Invitation
    is_mailed: bool


def invite(domain: Domain, *, email: str, role: str, actor: User) -> Sent:
    """Store an invitation for the address and mail its link. Raises MembershipRefused."""
    _may_give(actor, domain, role)
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        lock_members(domain)
        member = domain.memberships.filter(user__email__iexact=email).select_related("user").first()
        if member is not None:
            raise MembershipRefused(f"{member.user.email} is a member already, as {member.role}.")
        if _list_open(domain).filter(email__iexact=email).exists():
            raise MembershipRefused(
                f"{email} is invited already. Send that invitation again, or withdraw it."
            )
        invitation = Invitation.objects.create(
            domain=domain,
            email=email,
            role=role,
            token_sha256=digest_token(token),
            invited_by=actor,
            expires_at=timezone.now() + VALID_FOR,
        )
        record_act("member invited", domain=domain, actor_label=actor.email, detail=f"{email} as {role}")
    return Sent(invitation, _send(invitation, token))


def resend(invitation: Invitation, *, actor: User) -> Sent:
    """Mail a new link, valid for another seven days, and invalidate the old one. Raises MembershipRefused."""
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        locked = _lock_open(invitation)
        _may_give(actor, locked.domain, locked.role)
        locked.token_sha256 = digest_token(token)
        locked.invited_by = actor
        locked.expires_at = timezone.now() + VALID_FOR
        locked.save(update_fields=["token_sha256", "invited_by", "expires_at"])
        record_act(
            "invitation sent again",
            domain=locked.domain,
            actor_label=actor.email,
            detail=f"{locked.email} as {locked.role}",
        )
    return Sent(locked, _send(locked, token))


def withdraw(invitation: Invitation, *, actor: User) -> None:
    """Withdraw the invitation, so that its link no longer works. Raises MembershipRefused."""
    with transaction.atomic():
        locked = _lock_open(invitation)
        _may_give(actor, locked.domain, locked.role)
        locked.withdrawn_at = timezone.now()
        locked.save(update_fields=["withdrawn_at"])
        record_act(
            "invitation withdrawn",
            domain=locked.domain,
            actor_label=actor.email,
            detail=f"{locked.email} as {locked.role}",
        )


def list_open(domain: Domain) -> list[Invitation]:
    """Return the invitations that nobody has accepted yet, including expired ones."""
    return list(_list_open(domain).select_related("invited_by", "domain"))


def find_invitation(token: str) -> AnyInvitation | None:
    """Return the invitation whose link has this token, used or not; None for an unknown token."""
    return find_by_digest(digest_token(token))


def find_by_digest(token_sha256: str) -> AnyInvitation | None:
    """Return the invitation whose token has this digest, used or not, of a member or of a sender."""
    members = Invitation.objects.select_related("domain", "invited_by")
    senders = SenderInvitation.objects.select_related("domain", "invited_by", "sender")
    return (
        members.filter(token_sha256=token_sha256).first() or senders.filter(token_sha256=token_sha256).first()
    )


def check_open(invitation: AnyInvitation | None, *, at: datetime) -> AnyInvitation:
    """Return the invitation if it is valid at `at`. Raises InvitationRefused."""
    ask = "Ask whoever invited you, or an owner of the domain, for a new invitation."
    if invitation is None or invitation.withdrawn_at is not None:
        raise InvitationRefused(
            "This invitation is not valid", f"It was withdrawn, or sent again with a new link. {ask}"
        )
    if invitation.accepted_at is not None:
        raise InvitationRefused(
            "This invitation was used", "An invitation works once. Sign in with your account to go on."
        )
    if invitation.expires_at <= at:
        raise InvitationRefused(
            "This invitation has expired", f"It was valid until {invitation.expires_at:%-d %b %Y}. {ask}"
        )
    why = _find_invalid(invitation)
    if why:
        raise InvitationRefused("This invitation is not valid", f"{why} {ask}")
    return invitation


def _find_invalid(invitation: AnyInvitation) -> str:
    """Return why an open invitation is worth nothing any more, or ''."""
    inviter, domain = invitation.invited_by, invitation.domain
    if isinstance(invitation, Invitation):
        offered = Membership(domain=domain, role=invitation.role)
        if not may_change_membership(inviter, offered, invitation.role):
            return "The person who sent it may no longer give this role."
        return ""
    sender = invitation.sender
    if Permission.INVITE_SENDERS not in get_permissions(inviter, domain):
        return "The person who sent it may no longer invite."
    if not SelfService.objects.for_domain(domain).is_on:
        return "Self-service is switched off."
    if not sender.is_active:
        return "You are locked or removed in Outreach."
    if sender.email.lower() != invitation.email.lower():
        return "Your address in Outreach is another one now."
    return ""


def accept(invitation: AnyInvitation, user: User) -> Membership | SenderAccount:
    """Make the person a member, or the sender they are; mark the invitation used. Raises InvitationRefused.

    The person is the invited one: their account's own address is the one the mail went to.
    """
    with transaction.atomic():
        lock_members(invitation.domain)
        locked = check_open(find_by_digest(invitation.token_sha256), at=timezone.now())
        if user.email.lower() != locked.email.lower():
            raise InvitationRefused(
                "This invitation is for somebody else",
                f"It was sent to {locked.email}; you are {user.email}.",
            )
        locked.accepted_at = timezone.now()
        locked.save(update_fields=["accepted_at"])
        invited_by = f"invited by {locked.invited_by.email}"
        if isinstance(locked, SenderInvitation):
            account = open_account(locked.sender, user, detail=invited_by)
            if account.user_id != user.pk:
                raise InvitationRefused(
                    "Somebody else signs in as this sender", "Ask an owner of the domain to end their access."
                )
            return account
        membership, is_new = Membership.objects.get_or_create(
            domain=locked.domain, user=user, defaults={"role": locked.role}
        )
        if is_new:
            record_added(membership, actor=user, detail=f", {invited_by}")
    return membership


def accept_as_new(invitation: AnyInvitation, password: str) -> Membership | SenderAccount:
    """Create the invited person's account and accept, in one transaction. Raises InvitationRefused.

    The address is verified, since the link came to it.
    """
    with transaction.atomic():
        lock_members(invitation.domain)
        check_open(find_by_digest(invitation.token_sha256), at=timezone.now())
        user, is_new = User.objects.get_or_create(email=invitation.email.lower())
        if not is_new:
            raise InvitationRefused(
                "This account already exists", "Sign in with it, then open the link again."
            )
        user.set_password(password)
        user.save(update_fields=["password"])
        vouch_for_address(user)
        return accept(invitation, user)


def _may_give(actor: User, domain: Domain, role: str) -> None:
    if not may_change_membership(actor, Membership(domain=domain, role=role), role):
        raise MembershipRefused("Your role does not let you give this one.")


def _list_open(domain: Domain) -> QuerySet[Invitation]:
    return domain.invitations.filter(accepted_at=None, withdrawn_at=None)


def _lock_open(invitation: Invitation) -> Invitation:
    """Return the invitation as it is now, with this domain's members locked against other changes."""
    lock_members(invitation.domain)
    fresh = Invitation.objects.select_related("domain").filter(pk=invitation.pk).first()
    if fresh is None or not fresh.is_open:
        raise MembershipRefused("This invitation has been used or withdrawn since.")
    return fresh


def digest_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _send(invitation: Invitation, token: str) -> bool:
    subject = f"You are invited to {invitation.domain.name} in Countersign"
    return send_link(invitation, token, subject, "portal/email/invitation.txt")


def send_link(invitation: AnyInvitation, token: str, subject: str, template: str) -> bool:
    """Mail the link, at the configured URL; False where the mail server did not accept it."""
    context = {
        "invitation": invitation,
        "link": get_public_address(reverse("portal:invitation_link", args=[token])),
        "portal": get_public_address(""),
    }
    try:
        send_mail(subject, render_to_string(template, context), None, [invitation.email])
    except OSError as error:  # smtplib's errors and refused sockets are of this family
        log.error("An invitation mail could not be sent: %s", type(error).__name__)
        return False
    return True
