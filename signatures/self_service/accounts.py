"""Accounts: who may sign in as which sender, and how far each sender's invitation has come.

An account gives no role: the pages of a domain answer its person as they answer a stranger. It is asked anew at every
request, so that it ends as soon as the sender is inactive in Outreach or self-service is switched off.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.models import Domain, User
from signatures.models import ChangeState, SelfService, Sender, SenderAccount, SenderInvitation

NOT_INVITED = "Not invited"
STATES = {
    "queued": "Invitation queued",
    "invited": "Invited",
    "opened": "Invitation opened",
    "expired": "Invitation expired",
    "signed_in": "Signed in",
}
TONES = {"queued": "pen", "invited": "pen", "opened": "pen", "expired": "warn", "signed_in": "good"}


def list_accounts(user: User | AnonymousUser) -> QuerySet[SenderAccount]:
    """Return the accounts with which this person may look at a signature now."""
    if not isinstance(user, User) or not user.is_active:
        return SenderAccount.objects.none()
    # The address of an account that went to somebody else in Outreach no longer says who signs in with it.
    reassigned = Sender.objects.filter(domain=OuterRef("sender__domain"), email__iexact=user.email).exclude(
        pk=OuterRef("sender")
    )
    found = SenderAccount.objects.filter(
        user=user, sender__is_active=True, sender__domain__self_service__is_on=True
    )
    found = found.filter(Q(sender__email__iexact=user.email) | ~Exists(reassigned))
    return found.select_related("sender__person__connection", "sender__domain", "sender__group", "user")


def find_account(user: User | AnonymousUser, domain_name: str) -> SenderAccount | None:
    """Return this person's account in the domain of this name, if it holds now."""
    return list_accounts(user).filter(sender__domain__name=domain_name).first()


def find_sender(domain: Domain, email: str) -> Sender | None:
    """Return the one active sender with this address whom nobody signs in as yet; None where several have it."""
    found = list(Sender.objects.filter(domain=domain, email__iexact=email, is_active=True)[:2])
    if len(found) != 1 or SenderAccount.objects.filter(sender=found[0]).exists():
        return None
    return found[0]


def allows_sso(domain: Domain) -> bool:
    """Return whether senders of the domain may sign in by its SSO without an invitation."""
    row = SelfService.objects.for_domain(domain)
    return row.is_on and row.allows_sso


def open_account(sender: Sender, user: User, *, detail: str) -> SenderAccount:
    """Let this person sign in as the sender. Runs in the caller's transaction."""
    account, is_new = SenderAccount.objects.get_or_create(sender=sender, defaults={"user": user})
    if is_new:
        record_act(
            "sender account opened",
            domain=sender.domain,
            actor_label=user.email,
            object_ref=sender.email,
            detail=detail,
        )
    return account


def close_account(account: SenderAccount, *, actor: str) -> None:
    """End what lets a person sign in as a sender; the person's login stays. Runs in the caller's transaction."""
    record_act(
        "sender account closed",
        domain=account.sender.domain,
        actor_label=actor,
        object_ref=account.sender.email,
    )
    account.delete()


def note_seen(account: SenderAccount) -> None:
    """Note that the person looked at their page, at most once an hour."""
    now = timezone.now()
    if account.seen_at is None or (now - account.seen_at).total_seconds() > 3600:
        SenderAccount.objects.filter(pk=account.pk).update(seen_at=now)


def find_invited(sender_ids: Collection[int]) -> dict[int, str]:
    """Return sender id -> key of STATES, for those with an open invitation."""
    now = timezone.now()
    invitations = SenderInvitation.objects.filter(sender__in=sender_ids, accepted_at=None, withdrawn_at=None)
    return {one.sender_id: get_state(one, at=now) for one in invitations}


def find_states(sender_ids: Collection[int]) -> dict[int, str]:
    """Return sender id -> key of STATES, for those who were invited or signed in."""
    accounts = SenderAccount.objects.filter(sender__in=sender_ids)
    return find_invited(sender_ids) | dict.fromkeys(accounts.values_list("sender_id", flat=True), "signed_in")


@dataclass(frozen=True, slots=True)
class SenderState:
    """How far one sender has come. state: a key of STATES, or ''. waiting: how many of their changes wait."""

    is_on: bool
    state: str
    waiting: int

    @property
    def label(self) -> str:
        return STATES.get(self.state, NOT_INVITED)

    @property
    def tone(self) -> str:
        """The colour of its badge."""
        return TONES.get(self.state, "")


def describe_sender(sender: Sender) -> SenderState:
    """Return how far a sender has come with self-service."""
    is_on = SelfService.objects.for_domain(sender.domain).is_on
    waiting = Count("changes", filter=Q(changes__state=ChangeState.WAITING))
    account, number = (
        Sender.objects.filter(pk=sender.pk).annotate(number=waiting).values_list("account", "number").get()
    )
    state = "signed_in" if account else find_invited([sender.pk]).get(sender.pk, "")
    return SenderState(is_on, state, number)


def in_state(senders: QuerySet[Sender], state: str) -> QuerySet[Sender]:
    """Return those of the senders who have come so far; '' for all. state: 'none' or a key of STATES."""
    now = timezone.now()
    is_open = Q(accepted_at=None, withdrawn_at=None)
    invited = SenderInvitation.objects.filter(is_open, sender=OuterRef("pk"))
    which = {
        "queued": Q(mailed_at=None, expires_at__gt=now),
        "invited": Q(mailed_at__isnull=False, opened_at=None, expires_at__gt=now),
        "opened": Q(mailed_at__isnull=False, opened_at__isnull=False, expires_at__gt=now),
        "expired": Q(expires_at__lte=now),
    }
    if state == "signed_in":
        return senders.exclude(account=None)
    if state == "none":
        return senders.filter(~Exists(invited), account=None)
    if state in which:
        return senders.filter(Exists(invited.filter(which[state])), account=None)
    return senders


def get_state(invitation: SenderInvitation, *, at: datetime) -> str:
    """Return how far an open invitation has come: a key of STATES."""
    if invitation.expires_at <= at:
        return "expired"
    if invitation.mailed_at is None:
        return "queued"
    return "invited" if invitation.opened_at is None else "opened"
