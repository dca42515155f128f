"""Drift decisions: what a person decides about edits in Outreach: keep, replace, or take a value over and replace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.timesince import timesince

from integrations.ledger.record import record_act
from integrations.models import Connection, LedgerEntry
from portal.models import Domain, User
from signatures.models import HAND_EDITS, DeliveryRun, Following, LeftAloneWhy, MailboxState
from signatures.senders.origins import OriginKind, ValueOrigin
from signatures.senders.values import set_own_values
from signatures.senders.vocabulary import list_closed_fields

from .edits import describe_edits, find_replacing
from .left_alone import get_left_alone, leave_alone
from .planning import drop_run, plan_delivery
from .status import refresh_states

KEPT, REPLACED, TAKEN_OVER = "mailbox edit kept", "mailbox edit replaced", "mailbox edit taken over"


Chosen = Mapping[int, str]
"""Mailbox's key -> digest of the edit in it that somebody saw when they decided."""


@dataclass(slots=True)
class Decision:
    """What came of it. decided: mailboxes. refused: a sentence for each that was not. run: the plan, or None."""

    decided: list[MailboxState] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    run: DeliveryRun | None = None


@transaction.atomic
def keep(
    connection: Connection,
    chosen: Chosen,
    *,
    actor: str,
    until: datetime | None = None,
    say_actor: Callable[[str], str] = str,
) -> Decision:
    """No delivery changes these edits any more, until then. say_actor: how a sentence names who decided before."""
    decision = _claim(connection, chosen, say_actor)
    held = [(each.mailbox.remote_id, each.mailbox.email, each.held_sha256) for each in decision.decided]
    leave_alone(connection, held, why=LeftAloneWhy.KEPT, actor=actor, until=until)
    for _, email, _ in held:
        _record(connection, KEPT, email, actor, f"until {until:%Y-%m-%d %H:%M} UTC" if until else "")
    _refresh(connection, decision.decided)
    return decision


@transaction.atomic
def replace(
    connection: Connection,
    chosen: Chosen,
    *,
    actor: str,
    by: User | None = None,
    takes_over: bool = False,
    say_actor: Callable[[str], str] = str,
) -> Decision:
    """Plan a delivery that overwrites these edits; whoever starts it writes. Raises: DeliveryBlocked.

    takes_over: first the value of theirs that differs becomes the sender's override; a mailbox without one is
    refused.
    """
    decision = _claim(connection, chosen, say_actor)
    if takes_over:
        _take_over(connection, decision, actor)
    _leave_planned(connection, decision, say_actor)
    if not decision.decided:
        return decision
    ids = [each.mailbox.remote_id for each in decision.decided]
    run = plan_delivery(connection.domain, actor=actor, by=by, overwrite_edits=True, mailbox_ids=ids)
    if not run.planned:
        drop_run(run)
        return decision
    decision.run = run
    for each in decision.decided:
        _record(connection, REPLACED, each.mailbox.email, actor, f"planned as delivery {run.pk}")
    return decision


def list_decisions(domain: Domain, number: int) -> list[LedgerEntry]:
    """Return the latest decisions about edits, whoever or whatever decided."""
    return list(
        LedgerEntry.objects.filter(domain=domain, action__in=[KEPT, REPLACED, TAKEN_OVER]).order_by("-id")[
            :number
        ]
    )


def _claim(connection: Connection, chosen: Chosen, say_actor: Callable[[str], str]) -> Decision:
    """Return which of these mailboxes still hold the edit that was seen, undecided; nobody else decides meanwhile."""
    Following.objects.get_or_create(connection=connection)
    Following.objects.select_for_update().get(connection=connection)
    states = MailboxState.objects.filter(mailbox__connection=connection, pk__in=chosen)
    decision = Decision()
    for state in states.select_related("mailbox", "sender__person", "sender__group").order_by("pk"):
        if state.status in HAND_EDITS and state.held_sha256 == chosen[state.pk]:
            decision.decided.append(state)
        else:
            decision.refused.append(_say_decided(connection, state, say_actor))
    return decision


def _say_decided(connection: Connection, state: MailboxState, say_actor: Callable[[str], str]) -> str:
    email, remote_id = state.mailbox.email, state.mailbox.remote_id
    kept = get_left_alone(connection, [remote_id]).get(remote_id)
    if kept is not None:
        ago = timesince(kept.decided_at, timezone.now(), depth=1)
        return f"{email}: {say_actor(kept.decided_by_label)} kept it {ago} ago. Nothing was changed."
    if state.status in HAND_EDITS:
        return f"{email} was edited again since this page was loaded. Review it, then decide."
    return f"{email} is no longer edited: {state.get_status_display().lower()}. Nothing was changed."


def _leave_planned(connection: Connection, decision: Decision, say_actor: Callable[[str], str]) -> None:
    """Take out what another delivery is to overwrite already."""
    replacing = find_replacing(connection, [each.mailbox.remote_id for each in decision.decided])
    for state in list(decision.decided):
        run = replacing.get(state.mailbox.remote_id)
        if run is not None:
            decision.decided.remove(state)
            decision.refused.append(
                f"{state.mailbox.email}: {say_actor(run.started_by_label)} replaces it with delivery {run.pk}."
            )


def _take_over(connection: Connection, decision: Decision, actor: str) -> None:
    edits, closed = describe_edits(connection, decision.decided), list_closed_fields(connection.domain)
    decision.decided = []
    for edit in edits:
        email, sender = edit.state.mailbox.email, edit.state.sender
        if edit.takeover is None or sender is None:
            decision.refused.append(f"{email} has no single value that can be taken over.")
            continue
        field = edit.takeover.field
        if field.name in closed:
            decision.refused.append(
                f"{email}: only owners and admins may edit {field.label}, on the sender’s page."
            )
            continue
        set_own_values(
            sender, {field.name: edit.takeover.value}, actor=actor, origin=ValueOrigin(OriginKind.ADOPTED)
        )
        _record(connection, TAKEN_OVER, email, actor, field.label)
        decision.decided.append(edit.state)
    _refresh(connection, decision.decided)


def _refresh(connection: Connection, states: Sequence[MailboxState]) -> None:
    refresh_states(connection, sender_ids={each.sender_id for each in states if each.sender_id})


def _record(connection: Connection, act: str, email: str, actor: str, detail: str) -> None:
    record_act(
        act,
        domain=connection.domain,
        connection=connection,
        actor_label=actor,
        object_ref=email,
        detail=detail,
    )
