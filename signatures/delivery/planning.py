"""What a delivery would do, from the mirror alone: who changes, who stays, who cannot and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from integrations.models import Connection, Mailbox
from signatures.authoring.compose import Composed, Composer, Refusal
from signatures.models import Delivery, DeliveryRun, DeliveryState, Placement, Sender

from .digest import digest
from .placements import get_placements, get_restored

CHUNK = 500

EDITED = Refusal(
    "edited",
    "Somebody edited this signature in Outreach since we wrote it, so theirs is kept. "
    "Deliver with “overwrite edits” to replace it.",
)
RESTORED = Refusal(
    "restored",
    "Its original was put back, so it stays. A delivery that a person starts writes the signature again.",
)
NOT_EDITABLE = Refusal(
    "not_editable",
    "Outreach does not let our account edit this mailbox. Share it with that account in Outreach.",
)
LOCK_UNKNOWN = Refusal(
    "lock_unknown",
    "Outreach did not say whether this person is locked, so nothing is written until it does.",
)
EDITABLE_UNKNOWN = Refusal(
    "editable_unknown",
    "Outreach did not say whether our account may edit this mailbox, so nothing is written until it does.",
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
