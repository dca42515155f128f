"""Login: decides whom a company's identity provider may sign in: known people of its own domain only."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.accounts.invitations import InvitationRefused, accept, check_open
from signatures.models import SenderAccount, SenderInvitation
from signatures.self_service.accounts import allows_sso, find_sender, list_accounts, open_account

from ..models import Domain, IdentityProvider, Invitation, Membership, Protocol, User
from .identity import Identity
from .refusals import ASK, Refusal

LONGEST_ADDRESS = 254


def check_address(row: IdentityProvider, identity: Identity) -> None:
    """Raise Refusal unless the provider verified an address at the domain."""
    email = identity.email
    if not email:
        where = (
            f"the attribute {row.saml_email_attribute}"
            if row.protocol == Protocol.SAML
            else "the claim `email`"
        )
        raise Refusal(
            "Your company sent no e-mail address",
            f"Its answer has no address in {where}. {ASK}",
            cause="no address at all",
        )
    if not _is_address(email):
        raise Refusal(
            "Your company sent no usable e-mail address",
            f"The value it sent as your address is not an e-mail address. {ASK}",
            cause="what should be the address is none",
        )
    if not identity.is_verified:
        raise Refusal(
            "Your address is not verified",
            f"Your company’s sign-in does not say that it verified the address. {ASK}",
            cause="address not verified",
        )
    if email.rpartition("@")[2] != row.domain.name:
        raise Refusal(
            "This sign-in is for another domain",
            f"It signs in addresses at {row.domain.name} alone.",
            cause="address at another domain",
        )


def _is_address(email: str) -> bool:
    try:
        validate_email(email)
    except ValidationError:
        return False
    return len(email) <= LONGEST_ADDRESS and email.isprintable()


def find_person(row: IdentityProvider, identity: Identity) -> User:
    """Return who signs in: one person of this domain, created where they were invited. Raises Refusal.

    An operator, and a member of any other domain, never signs in this way: otherwise the owner of one domain
    could get access to others.
    """
    check_address(row, identity)
    domain, email, uid = row.domain, identity.email, identity.uid
    with transaction.atomic():
        Domain.objects.select_for_update().get(pk=domain.pk)
        user = User.objects.filter(email__iexact=email).first()
        _check_identity(domain, user, uid=uid)
        if user is not None:
            _check_person(domain, user)
        return _admit(domain, user, email=email)


def _check_identity(domain: Domain, user: User | None, *, uid: str) -> None:
    """Raise Refusal where identity or address belongs to another person, such as after reassigning an address."""
    links = SocialAccount.objects.filter(provider=domain.name)
    linked = links.filter(uid=uid).first()
    if linked is not None and (user is None or linked.user_id != user.pk):
        raise Refusal(
            "Your address has changed",
            f"Your account here has a different address. {ASK}",
            cause="identity is linked to another address",
        )
    if user is not None and links.filter(user=user).exclude(uid=uid).exists():
        raise Refusal(
            "Somebody else signed in with this address",
            f"Your company’s sign-in identifies them as a different person. {ASK}",
            cause="address is linked to another identity",
        )


def _check_person(domain: Domain, user: User) -> None:
    if not user.is_active:
        raise Refusal(
            "This account is deactivated",
            "Ask the operator of this portal to reactivate it.",
            cause="account closed",
        )
    if user.is_staff or user.is_superuser:
        raise Refusal(
            "Operators sign in with their password",
            "Operators see every domain, not only yours.",
            cause="person is an operator",
        )
    elsewhere = SenderAccount.objects.filter(user=user).exclude(sender__domain=domain)
    if Membership.objects.filter(user=user).exclude(domain=domain).exists() or elsewhere.exists():
        raise Refusal(
            "Sign in with your password",
            f"You belong to other domains too, which {domain.name} does not sign in for.",
            cause="person belongs to other domains too",
        )


def _admit(domain: Domain, user: User | None, *, email: str) -> User:
    """Return the person as a member or a sender: already, by invitation, by the default role, or by their address.

    Raises Refusal.
    """
    if user is not None and Membership.objects.filter(domain=domain, user=user).exists():
        return user
    invitation = _find_invitation(domain, email)
    if invitation is not None:
        return _accept(invitation, user, email)
    if user is not None and list_accounts(user).filter(sender__domain=domain).exists():
        return user
    sender = find_sender(domain, email) if allows_sso(domain) else None
    role = IdentityProvider.objects.values_list("default_role", flat=True).get(domain=domain)
    if not role and sender is None:
        raise Refusal(
            "You are not a member of this domain",
            "Ask an owner of the domain to invite you.",
            cause="person is no member and not invited",
        )
    user = user or _create_person(email)
    if sender is not None:
        open_account(sender, user, detail="by single sign-on")
    else:
        Membership.objects.create(domain=domain, user=user, role=role)
        record_act(
            "member added",
            domain=domain,
            actor_label=user.email,
            detail=f"{user.email} as {role}, by single sign-on",
        )
    return user


def _find_invitation(domain: Domain, email: str) -> Invitation | SenderInvitation | None:
    wanted = {"domain": domain, "email__iexact": email, "accepted_at": None, "withdrawn_at": None}
    return Invitation.objects.filter(**wanted).first() or SenderInvitation.objects.filter(**wanted).first()


def _accept(invitation: Invitation | SenderInvitation, user: User | None, email: str) -> User:
    try:
        check_open(invitation, at=timezone.now())
        user = user or _create_person(email)
        accept(invitation, user)
    except InvitationRefused as refused:
        raise Refusal(refused.title, refused.message, cause="invitation is not open any more") from refused
    return user


def _create_person(email: str) -> User:
    user = User.objects.create_user(email)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


@receiver(post_delete, sender=SenderAccount)
def forget_sender_identity(instance: SenderAccount, **kwargs: Any) -> None:
    """As for members: whoever no longer signs in as a sender may be invited again under another identity."""
    links = SocialAccount.objects.filter(user_id=instance.user_id, provider=instance.sender.domain.name)
    if not Membership.objects.filter(user_id=instance.user_id, domain=instance.sender.domain_id).exists():
        links.delete()


@receiver(post_delete, sender=Membership)
def forget_identity(instance: Membership, **kwargs: Any) -> None:
    """Remove the identity of somebody who is no longer a member, so that the address may be invited again."""
    SocialAccount.objects.filter(user_id=instance.user_id, provider=instance.domain.name).delete()


def say_password_is_closed(user: User) -> Domain | None:
    """Return the domain that wants this person to sign in through its identity provider; None where none does."""
    if user.is_staff or user.is_superuser:
        return None
    theirs = Q(memberships__user=user) | Q(pk__in=list_accounts(user).values("sender__domain"))
    return Domain.objects.filter(theirs, identity_provider__is_required=True).first()
