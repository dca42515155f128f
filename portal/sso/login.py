"""Whom a company's identity provider may sign in here: known people of its own domain, and nobody else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from integrations.ledger import record_act

from ..invitations import InvitationRefused, accept, check_open
from ..models import Domain, IdentityProvider, Invitation, Membership, User

ASK = "Ask an owner of the domain."


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """Nobody was signed in, and nothing changed. title and message: words for the person."""

    title: str
    message: str


def refuse(request: HttpRequest, refusal: Refusal, *, status: int = 403) -> HttpResponse:
    return render(request, "portal/sso_refused.html", {"refusal": refusal}, status=status)


def find_person(domain: Domain, *, email: str, is_verified: bool, uid: str) -> User:
    """Return who signs in: exactly one person of this domain, made where they were invited. Raises Refusal.

    email, is_verified and uid: as the identity provider signed them. An operator, and a member of any other
    domain, never signs in this way: the owner of one domain would hold the key to more than that domain.
    """
    if not is_verified:
        raise Refusal("Your address is not verified", "Your company’s sign-in does not vouch for it. " + ASK)
    if email.rpartition("@")[2] != domain.name:
        raise Refusal("This sign-in is for another domain", f"It signs in addresses at {domain.name} alone.")
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
        raise Refusal("Your address has changed", "Your account here has another one. " + ASK)
    if user is not None and links.filter(user=user).exclude(uid=uid).exists():
        raise Refusal(
            "Somebody else signed in with this address", "They are another person to your company. " + ASK
        )


def _check_person(domain: Domain, user: User) -> None:
    if not user.is_active:
        raise Refusal("This account is closed", "Ask the people who run this portal to open it.")
    if user.is_staff or user.is_superuser:
        raise Refusal("Operators sign in with their password", "They see every domain, not yours alone.")
    if Membership.objects.filter(user=user).exclude(domain=domain).exists():
        raise Refusal(
            "Sign in with your password",
            f"You belong to other domains too, which {domain.name} does not sign in for.",
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
        raise Refusal("You are no member of this domain", "Ask an owner of the domain to invite you.")
    if invitation is not None:
        try:
            check_open(invitation, at=timezone.now())
        except InvitationRefused as refused:
            raise Refusal(refused.title, refused.message) from refused
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


def read_claims(sociallogin: Any) -> tuple[str, bool]:
    """Return the address of a login in lower case, and whether the identity provider says it is verified."""
    for address in sociallogin.email_addresses:
        return address.email.lower(), address.verified is True
    return "", False


def say_password_is_closed(user: User) -> Domain | None:
    """Return the domain that wants this person to sign in through its identity provider; None where none does."""
    if user.is_staff or user.is_superuser:
        return None
    wanting = Domain.objects.filter(memberships__user=user, identity_provider__is_required=True)
    return wanting.first()
