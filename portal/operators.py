"""What operators change about domains, members and people in Django admin, with its entry in the ledger."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.db import transaction

from integrations.ledger.record import record_act

from .models import Domain, Membership, Role, User


def note_domain_made(domain: Domain, *, by: User) -> None:
    """The ledger says who made the domain; call it in the transaction that does."""
    record_act("domain made", domain=domain, actor_label=by.email)


def note_domain_changed(domain: Domain, changed: list[str], *, by: User) -> None:
    """The ledger says which settings changed, and to what."""
    if changed:
        words = ", ".join(f"{name}: {getattr(domain, name)}" for name in changed)
        record_act("settings changed", domain=domain, actor_label=by.email, detail=words)


def note_member_added(membership: Membership, *, by: User) -> None:
    record_act(
        "member added",
        domain=membership.domain,
        actor_label=by.email,
        detail=f"{membership.user.email} as {membership.role}",
    )


def note_role_changed(membership: Membership, before: str, *, by: User) -> None:
    record_act(
        "role changed",
        domain=membership.domain,
        actor_label=by.email,
        detail=f"{membership.user.email} from {before} to {membership.role}",
    )


def note_member_removed(membership: Membership, *, by: User) -> None:
    record_act("member removed", domain=membership.domain, actor_label=by.email, detail=membership.user.email)


def lock_members(domain: Domain) -> None:
    """Every other change of this domain's members has ended; call it inside the transaction of this one."""
    Domain.objects.select_for_update().get(pk=domain.pk)


def keep_an_owner(domain: Domain, *, without: list[int]) -> None:
    """Raises ValidationError where the domain has an active owner now and would have none left.

    without: ids of the memberships that are removed or get another role.
    """
    owners = Membership.objects.filter(domain=domain, role=Role.OWNER, user__is_active=True)
    ids = set(owners.values_list("pk", flat=True))
    if ids and not ids - set(without):
        raise ValidationError(f"{domain.name} would have no owner left. Make somebody else an owner first.")


@transaction.atomic
def vouch_for_address(user: User) -> None:
    """The person's address is their only one, verified: they sign in with it without a mail first."""
    EmailAddress.objects.filter(user=user).exclude(email=user.email).delete()
    EmailAddress.objects.update_or_create(
        user=user, email=user.email, defaults={"verified": True, "primary": True}
    )
