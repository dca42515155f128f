"""Members: changes who belongs to a domain with which role; each change is an entry of the ledger."""

from __future__ import annotations

from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.db import transaction

from integrations.ledger.record import record_act
from portal.access import may_change_membership
from portal.models import Domain, Membership, Role, User


class MembershipRefused(ValidationError):
    """A membership cannot be changed so. message: a sentence for a person; forms show it as an error."""

    message: str


def get_roles_to_give(user: User, membership: Membership) -> list[tuple[str, str]]:
    """Return the roles this person may give to that member, as choices."""
    return [choice for choice in Role.choices if may_change_membership(user, membership, choice[0])]


def change_role(membership: Membership, role: str, *, actor: User) -> None:
    """Give the member this role. Raises MembershipRefused."""
    with transaction.atomic():
        locked = _lock(membership)
        _refuse_others(actor, locked, role)
        before = locked.role
        if before == Role.OWNER and role != Role.OWNER:
            require_owner(locked.domain, without=[locked.pk])
        locked.role = role
        locked.save(update_fields=["role"])
        record_role_changed(locked, before, actor=actor)


def remove_member(membership: Membership, *, actor: User) -> None:
    """Remove the membership; the account stays. Raises MembershipRefused."""
    with transaction.atomic():
        locked = _lock(membership)
        _refuse_others(actor, locked, None)
        delete_membership(locked, actor=actor)


@transaction.atomic
def delete_membership(membership: Membership, *, actor: User) -> None:
    """As `remove_member`, for an operator, who may remove anybody but a domain's only owner."""
    lock_members(membership.domain)
    require_owner(membership.domain, without=[membership.pk])
    record_removed(membership, actor=actor)
    membership.delete()


def lock_members(domain: Domain) -> None:
    """Lock the domain's members against other changes; call it inside the transaction of this one."""
    Domain.objects.select_for_update().get(pk=domain.pk)


def is_only_owner(membership: Membership) -> bool:
    return _get_owners(membership.domain) == {membership.pk}


def require_owner(domain: Domain, *, without: Collection[int]) -> None:
    """Raise MembershipRefused where the change would leave the domain without an active owner.

    without: ids of the memberships that are removed or get another role.
    """
    owners = _get_owners(domain)
    if owners and not owners - set(without):
        raise MembershipRefused(f"{domain.name} would have no owner left. Make somebody else an owner first.")


def record_added(membership: Membership, *, actor: User, detail: str = "") -> None:
    record_act(
        "member added",
        domain=membership.domain,
        actor_label=actor.email,
        detail=f"{membership.user.email} as {membership.role}{detail}",
    )


def record_role_changed(membership: Membership, before: str, *, actor: User) -> None:
    record_act(
        "role changed",
        domain=membership.domain,
        actor_label=actor.email,
        detail=f"{membership.user.email} from {before} to {membership.role}",
    )


def record_removed(membership: Membership, *, actor: User) -> None:
    record_act(
        "member removed", domain=membership.domain, actor_label=actor.email, detail=membership.user.email
    )


def _get_owners(domain: Domain) -> set[int]:
    """Return the ids of the memberships of active owners."""
    owners = Membership.objects.filter(domain=domain, role=Role.OWNER, user__is_active=True)
    return set(owners.values_list("pk", flat=True))


def _lock(membership: Membership) -> Membership:
    """Return the membership as it is now, with this domain's members locked against other changes."""
    lock_members(membership.domain)
    fresh = Membership.objects.select_related("user", "domain").filter(pk=membership.pk).first()
    if fresh is None:
        raise MembershipRefused("This person is no longer a member.")
    return fresh


def _refuse_others(actor: User, membership: Membership, role: str | None) -> None:
    if not may_change_membership(actor, membership, role):
        raise MembershipRefused("Your role does not let you make this change.")
