"""Restore plan: which mailboxes get their original or an earlier signature back; makes no call, writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from integrations.models import Mailbox
from portal.models import Domain, User
from signatures.models import (
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    DeliveryState,
    Placement,
    Sender,
    Snapshot,
)
from signatures.releases.compose import Refusal
from signatures.senders.choice import Filters

from .digest import digest
from .mailbox_judgement import was_edited
from .permission import get_deliverable_connection
from .placements import get_account_keys, get_placements
from .plan_rows import PlanRow
from .planning import Plan, fill_opened, list_filtered, make_scope
from .restore_strategy import CONFLICT, GONE, NOT_EDITABLE, NOT_KEPT
from .status import follow_release
from .texts import EMPTY_SHA256, find_kept

CHUNK = 200  # originals of up to 65 kB each
ORIGINAL = ""  # as a target
BEFORE = "before"  # in a scope: what each mailbox held before the run that it names


@dataclass(frozen=True, slots=True)
class Target:
    """What to restore: a delivery's signature, those of an instant, what a run found, or else the originals."""

    at: datetime | None = None
    before_run: DeliveryRun | None = None
    delivery: Delivery | None = None

    def as_scope(self) -> dict[str, Any]:
        """Return it as it is stored in the run's scope."""
        if self.delivery is not None:
            return {"delivery": self.delivery.pk}
        if self.before_run is not None:
            return {"run": self.before_run.pk, "to": BEFORE}
        return {"to": self.at.isoformat()} if self.at is not None else {}


def plan_restore(
    domain: Domain,
    target: Target,
    *,
    actor: str,
    by: User | None = None,
    sender_ids: Sequence[int] | None = None,
    group_ids: Sequence[int] = (),
    of_run: DeliveryRun | None = None,
    overwrite_edits: bool = False,
) -> DeliveryRun:
    """Return a planned restore, for `start_delivery`: a row for each mailbox that would change or cannot.

    Takes what `open_restore` does. Compares with the mirror. Raises: DeliveryBlocked.
    """
    run = open_restore(
        domain,
        target,
        actor=actor,
        by=by,
        sender_ids=sender_ids,
        group_ids=group_ids,
        of_run=of_run,
        overwrite_edits=overwrite_edits,
    )
    return fill_restore(run.pk) or run


def open_restore(
    domain: Domain,
    target: Target,
    *,
    actor: str,
    by: User | None = None,
    sender_ids: Sequence[int] | None = None,
    group_ids: Sequence[int] = (),
    of_run: DeliveryRun | None = None,
    overwrite_edits: bool = False,
    filters: Filters | None = None,
) -> DeliveryRun:
    """Return a restore in state PLANNING, for `fill_restore`; it replaces the domain's earlier plans of restores.

    sender_ids, group_ids, of_run, filters: only their mailboxes. Raises: DeliveryBlocked.
    """
    connection = get_deliverable_connection(domain)
    scope = make_scope(sender_ids=sender_ids, group_ids=group_ids, filters=filters) | target.as_scope()
    if of_run is not None:
        scope["run"] = of_run.pk
    with transaction.atomic():
        _drop_plans(domain)
        return DeliveryRun.objects.create(
            domain=domain,
            connection=connection,
            kind=DeliveryRun.Kind.RESTORE,
            state=DeliveryRunState.PLANNING,
            queued_at=timezone.now(),
            started_by=by,
            started_by_label=actor,
            scope=scope,
            overwrites_edits=overwrite_edits,
        )


def fill_restore(run_id: int) -> DeliveryRun | None:
    """Return the restore, planned; None where somebody else plans it, or it was replaced meanwhile."""
    return fill_opened(run_id, DeliveryRun.Kind.RESTORE, _plan_chunks)


def _plan_chunks(run: DeliveryRun) -> Iterator[Plan]:
    follow_release(run.connection)  # it says who is in a group
    for snapshots in _list_snapshots(run):
        yield _plan_mailboxes(run, snapshots, _find_targets(run, snapshots))


def _drop_plans(domain: Domain) -> None:
    """Remove the domain's planned restores that nobody started."""
    plans = DeliveryRun.objects.filter(
        domain=domain,
        kind=DeliveryRun.Kind.RESTORE,
        state__in=[DeliveryRunState.PLANNING, DeliveryRunState.PLANNED],
    )
    Delivery.objects.filter(run__in=plans).delete()
    plans.delete()


def _list_snapshots(run: DeliveryRun) -> Iterator[list[Snapshot]]:
    """Yield the originals of the mailboxes in the run's scope; each mailbox that we ever wrote to has one."""
    rows = Snapshot.objects.filter(
        domain=run.domain_id, account_key__in=get_account_keys(run.connection)
    ).order_by("pk")
    scope = run.scope
    if "delivery" in scope:
        rows = rows.filter(
            mailbox_remote_id__in=Delivery.objects.filter(pk=scope["delivery"]).values("mailbox_remote_id")
        )
    if "run" in scope:
        written = Delivery.objects.filter(run=scope["run"], state=DeliveryState.DELIVERED)
        rows = rows.filter(mailbox_remote_id__in=written.values("mailbox_remote_id"))
    senders = _list_senders(run)
    if senders is not None:
        people = senders.values("person__remote_id")
        owned = Mailbox.objects.filter(connection=run.connection, person_remote_id__in=people)
        rows = rows.filter(mailbox_remote_id__in=owned.values("remote_id"))
    last = 0
    while chunk := list(rows.filter(pk__gt=last)[:CHUNK]):
        yield chunk
        last = chunk[-1].pk


def _list_senders(run: DeliveryRun) -> QuerySet[Sender] | None:
    senders = Sender.objects.filter(person__connection=run.connection)
    if "filters" in run.scope:
        return senders.filter(pk__in=list_filtered(run))
    if "senders" in run.scope:
        return senders.filter(pk__in=run.scope["senders"])
    return senders.filter(live_group__in=run.scope["groups"]) if "groups" in run.scope else None


def _find_targets(run: DeliveryRun, snapshots: Sequence[Snapshot]) -> dict[str, tuple[str, int | None]]:
    """Return mailbox id -> digest and template version to restore; the original where there is none."""
    ids = [snapshot.mailbox_remote_id for snapshot in snapshots]
    done = Delivery.objects.filter(
        run__connection=run.connection, mailbox_remote_id__in=ids, state=DeliveryState.DELIVERED
    ).order_by("finished_at", "id")
    scope = run.scope
    if "delivery" in scope:
        done = done.filter(pk=scope["delivery"])
    elif scope.get("to") == BEFORE:
        found = done.filter(run=scope["run"]).values_list("mailbox_remote_id", "found_sha256")
        return {mailbox_id: (sha256, None) for mailbox_id, sha256 in found if sha256}
    elif "to" in scope:
        done = done.filter(finished_at__lte=datetime.fromisoformat(scope["to"]))
    else:
        return {}
    rows = done.values_list("mailbox_remote_id", "rendered_sha256", "template_version")
    return {mailbox_id: (sha256, version_id) for mailbox_id, sha256, version_id in rows if sha256}


def _plan_mailboxes(
    run: DeliveryRun, snapshots: Sequence[Snapshot], targets: Mapping[str, tuple[str, int | None]]
) -> Plan:
    """Return a row for each of these mailboxes that does not hold its target, and how many do."""
    connection, ids = run.connection, [snapshot.mailbox_remote_id for snapshot in snapshots]
    mailboxes = {
        box.remote_id: box for box in Mailbox.objects.filter(connection=connection, remote_id__in=ids)
    }
    senders = dict(
        Sender.objects.filter(
            person__connection=connection,
            person__remote_id__in={box.person_remote_id for box in mailboxes.values()},
        ).values_list("person__remote_id", "pk")
    )
    placements = get_placements(connection, ids)
    kept = find_kept(run.domain_id, {sha256 for sha256, _ in targets.values()}) | {EMPTY_SHA256}
    plan = Plan()
    for snapshot in {each.mailbox_remote_id: each for each in snapshots}.values():
        mailbox_id, original = snapshot.mailbox_remote_id, digest(snapshot.original_html)
        sha256, version_id = targets.get(mailbox_id, (original, None))
        mailbox, placement = mailboxes.get(mailbox_id), placements.get(mailbox_id)
        if mailbox is not None and _get_held(mailbox, placement, snapshot) == sha256:
            plan.unchanged += 1
            continue
        refusal = _get_block_reason(
            run, mailbox, is_edited=mailbox is not None and was_edited(mailbox, placement)
        )
        if sha256 != original and sha256 not in kept:
            refusal = NOT_KEPT
        plan.rows.append(
            PlanRow(
                run_id=run.pk,
                mailbox_remote_id=mailbox_id,
                mailbox_email=mailbox.email if mailbox else snapshot.mailbox_email,
                person_remote_id=mailbox.person_remote_id if mailbox else "",
                sender_id=senders.get(mailbox.person_remote_id) if mailbox else None,
                template_version_id=version_id,
                target_sha256=ORIGINAL if sha256 == original else sha256,
                state=(DeliveryState.REFUSED if refusal else DeliveryState.PLANNED).value,
                reason_code=refusal.code if refusal else "",
                reason=refusal.reason if refusal else "",
            )
        )
    return plan


def _get_held(mailbox: Mailbox, placement: Placement | None, snapshot: Snapshot) -> str:
    """Return the digest of what the mailbox holds: the newest of what was read and what we wrote."""
    if mailbox.written_at is None or mailbox.read_at >= mailbox.written_at:
        return digest(mailbox.signature_html)
    if placement is not None:
        return placement.rendered_sha256
    return digest(snapshot.original_html if snapshot.restored_at else mailbox.signature_html)


def _get_block_reason(run: DeliveryRun, mailbox: Mailbox | None, *, is_edited: bool) -> Refusal | None:
    """Return why a mailbox cannot be restored, as far as the mirror tells; checked again before the write."""
    if mailbox is None or mailbox.retired_at is not None:
        return GONE
    if is_edited and not run.overwrites_edits:
        return CONFLICT
    return NOT_EDITABLE if mailbox.is_editable is False else None


def describe_target(run: DeliveryRun) -> str:
    """Return what a restore puts back, for the middle of a sentence."""
    scope = run.scope
    if "delivery" in scope:
        return "one earlier signature"
    if scope.get("to") == BEFORE:
        return f"what they held before delivery {scope['run']}"
    if "to" in scope:
        at = datetime.fromisoformat(scope["to"]).astimezone(ZoneInfo(run.domain.time_zone))
        return f"their signatures of {at:%-d %b %Y, %H:%M} ({run.domain.time_zone})"
    return "their original signatures"
