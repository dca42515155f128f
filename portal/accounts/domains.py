"""Domains: creates a domain with its owner in one transaction, and records changes of its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from integrations.ledger.record import record_act
from portal.models import Domain, Membership, Role, User
from signatures.authoring.templates import install_starters
from signatures.senders.groups import ensure_default_group


@dataclass(frozen=True, slots=True)
class Founded:
    domain: Domain
    owner: User
    is_new_user: bool


def found_domain(
    name: str, *, owner_email: str, get_password: Callable[[], str], is_operator: bool = False
) -> Founded:
    """Create the domain and its owner, with the owner's address verified.

    get_password: asked only where the owner is new, after everything else was found right, and while
    no database lock is held: somebody may be typing. Raises ValidationError; then nothing was made.
    """
    validate_email(owner_email)
    domain = Domain(name=name)
    domain.full_clean()
    owner = User.objects.filter(email__iexact=owner_email).first()
    if owner is None:
        password = get_password()
        validate_password(password, User(email=owner_email))
    elif not owner.is_active:
        raise ValidationError(f"The account of {owner.email} is deactivated. Activate it first.")
    with transaction.atomic():
        domain.save()
        is_new_user = owner is None
        if owner is None:
            owner = User.objects.create_user(owner_email, password)
        if is_operator and not owner.is_staff:
            owner.is_staff = owner.is_superuser = True
            owner.save(update_fields=["is_staff", "is_superuser"])
        vouch_for_address(owner)
        Membership.objects.create(domain=domain, user=owner, role=Role.OWNER)
        ensure_default_group(domain)
        install_starters(domain, actor="command")
        record_act("domain made", domain=domain, actor_label="command", object_ref=owner.email)
    return Founded(domain=domain, owner=owner, is_new_user=is_new_user)


@transaction.atomic
def vouch_for_address(user: User) -> None:
    """Make this the person's only address, verified, so that they sign in without a confirmation mail."""
    addresses = EmailAddress.objects.filter(user=user)
    addresses.exclude(email__iexact=user.email).delete()
    if not addresses.update(verified=True, primary=True):
        addresses.create(user=user, email=user.email, verified=True, primary=True)


def record_domain_made(domain: Domain, *, actor: User) -> None:
    """Record in the ledger who created the domain; call it in the same transaction."""
    record_act("domain made", domain=domain, actor_label=actor.email)


def record_settings_changed(domain: Domain, changed: Iterable[str], *, actor: User) -> None:
    """Record in the ledger which settings changed, and to what; nothing where none did."""
    words = ", ".join(f"{name}: {getattr(domain, name)}" for name in changed)
    if words:
        record_act("settings changed", domain=domain, actor_label=actor.email, detail=words)
