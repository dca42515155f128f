"""Delivery planning: which mailboxes would change, stay or are blocked, from their stored status; makes no call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from portal.leases import Lease, LeaseLost, is_free
from portal.models import Domain, User
from signatures.models import (
    HAND_EDITS,
    IN_PLACE,
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    DeliveryState,
    MailboxState,
    MailboxStatus,
    Sender,
)
from signatures.releases.compose import NOTHING_PUBLISHED, Refusal
from signatures.releases.live import get_live
from signatures.senders.choice import Filters, find_chosen

from .active_mailboxes import find_other_runs, list_other_runs
from .base import DeliveryBlocked
from .mailbox_judgement import get_mailbox_block_reason
from .permission import get_deliverable_connection
from .plan_rows import PlanRow, StateRow, read_states, store_plan_rows
from .status import CHUNK, follow_release

PLAN_LEASE = timedelta(seconds=120)  # a chunk of 500 senders takes less

EDITED = Refusal(
    "edited",
    "This signature was edited in Outreach since the last delivery, so the edit is kept. "
    "Choose “Overwrite manual edits” to replace it.",
)
LEFT_ALONE = Refusal(
    "left_alone",
    "This mailbox is left alone: its original was restored, or an edit in Outreach was kept.",
)
LEFT_OUT = Refusal("left_out", "Somebody left this mailbox out of the plan.")
OTHER_RUN_CODE = "in_other_run"
SETTLED = (*IN_PLACE, MailboxStatus.INACTIVE)  # what no plan writes
WITHOUT = "without"  # in a run's scope: mailboxes that somebody left out of the plan
CHOSEN_BY = {"senders": "sender__in", "mailboxes": "mailbox__remote_id__in"}


@dataclass(slots=True)
class Plan:
    """One chunk's outcome: rows to store, and counts of those that need none."""

    rows: list[PlanRow] = field(default_factory=list)
    unchanged: int = 0
    left_out: int = 0

    @property
    def planned(self) -> int:
        return sum(row.state == DeliveryState.PLANNED for row in self.rows)

    @property
    def refused(self) -> int:
        return sum(row.state == DeliveryState.REFUSED for row in self.rows)

    def cut(self, number: int) -> None:
        """Leave out whatever comes after so many mailboxes that would change."""
        changing = [at for at, row in enumerate(self.rows) if row.state == DeliveryState.PLANNED]
        if len(changing) > number:
            self.rows = self.rows[: changing[number]]


def plan_delivery(
    domain: Domain,
    *,
    actor: str,
    by: User | None = None,
    overwrite_edits: bool = False,
    overwrite_left_alone: bool = False,
    sender_ids: Sequence[int] | None = None,
    group_ids: Sequence[int] = (),
    mailbox_ids: Sequence[str] | None = None,
    first: int | None = None,
) -> DeliveryRun:
    """Return a planned run: a row for each mailbox that would change or is blocked, and counts of the rest.

    Compares with the live release. sender_ids, group_ids, mailbox_ids (Outreach's): only these; none of them for
    the whole domain, which replaces its earlier plans. first: so many mailboxes at most. overwrite_left_alone:
    also mailboxes that were restored, or whose edit was kept. Makes no call.
    Raises: DeliveryBlocked.
    """
    run = open_plan(
        domain,
        actor=actor,
        by=by,
        overwrite_edits=overwrite_edits,
        overwrite_left_alone=overwrite_left_alone,
        scope=make_scope(sender_ids=sender_ids, group_ids=group_ids, mailbox_ids=mailbox_ids, first=first),
    )
    return fill_plan(run.pk) or run


def make_scope(
    *,
    sender_ids: Sequence[int] | None = None,
    group_ids: Sequence[int] = (),
    mailbox_ids: Sequence[str] | None = None,
    first: int | None = None,
    filters: Filters | None = None,
) -> dict[str, Any]:
    """Return whom a delivery is for, as its run keeps it; {} for everybody.

    filters: of the list of senders, for all that they find whenever the run is planned.
    """
    scope: dict[str, Any] = {} if filters is None else {"filters": dict(filters)}
    if sender_ids is not None:
        scope["senders"] = sorted(sender_ids)
    if group_ids:
        scope["groups"] = sorted(group_ids)
    if mailbox_ids is not None:
        scope["mailboxes"] = sorted(mailbox_ids)
    if first is not None:
        scope["first"] = first
    return scope


def open_plan(
    domain: Domain,
    *,
    actor: str,
    by: User | None = None,
    overwrite_edits: bool = False,
    overwrite_left_alone: bool = False,
    scope: Mapping[str, Any] | None = None,
) -> DeliveryRun:
    """Return a run in state PLANNING, for `fill_plan`; one for everybody replaces the domain's earlier plans.

    scope: as `make_scope` makes it. Raises: DeliveryBlocked.
    """
    connection = get_deliverable_connection(domain)
    release = get_live(domain)
    if release is None:
        raise DeliveryBlocked(NOTHING_PUBLISHED.reason)
    if not scope:
        drop_plans(domain)
    return DeliveryRun.objects.create(
        domain=domain,
        connection=connection,
        state=DeliveryRunState.PLANNING,
        queued_at=timezone.now(),
        started_by=by,
        started_by_label=actor,
        release=release,
        scope=scope or {},
        overwrites_edits=overwrite_edits,
        overwrites_left_alone=overwrite_left_alone,
        covers_until=None if scope else timezone.now(),
    )


def fill_plan(run_id: int) -> DeliveryRun | None:
    """Return the delivery, planned; None where somebody else plans it, or it was replaced meanwhile."""
    return fill_opened(run_id, DeliveryRun.Kind.DELIVER, _plan_chunks)


def fill_opened(
    run_id: int, kind: DeliveryRun.Kind, plan: Callable[[DeliveryRun], Iterator[Plan]]
) -> DeliveryRun | None:
    """Return the opened run of this kind with the rows of `plan`, planned; None where another process fills it.

    A plan whose process died is started again. The lease is renewed chunk by chunk.
    """
    due = Q(state=DeliveryRunState.PLANNING, kind=kind) & is_free()
    lease = Lease.take(DeliveryRun, run_id, due, lasts=PLAN_LEASE)
    if lease is None:
        return None
    run = DeliveryRun.objects.select_related("domain", "connection__domain", "release").get(pk=run_id)
    with suppress(LeaseLost), lease.kept():
        return _fill(run, lease, plan(run))
    return None


def _fill(run: DeliveryRun, lease: Lease, chunks: Iterator[Plan]) -> DeliveryRun:
    Delivery.objects.filter(run=run).delete()
    counts: dict[str, Any] = dict.fromkeys(("planned", "refused", "unchanged", "left_out"), 0)
    for plan in chunks:
        counts["planned"] += plan.planned
        counts["refused"] += plan.refused
        counts["unchanged"] += plan.unchanged
        counts["left_out"] += plan.left_out
        with transaction.atomic():
            lease.renew(**counts)
            store_plan_rows(plan.rows)
    lease.release(state=DeliveryRunState.PLANNED, **counts)
    run.refresh_from_db()
    return run


def count_changed_since(run: DeliveryRun) -> int:
    """Return how many mailboxes of a plan changed since it was made: their status, or their owner's values."""
    changed, chosen = _only_changed(run, _find_states(run)), _get_chosen(run)
    if chosen is None:
        return changed.count()
    wanted = set(
        run.scope[chosen]
    )  # may be 100,000: what changed is looked up in them, not the other way round
    of = changed.order_by().values_list(CHOSEN_BY[chosen].removesuffix("__in"), flat=True)
    return sum(each in wanted for each in of.iterator(chunk_size=2_000))


def plan_changed_again(run: DeliveryRun) -> DeliveryRun:
    """Plan those mailboxes again that changed since the plan was made; the other rows stay.

    A plan limited to a number of mailboxes is made again as a whole. Raises: DeliveryBlocked, where it was started.
    """
    live = get_live(run.domain)
    if live is None or live.pk != run.release_id:
        raise DeliveryBlocked(f"{run.release} is not the live one any more. Plan a new delivery.")
    plans = DeliveryRun.objects.filter(
        pk=run.pk, kind=DeliveryRun.Kind.DELIVER, state=DeliveryRunState.PLANNED
    )
    if "first" in run.scope:
        plans.update(state=DeliveryRunState.PLANNING, queued_at=timezone.now(), created_at=timezone.now())
        return fill_plan(run.pk) or run
    with transaction.atomic():
        now = timezone.now()
        if plans.update(created_at=now, covers_until=now if run.covers_until else None) != 1:
            raise DeliveryBlocked("This plan was started or replaced meanwhile. Plan again.")
        unchanged = left_out = 0
        for states in _list_states(run):
            changed = _only_changed(run, states)
            run.deliveries.filter(mailbox_remote_id__in=changed.values("mailbox__remote_id")).delete()
            for plan in _plan_states(run, changed):
                store_plan_rows(plan.rows)
            whole = next(_plan_states(run, states))
            unchanged, left_out = unchanged + whole.unchanged, left_out + whole.left_out
        plans.update(
            planned=run.deliveries.filter(state=DeliveryState.PLANNED).count(),
            refused=run.deliveries.filter(state=DeliveryState.REFUSED).count(),
            unchanged=unchanged,
            left_out=left_out,
        )
    run.refresh_from_db()
    return run


def _only_changed(run: DeliveryRun, states: QuerySet[MailboxState]) -> QuerySet[MailboxState]:
    return states.filter(Q(since__gt=run.created_at) | Q(sender__changed_at__gt=run.created_at))


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
    """Remove a plan that nobody started."""
    Delivery.objects.filter(run=run).delete()
    run.delete()


def _plan_chunks(run: DeliveryRun) -> Iterator[Plan]:
    """Yield the plan in chunks of at most 500 mailboxes that would change or are blocked, from their stored status.

    It ends where as many mailboxes as the run's scope asks for are planned. Renders nothing that is rendered
    already, makes no call.
    """
    follow_release(run.connection)
    left = run.scope.get("first")
    for states in _list_states(run):
        for plan in _plan_states(run, states):
            if left is not None:
                plan.cut(left)
                left -= plan.planned
            yield plan
            if left == 0:
                return


def _find_states(run: DeliveryRun) -> QuerySet[MailboxState]:
    """Return the states of the mailboxes of the run's connection, groups and filters."""
    states = MailboxState.objects.filter(
        domain=run.domain, mailbox__connection=run.connection, mailbox__retired_at=None
    )
    if "groups" in run.scope:
        states = states.filter(sender__live_group__in=run.scope["groups"])
    if "filters" in run.scope:
        states = states.filter(sender__in=list_filtered(run))
    return states


def _get_chosen(run: DeliveryRun) -> str | None:
    """Return by what the run's mailboxes were chosen one by one, or None."""
    return next((name for name in CHOSEN_BY if name in run.scope), None)


def _list_states(run: DeliveryRun) -> Iterator[QuerySet[MailboxState]]:
    """Yield the states of the mailboxes that the run's scope names, of at most 500 that were chosen at a time."""
    states, chosen = _find_states(run), _get_chosen(run)
    if chosen is None:
        yield states
        return
    ordered = sorted(set(run.scope[chosen]))
    for start in range(0, len(ordered), CHUNK):
        yield states.filter(**{CHOSEN_BY[chosen]: ordered[start : start + CHUNK]})


def list_filtered(run: DeliveryRun) -> QuerySet[Sender, int]:
    """Return ids of the senders that the filters in a run's scope find now."""
    found = find_chosen(run.domain, run.connection, filters=run.scope["filters"])
    return found.order_by().values_list("pk", flat=True)


def _plan_states(run: DeliveryRun, states: QuerySet[MailboxState]) -> Iterator[Plan]:
    counts = dict(states.order_by().values_list("status").annotate(number=Count("pk")))
    yield Plan(
        unchanged=sum(counts.get(status, 0) for status in IN_PLACE),
        left_out=counts.get(MailboxStatus.INACTIVE, 0),
    )
    differing = states.exclude(status__in=SETTLED).order_by("sender_id", "pk").values_list("pk", flat=True)
    # Ids alone, sorted once: each chunk sorted what is left, which grew with the square of a large domain.
    ids, others = list(differing), list_other_runs(run)
    for start in range(0, len(ids), CHUNK):
        rows = read_states(ids[start : start + CHUNK])
        remote_ids = [row.mailbox__remote_id for row in rows] if others else []
        busy = find_other_runs(run.connection, others, remote_ids)
        statuses = Counter(row.status for row in rows)  # some may have changed since
        yield Plan(
            [
                _plan_mailbox(run, row, busy.get(row.mailbox__remote_id))
                for row in rows
                if row.status not in SETTLED
            ],
            unchanged=sum(statuses[status] for status in IN_PLACE),
            left_out=statuses[MailboxStatus.INACTIVE],
        )


def _plan_mailbox(run: DeliveryRun, row: StateRow, other_run_id: int | None) -> PlanRow:
    refusal = _get_block_reason(run, row) if other_run_id is None else _leave_to(other_run_id)
    planned = DeliveryState.REFUSED if refusal else DeliveryState.PLANNED
    if refusal is None and row.mailbox__remote_id in run.scope.get(WITHOUT, ()):
        refusal, planned = LEFT_OUT, DeliveryState.SKIPPED
    return PlanRow(
        run_id=run.pk,
        mailbox_remote_id=row.mailbox__remote_id,
        mailbox_email=row.mailbox__email,
        person_remote_id=row.mailbox__person_remote_id,
        sender_id=row.sender_id,
        template_version_id=row.version_id,
        state=planned.value,
        reason_code=refusal.code if refusal else "",
        reason=refusal.reason if refusal else "",
    )


def _leave_to(run_id: int) -> Refusal:
    return Refusal(
        OTHER_RUN_CODE, f"Delivery {run_id} is writing to this mailbox, so this one leaves it out."
    )


def _get_block_reason(run: DeliveryRun, row: StateRow) -> Refusal | None:
    """Return why this run cannot write a mailbox that does not hold its signature, or None where it can."""
    if row.status == MailboxStatus.LEFT_ALONE and not run.overwrites_left_alone:
        return LEFT_ALONE
    if row.status in HAND_EDITS and not run.overwrites_edits:
        return EDITED
    closed = None
    if row.sender_id is not None:
        closed = get_mailbox_block_reason(
            is_lock_unknown=row.is_lock_unknown, is_editable=row.mailbox__is_editable
        )
    if closed or row.status != MailboxStatus.ACTION_NEEDED or row.is_attempt:
        return closed  # refused by Outreach last time, and tried again
    return Refusal(row.reason_code, row.reason)
