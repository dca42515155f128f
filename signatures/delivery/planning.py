"""Delivery planning: which mailboxes would change, stay or cannot, from their stored status; nothing is called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from integrations.connection.lifecycle import get_connection
from portal.leases import Lease, LeaseLost, is_free
from portal.models import Domain, User
from signatures.models import (
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    DeliveryState,
    MailboxState,
    MailboxStatus,
)
from signatures.releases.compose import NOTHING_PUBLISHED, Refusal
from signatures.releases.live import get_live

from .base import DeliveryBlocked
from .permission import say_why_unreadable
from .status import CHUNK, follow_release, say_why_closed

PLAN_LEASE = timedelta(seconds=120)  # longer than a chunk of 500 senders can take

EDITED = Refusal(
    "edited",
    "This signature was edited in Outreach since the last delivery, so the edit is kept. "
    "Choose “Overwrite manual edits” to replace it.",
)
LEFT_ALONE = Refusal(
    "left_alone",
    "This mailbox is left alone: its original was restored, or an edit in Outreach was kept.",
)
IN_PLACE = (MailboxStatus.UP_TO_DATE, MailboxStatus.ALTERED)
HAND_EDITS = (MailboxStatus.EDITED, MailboxStatus.EMPTIED)


@dataclass(slots=True)
class Plan:
    """One chunk's outcome: rows to store, and counts of those that need none."""

    rows: list[Delivery] = field(default_factory=list)
    unchanged: int = 0
    left_out: int = 0

    @property
    def planned(self) -> int:
        return sum(row.state == DeliveryState.PLANNED for row in self.rows)


def plan_delivery(
    domain: Domain,
    *,
    actor: str,
    by: User | None = None,
    overwrite_edits: bool = False,
    overwrite_left_alone: bool = False,
    sender_ids: Sequence[int] | None = None,
) -> DeliveryRun:
    """Return a planned run: a row for each mailbox that would change or cannot, and counts of the rest.

    Compares with the live release. sender_ids: only these; None for the whole domain, which replaces its
    earlier plans. overwrite_left_alone: also mailboxes that were restored, or whose edit was kept. Calls nobody.
    Raises: DeliveryBlocked.
    """
    run = open_plan(
        domain,
        actor=actor,
        by=by,
        overwrite_edits=overwrite_edits,
        overwrite_left_alone=overwrite_left_alone,
        is_whole=sender_ids is None,
    )
    return fill_plan(run.pk, sender_ids=sender_ids) or run


def open_plan(
    domain: Domain,
    *,
    actor: str,
    by: User | None = None,
    overwrite_edits: bool = False,
    overwrite_left_alone: bool = False,
    is_whole: bool = True,
) -> DeliveryRun:
    """Return a run in state PLANNING, for `fill_plan`. is_whole: it replaces the domain's earlier plans.

    Raises: DeliveryBlocked.
    """
    connection = get_connection(domain)
    why_not = say_why_unreadable(connection)
    if connection is None or why_not:
        raise DeliveryBlocked(why_not)
    release = get_live(domain)
    if release is None:
        raise DeliveryBlocked(NOTHING_PUBLISHED.reason)
    if is_whole:
        drop_plans(domain)
    return DeliveryRun.objects.create(
        domain=domain,
        connection=connection,
        state=DeliveryRunState.PLANNING,
        queued_at=timezone.now(),
        started_by=by,
        started_by_label=actor,
        release=release,
        overwrites_edits=overwrite_edits,
        overwrites_left_alone=overwrite_left_alone,
        covers_until=timezone.now() if is_whole else None,
    )


def fill_plan(run_id: int, *, sender_ids: Sequence[int] | None = None) -> DeliveryRun | None:
    """Return the run, planned; None where somebody else plans it, or it was replaced meanwhile.

    A plan whose process died is begun anew. The lease is renewed chunk by chunk.
    """
    due = Q(state=DeliveryRunState.PLANNING, kind=DeliveryRun.Kind.DELIVER) & is_free()
    lease = Lease.take(DeliveryRun, run_id, due, lasts=PLAN_LEASE)
    if lease is None:
        return None
    with suppress(LeaseLost):
        return _fill(run_id, lease, sender_ids)
    return None


def _fill(run_id: int, lease: Lease, sender_ids: Sequence[int] | None) -> DeliveryRun:
    run = DeliveryRun.objects.select_related("domain", "connection__domain", "release").get(pk=run_id)
    Delivery.objects.filter(run=run).delete()
    follow_release(run.connection)
    counts: dict[str, Any] = dict.fromkeys(("planned", "refused", "unchanged", "left_out"), 0)
    for plan in plan_chunks(run, sender_ids):
        counts["planned"] += plan.planned
        counts["refused"] += len(plan.rows) - plan.planned
        counts["unchanged"] += plan.unchanged
        counts["left_out"] += plan.left_out
        with transaction.atomic():
            lease.renew(**counts)
            Delivery.objects.bulk_create(plan.rows, batch_size=200)
    lease.release(state=DeliveryRunState.PLANNED, **counts)
    run.refresh_from_db()
    return run


def drop_plans(domain: Domain) -> None:
    """Remove the domain's plans that nobody started."""
    plans = DeliveryRun.objects.filter(
        domain=domain,
        kind=DeliveryRun.Kind.DELIVER,
        state__in=[DeliveryRunState.PLANNING, DeliveryRunState.PLANNED],
    )
    Delivery.objects.filter(run__in=plans).delete()
    plans.delete()


def drop_run(run: DeliveryRun) -> None:
    """Remove a plan that was only looked at."""
    Delivery.objects.filter(run=run).delete()
    run.delete()


def plan_chunks(run: DeliveryRun, sender_ids: Sequence[int] | None) -> Iterator[Plan]:
    """Yield the plan in chunks of at most 500 mailboxes that would change or cannot, from their stored status.

    sender_ids: only these; None for all of the connection's. Renders nothing that is rendered already, calls nobody.
    """
    states = MailboxState.objects.filter(mailbox__connection=run.connection, mailbox__retired_at=None)
    if sender_ids is None:
        yield from _plan_states(run, states)
        return
    ordered = sorted(set(sender_ids))
    for start in range(0, len(ordered), CHUNK):
        yield from _plan_states(run, states.filter(sender__in=ordered[start : start + CHUNK]))


def _plan_states(run: DeliveryRun, states: QuerySet[MailboxState]) -> Iterator[Plan]:
    counts = dict(states.order_by().values_list("status").annotate(number=Count("pk")))
    yield Plan(
        unchanged=sum(counts.get(status, 0) for status in IN_PLACE),
        left_out=counts.get(MailboxStatus.INACTIVE, 0),
    )
    differing = (
        states.exclude(status__in=[*IN_PLACE, MailboxStatus.INACTIVE])
        .select_related("mailbox", "sender__person")
        .defer("mailbox__signature_html")
        .order_by("sender_id", "pk")
    )
    behind = Q()
    while chunk := list(differing.filter(behind)[:CHUNK]):
        last = chunk[-1]
        behind = Q(sender_id__gt=last.sender_id) | Q(sender_id=last.sender_id, pk__gt=last.pk)
        yield Plan([_plan_mailbox(run, state) for state in chunk])


def _plan_mailbox(run: DeliveryRun, state: MailboxState) -> Delivery:
    refusal, mailbox = _say_why_not(run, state), state.mailbox
    return Delivery(
        run=run,
        mailbox_remote_id=mailbox.remote_id,
        mailbox_email=mailbox.email,
        person_remote_id=mailbox.person_remote_id,
        sender=state.sender,
        template_version_id=state.version_id,
        state=DeliveryState.REFUSED if refusal else DeliveryState.PLANNED,
        reason_code=refusal.code if refusal else "",
        reason=refusal.reason if refusal else "",
    )


def _say_why_not(run: DeliveryRun, state: MailboxState) -> Refusal | None:
    """Return why a mailbox that does not hold its signature cannot get it by this run, or None where it can."""
    if state.status == MailboxStatus.LEFT_ALONE and not run.overwrites_left_alone:
        return LEFT_ALONE
    if state.status in HAND_EDITS and not run.overwrites_edits:
        return EDITED
    closed = say_why_closed(state.sender, state.mailbox.is_editable) if state.sender else None
    if closed or state.status != MailboxStatus.ACTION_NEEDED or state.is_attempt:
        return closed  # what Outreach refused last time is tried again
    return Refusal(state.reason_code, state.reason)
