"""Being and ceasing to be a member of a domain; each is an entry of the ledger."""

from __future__ import annotations

from django.db import transaction

from integrations.ledger.record import record_act
from portal.access import may_change_membership
from portal.models import Domain, Membership, Role, User


class MembershipRefused(Exception):
    """The change was not made. message: a sentence for a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def get_roles_to_give(user: User, membership: Membership) -> list[tuple[str, str]]:
    """Return the roles this person may give to that member, as choices."""
    return [choice for choice in Role.choices if may_change_membership(user, membership, choice[0])]


def change_role(membership: Membership, role: str, *, by: User) -> None:
    """The member has this role. Raises MembershipRefused."""
    with transaction.atomic():
        locked = _lock(membership)
        if not may_change_membership(by, locked, role):
            raise MembershipRefused("Your role does not let you make this change.")
        before = locked.role
        if before == Role.OWNER and role != Role.OWNER:
            _keep_an_owner(locked)
        locked.role = role
        locked.save(update_fields=["role"])
        record_act(
            "role changed",
            domain=locked.domain,
            actor_label=by.email,
            detail=f"{locked.user.email} from {before} to {role}",
        )


def remove_member(membership: Membership, *, by: User) -> None:
    """The person is no member any more; their account stays. Raises MembershipRefused."""
    with transaction.atomic():
        locked = _lock(membership)
        if not may_change_membership(by, locked, None):
            raise MembershipRefused("Your role does not let you make this change.")
        if locked.role == Role.OWNER:
            _keep_an_owner(locked)
        locked.delete()
        record_act(
            "member removed", domain=membership.domain, actor_label=by.email, detail=membership.user.email
        )


def _lock(membership: Membership) -> Membership:
    """Return the membership as it is now, after every other change of this domain's members has ended."""
    Domain.objects.select_for_update().get(pk=membership.domain_id)
    fresh = Membership.objects.select_related("user", "domain").filter(pk=membership.pk).first()
    if fresh is None:
        raise MembershipRefused("This person is no member any more.")
    return fresh


def _keep_an_owner(membership: Membership) -> None:
    owners = Membership.objects.filter(
        domain=membership.domain, role=Role.OWNER, user__is_active=True
    ).exclude(pk=membership.pk)
    if not owners.exists():
        raise MembershipRefused(
            f"{membership.user.email} is the only owner of {membership.domain.name}. Make somebody else an "
            "owner first."
        )
