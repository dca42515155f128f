"""Delivery planning: which mailboxes would change, stay or cannot, compared with the mirror; nothing is called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from integrations.connection.lifecycle import get_connection
from integrations.models import Connection, Mailbox
from portal.leases import Lease, LeaseLost, is_free
from portal.models import Domain, User
from signatures.authoring.compose import Composed, Composer, Refusal
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, DeliveryState, Placement, Sender

from .base import DeliveryBlocked
from .digest import digest
from .permission import say_why_unreadable
from .placements import get_placements, get_restored

PLAN_LEASE = timedelta(seconds=120)  # longer than a chunk of 500 senders can take
CHUNK = 500

EDITED = Refusal(
    "edited",
    "This signature was edited in Outreach since the last delivery, so the edit is kept. "
    "Choose “Overwrite manual edits” to replace it.",
)
RESTORED = Refusal(
    "restored",
    "The original was restored, so it is kept. A delivery started by a person writes the signature again.",
)
NOT_EDITABLE = Refusal(
    "not_editable",
    "The mailbox is not shared with the integration user. Share it in Outreach.",
)
LOCK_UNKNOWN = Refusal(
    "lock_unknown",
    "Outreach did not report whether this person is locked, so nothing is written.",
)
EDITABLE_UNKNOWN = Refusal(
    "editable_unknown",
    "Outreach did not report whether the integration user may edit this mailbox, so nothing is written.",
)


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
    sender_ids: Sequence[int] | None = None,
    keeps_restored: bool = False,
) -> DeliveryRun:
    """Return a planned run: a row for each mailbox that would change or cannot, and counts of the rest.

    sender_ids: only these; None for the whole domain, which replaces its earlier plans. Calls nobody.
    keeps_restored: leave mailboxes alone that were given their original back since our last write.
    Raises: DeliveryBlocked.
    """
    run = open_plan(domain, actor=actor, by=by, overwrite_edits=overwrite_edits, is_whole=sender_ids is None)
    return fill_plan(run.pk, sender_ids=sender_ids, keeps_restored=keeps_restored) or run


def open_plan(
    domain: Domain,
    *,
    actor: str,
    by: User | None = None,
    overwrite_edits: bool = False,
    is_whole: bool = True,
) -> DeliveryRun:
    """Return a run in state PLANNING, for `fill_plan`. is_whole: it replaces the domain's earlier plans.

    Raises: DeliveryBlocked.
    """
    connection = get_connection(domain)
    why_not = say_why_unreadable(connection)
    if connection is None or why_not:
        raise DeliveryBlocked(why_not)
    if is_whole:
        drop_plans(domain)
    return DeliveryRun.objects.create(
        domain=domain,
        connection=connection,
        state=DeliveryRunState.PLANNING,
        queued_at=timezone.now(),
        started_by=by,
        started_by_label=actor,
        overwrites_edits=overwrite_edits,
        covers_until=timezone.now() if is_whole else None,
    )


def fill_plan(
    run_id: int, *, sender_ids: Sequence[int] | None = None, keeps_restored: bool = False
) -> DeliveryRun | None:
    """Return the run, planned; None where somebody else plans it, or it was replaced meanwhile.

    A plan whose process died is begun anew. The lease is renewed chunk by chunk.
    """
    due = Q(state=DeliveryRunState.PLANNING, kind=DeliveryRun.Kind.DELIVER) & is_free()
    lease = Lease.take(DeliveryRun, run_id, due, lasts=PLAN_LEASE)
    if lease is None:
        return None
    with suppress(LeaseLost):
        return _fill(run_id, lease, sender_ids, keeps_restored=keeps_restored)
    return None


def _fill(
    run_id: int, lease: Lease, sender_ids: Sequence[int] | None, *, keeps_restored: bool
) -> DeliveryRun:
    run = DeliveryRun.objects.select_related("domain", "connection").get(pk=run_id)
    Delivery.objects.filter(run=run).delete()
    counts: dict[str, Any] = dict.fromkeys(("planned", "refused", "unchanged", "left_out"), 0)
    for plan in plan_chunks(run, sender_ids, keeps_restored=keeps_restored):
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


def plan_chunks(
    run: DeliveryRun, sender_ids: Sequence[int] | None, *, keeps_restored: bool
) -> Iterator[Plan]:
    """Yield the plan in chunks of 500 senders; memory does not grow with the domain.

    sender_ids: only these; None for all of the connection's. Reads the mirror, calls nobody.
    keeps_restored: mailboxes that were given their original back keep it.
    """
    composer = Composer(run.domain)
    for senders in _sender_chunks(run.connection, sender_ids):
        composer.load(senders)
        yield _plan_chunk(run, senders, composer, keeps_restored=keeps_restored)


def _sender_chunks(connection: Connection, sender_ids: Sequence[int] | None) -> Iterator[list[Sender]]:
    rows = (
        Sender.objects.filter(person__connection=connection).select_related("person", "group").order_by("pk")
    )
    if sender_ids is not None:
        ordered = sorted(set(sender_ids))
        for start in range(0, len(ordered), CHUNK):
            yield list(rows.filter(pk__in=ordered[start : start + CHUNK]))
        return
    last = 0
    while chunk := list(rows.filter(pk__gt=last)[:CHUNK]):
        yield chunk
        last = chunk[-1].pk


def _plan_chunk(run: DeliveryRun, senders: list[Sender], composer: Composer, *, keeps_restored: bool) -> Plan:
    plan = Plan()
    by_person: dict[str, list[Mailbox]] = {}
    mailboxes = Mailbox.objects.filter(
        connection=run.connection,
        person_remote_id__in=[sender.person.remote_id for sender in senders],
        retired_at=None,
    ).order_by("pk")
    for mailbox in mailboxes:
        by_person.setdefault(mailbox.person_remote_id, []).append(mailbox)
    ids = [mailbox.remote_id for mailbox in mailboxes]
    placements = get_placements(run.connection, ids)
    kept = get_restored(run.connection, ids) if keeps_restored else set()
    for sender in senders:
        owned = by_person.get(sender.person.remote_id, [])
        if not sender.is_active and not sender.is_lock_unknown:
            plan.left_out += len(owned)
            continue
        composed = composer.compose(sender) if owned else None
        for mailbox in owned:
            found = RESTORED if mailbox.remote_id in kept else composed
            _plan_mailbox(plan, run, sender, mailbox, found, placements.get(mailbox.remote_id))
    return plan


def _plan_mailbox(
    plan: Plan,
    run: DeliveryRun,
    sender: Sender,
    mailbox: Mailbox,
    composed: Composed | Refusal | None,
    placement: Placement | None,
) -> None:
    refusal = say_why_closed(sender, mailbox.is_editable)
    if refusal is None and isinstance(composed, Refusal):
        refusal = composed
    if refusal is None and isinstance(composed, Composed):
        if is_in_place(composed.rendered.sha256, mailbox, placement):
            plan.unchanged += 1
            return
        if was_edited(mailbox, placement) and not run.overwrites_edits:
            refusal = EDITED
    plan.rows.append(
        Delivery(
            run=run,
            mailbox_remote_id=mailbox.remote_id,
            mailbox_email=mailbox.email,
            person_remote_id=mailbox.person_remote_id,
            sender=sender,
            template_version_id=composed.version_id if isinstance(composed, Composed) else None,
            state=DeliveryState.REFUSED if refusal else DeliveryState.PLANNED,
            reason_code=refusal.code if refusal else "",
            reason=refusal.reason if refusal else "",
        )
    )


def say_why_closed(sender: Sender, is_editable: bool | None) -> Refusal | None:
    """Return why nothing may be written to this mailbox of an active sender, or None where it may.

    is_editable: of the mailbox, None where Outreach did not say.
    """
    if sender.is_lock_unknown:
        return LOCK_UNKNOWN
    if is_editable is None:
        return EDITABLE_UNKNOWN
    return None if is_editable else NOT_EDITABLE


def is_in_place(rendered_sha256: str, mailbox: Mailbox, placement: Placement | None) -> bool:
    """Return whether the mailbox holds this signature, as far as the mirror and our own replies tell.

    A mirror row read before our write says nothing about what it became; the reply did.
    """
    held = digest(mailbox.signature_html)
    if held == rendered_sha256:
        return (
            placement is None or mailbox.read_at >= placement.placed_at or placement.rendered_sha256 == held
        )
    if placement is None or placement.rendered_sha256 != rendered_sha256:
        return False
    return mailbox.read_at < placement.placed_at or held == placement.returned_sha256


def was_edited(mailbox: Mailbox, placement: Placement | None) -> bool:
    """Return whether the mirror, read after our write, shows something else than the reply to it."""
    if placement is None or mailbox.read_at < placement.placed_at:
        return False
    return digest(mailbox.signature_html) != placement.returned_sha256
