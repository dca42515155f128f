"""Drift policy: keeps or replaces edits in Outreach automatically, after the grace period of the sender's group."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from integrations.ledger.record import record_act
from integrations.models import Connection, ConnectionState
from signatures.models import (
    AUTOMATIC,
    HAND_EDITS,
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    DriftPolicy,
    Following,
    Group,
    LeftAloneWhy,
    MailboxState,
    Release,
    Sender,
)
from signatures.releases.compose import Composer
from signatures.releases.live import get_content, get_live
from signatures.senders.grouping import list_groups
from signatures.senders.values import get_member

from .active_mailboxes import list_active
from .automatic import get_most_at_once, has_reached_everybody, is_same_release, may_deliver
from .base import DeliveryBlocked
from .drift_decisions import KEPT
from .left_alone import leave_alone
from .placements import get_placements
from .planning import drop_run, plan_delivery
from .runs import start_delivery
from .status import refresh_states

BY_ITSELF = (DriftPolicy.REPLACE, DriftPolicy.ADOPT)
TRY_AGAIN_AFTER = timedelta(days=1)  # how long after a refusal it is tried again
ADOPTED_AT_ONCE = 200


class Policies:
    """The policy of each sender's group: of the group that the live release gives them, as it is set now."""

    def __init__(self, connection: Connection) -> None:
        self._content = get_content(get_live(connection.domain))
        self._groups = {group.pk: group for group in list_groups(connection.domain)}

    @property
    def act(self) -> bool:
        """Whether any group's policy acts automatically."""
        return any(group.drift_policy in BY_ITSELF for group in self._groups.values())

    def find_group(self, sender: Sender | None) -> Group | None:
        """Return whose policy counts. Needs person loaded."""
        released = self._content.find_group(get_member(sender)) if sender else None
        return self._groups.get(released.id) if released else None

    def get_due_at(self, state: MailboxState) -> datetime | None:
        """Return when the policy acts on an edit; None where it never acts automatically.

        Needs the sender's person.
        """
        group = self.find_group(state.sender)
        if group is None or group.drift_policy not in BY_ITSELF:
            return None
        return state.since + timedelta(hours=group.drift_grace_hours)

    def is_due(self, state: MailboxState, policy: DriftPolicy) -> bool:
        """Return whether this policy acts on the edit now."""
        group, due_at = self.find_group(state.sender), self.get_due_at(state)
        return (
            group is not None
            and group.drift_policy == policy
            and due_at is not None
            and due_at <= timezone.now()
        )


def list_edited_connections() -> list[Connection]:
    """Return live connections with an edited mailbox in a domain where a policy acts automatically."""
    domains = Group.objects.filter(drift_policy__in=BY_ITSELF, archived_at=None).values("domain")
    edited = MailboxState.objects.filter(status__in=HAND_EDITS, domain__in=domains)
    return list(
        Connection.objects.filter(
            pk__in=edited.values("mailbox__connection"), state=ConnectionState.ACTIVE
        ).select_related("domain")
    )


def follow_policies(connection: Connection) -> DeliveryRun | None:
    """Adopt and replace the edits whose grace period is over; return the queued run that replaces, or None.

    Safe to repeat: edits that a policy or a person decided meanwhile are left out.
    """
    if not Policies(connection).act:
        return None
    while _adopt_some(connection):
        pass
    return _replace(connection)


def get_replaceable(connection: Connection, mailbox_ids: Collection[str]) -> dict[str, str]:
    """Return mailbox id -> digest of the edit in it that its group's policy overwrites now."""
    policies = Policies(connection)
    found = _list_edited(connection).filter(mailbox__remote_id__in=mailbox_ids)
    return {
        state.mailbox.remote_id: state.held_sha256
        for state in found
        if policies.is_due(state, DriftPolicy.REPLACE)
    }


def _list_edited(connection: Connection) -> QuerySet[MailboxState]:
    states = MailboxState.objects.filter(
        mailbox__connection=connection, mailbox__retired_at=None, status__in=HAND_EDITS
    )
    return states.select_related("mailbox", "sender__person").defer("mailbox__signature_html").order_by("pk")


@transaction.atomic
def _adopt_some(connection: Connection) -> bool:
    """Keep a few edits without an end, each with an entry in the ledger; return whether there may be more."""
    # The row is locked by whoever stores statuses or decides, so that nothing is decided twice.
    Following.objects.select_for_update().get(connection=connection)
    policies = Policies(connection)
    due = [state for state in _list_edited(connection) if policies.is_due(state, DriftPolicy.ADOPT)]
    adopted = due[:ADOPTED_AT_ONCE]
    if not adopted:
        return False
    held = [(each.mailbox.remote_id, each.mailbox.email, each.held_sha256) for each in adopted]
    leave_alone(connection, held, why=LeftAloneWhy.KEPT, actor=AUTOMATIC)
    for _, email, _ in held:
        record_act(
            KEPT,
            domain=connection.domain,
            connection=connection,
            actor_label=AUTOMATIC,
            object_ref=email,
            detail="by the policy of the group",
        )
    refresh_states(connection, sender_ids={each.sender_id for each in adopted if each.sender_id})
    return len(due) > len(adopted)


def _replace(connection: Connection) -> DeliveryRun | None:
    """Return a queued run over the edits that policies replace; a plan for too many mailboxes waits for a person."""
    release = get_live(connection.domain)
    if release is None or not may_deliver(connection):
        return None
    due = sorted(_list_to_replace(connection, release))
    run = _plan(connection, due)
    if run is None or len(due) > get_most_at_once(connection):
        return None
    try:
        return start_delivery(run, actor=AUTOMATIC)
    except DeliveryBlocked:
        return None  # the next pass finds the plan


def _list_to_replace(connection: Connection, release: Release) -> Iterator[str]:
    """Yield the ids of mailboxes whose edit the policy replaces now.

    Left out: those that cannot be written, those that an open run holds, those tried lately, and those that the live
    release's rollout has not reached.
    """
    policies = Policies(connection)
    active = list_active(connection).values("mailbox_remote_id")
    free = _list_edited(connection).exclude(mailbox__remote_id__in=active)
    writable = free.filter(mailbox__is_editable=True).exclude(rendered_sha256="")
    due = {
        state.mailbox.remote_id: state
        for state in writable
        if state.sender and policies.is_due(state, DriftPolicy.REPLACE)
    }
    tried = _list_tried(connection, due)
    placements = get_placements(connection, due)
    composers = {release.pk: Composer(connection.domain, get_content(release))}
    reaches_all = has_reached_everybody(connection, release)
    for mailbox_id, state in due.items():
        placement = placements.get(mailbox_id)
        if mailbox_id in tried or placement is None or state.sender is None:
            continue
        if reaches_all or is_same_release(state.sender, placement, release, composers):
            yield mailbox_id


def _list_tried(connection: Connection, due: Mapping[str, MailboxState]) -> set[str]:
    """Return the mailboxes whose present edit a policy's delivery lately failed to replace."""
    tried = Delivery.objects.filter(
        mailbox_remote_id__in=due,
        run__connection=connection,
        run__started_by_label=AUTOMATIC,
        run__overwrites_edits=True,
        finished_at__gt=timezone.now() - TRY_AGAIN_AFTER,
    )
    rows = tried.values_list("mailbox_remote_id", "finished_at")
    return {mailbox_id for mailbox_id, at in rows if at and at > due[mailbox_id].since}


def _plan(connection: Connection, mailbox_ids: list[str]) -> DeliveryRun | None:
    """Return the open plan over exactly these mailboxes; one over others, left by an earlier pass, is dropped."""
    plans = DeliveryRun.objects.filter(
        domain=connection.domain_id,
        started_by_label=AUTOMATIC,
        overwrites_edits=True,
        state=DeliveryRunState.PLANNED,
    )
    for plan in plans.select_related("release"):
        if plan.scope == {"mailboxes": mailbox_ids} and plan.release == get_live(connection.domain):
            return plan
        drop_run(plan)
    if not mailbox_ids:
        return None
    run = plan_delivery(connection.domain, actor=AUTOMATIC, overwrite_edits=True, mailbox_ids=mailbox_ids)
    if run.planned:
        return run
    drop_run(run)
    return None
