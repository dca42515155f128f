"""Login: whom a company's identity provider may sign in here: known people of its own domain, and nobody else."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.accounts.invitations import InvitationRefused, accept, check_open

from ..models import Domain, IdentityProvider, Invitation, Membership, Protocol, User
from .identity import Identity
from .refusals import ASK, Refusal

LONGEST_ADDRESS = 254


def check_address(row: IdentityProvider, identity: Identity) -> None:
    """Raise Refusal unless the provider vouches for an address at the domain's own name."""
    email = identity.email
    if not email:
        where = (
            f"the attribute {row.saml_email_attribute}"
            if row.protocol == Protocol.SAML
            else "the claim `email`"
        )
        raise Refusal(
            "Your company sent no e-mail address",
            f"Its answer named you, and had no address in {where}. {ASK}",
            cause="no address at all",
        )
    if not _is_address(email):
        raise Refusal(
            "Your company sent no usable e-mail address",
            f"What stands where your address should be is none. {ASK}",
            cause="what should be the address is none",
        )
    if not identity.is_verified:
        raise Refusal(
            "Your address is not verified",
            f"Your company’s sign-in does not vouch for it. {ASK}",
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
    """Return who signs in: exactly one person of this domain, made where they were invited. Raises Refusal.

    An operator, and a member of any other domain, never signs in this way: the owner of one domain would
    hold the key to more than that domain.
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
    """One identity stands for one person, for good: an address that was given to somebody new opens nothing."""
    links = SocialAccount.objects.filter(provider=domain.name)
    linked = links.filter(uid=uid).first()
    if linked is not None and (user is None or linked.user_id != user.pk):
        raise Refusal(
            "Your address has changed",
            f"Your account here has another one. {ASK}",
            cause="identity is linked to another address",
        )
    if user is not None and links.filter(user=user).exclude(uid=uid).exists():
        raise Refusal(
            "Somebody else signed in with this address",
            f"They are another person to your company. {ASK}",
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
            "They see every domain, not yours alone.",
            cause="person is an operator",
        )
    if Membership.objects.filter(user=user).exclude(domain=domain).exists():
        raise Refusal(
            "Sign in with your password",
            f"You belong to other domains too, which {domain.name} does not sign in for.",
            cause="person belongs to other domains too",
        )


def _admit(domain: Domain, user: User | None, *, email: str) -> User:
    """Return the person, a member by now: of old, by invitation, or by the role the owner chose. Raises Refusal."""
    if user is not None and Membership.objects.filter(domain=domain, user=user).exists():
        return user
    invitation = Invitation.objects.filter(
        domain=domain, email__iexact=email, accepted_at=None, withdrawn_at=None
    ).first()
    role = IdentityProvider.objects.values_list("default_role", flat=True).get(domain=domain)
    if invitation is None and not role:
        raise Refusal(
            "You are no member of this domain",
            "Ask an owner of the domain to invite you.",
            cause="person is no member and not invited",
        )
    if invitation is not None:
        try:
            check_open(invitation, at=timezone.now())
        except InvitationRefused as refused:
            raise Refusal(
                refused.title, refused.message, cause="invitation is not open any more"
            ) from refused
    if user is None:
        user = User.objects.create_user(email)
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    if invitation is not None:
        accept(invitation, user)
    else:
        Membership.objects.create(domain=domain, user=user, role=role)
        record_act(
            "member added",
            domain=domain,
            actor_label=user.email,
            detail=f"{user.email} as {role}, by single sign-on",
        )
    return user


@receiver(post_delete, sender=Membership)
def forget_identity(instance: Membership, **kwargs: Any) -> None:
    """Whoever is no member any more may be invited again, as whoever has the address then."""
    SocialAccount.objects.filter(user_id=instance.user_id, provider=instance.domain.name).delete()


def say_password_is_closed(user: User) -> Domain | None:
    """Return the domain that wants this person to sign in through its identity provider; None where none does."""
    if user.is_staff or user.is_superuser:
        return None
    wanting = Domain.objects.filter(memberships__user=user, identity_provider__is_required=True)
    return wanting.first()
