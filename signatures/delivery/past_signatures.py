"""Past signatures: which signature a person's mailboxes held at an instant, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from integrations.models import Mailbox
from signatures.models import Delivery, DeliveryRun, DeliveryState, Sender, Snapshot
from signatures.releases.explanation import explain_on
from signatures.releases.live import get_content

from .automatic import AUTOMATIC
from .texts import find_kept


@dataclass(frozen=True, slots=True)
class Held:
    """What one mailbox held. delivery: the last confirmed write before, or None; sha256: of its text, '' if not kept.

    is_original: nothing had been written yet. why: the reason of the write, as a sentence. group, assigned: the one
    that the release of that write gives the person, who is taken as they are today, and how the template was assigned;
    '' where it gives none.
    """

    mailbox_email: str
    delivery: Delivery | None
    sha256: str = ""
    is_original: bool = False
    why: str = ""
    group: str = ""
    assigned: str = ""


def list_held(sender: Sender, at: datetime) -> list[Held]:
    """Return what each mailbox of a sender (person loaded) held at an instant, as far as deliveries are kept."""
    connection = sender.person.connection
    theirs = Mailbox.objects.filter(
        connection=connection, person_remote_id=sender.person.remote_id, retired_at=None
    )
    mailboxes = dict(theirs.order_by("email").values_list("remote_id", "email"))
    written = Delivery.objects.filter(
        run__domain=sender.domain_id,
        mailbox_remote_id__in=mailboxes,
        state=DeliveryState.DELIVERED,
        finished_at__lte=at,
    ).select_related("run__release", "template_version__template")
    last = {row.mailbox_remote_id: row for row in written.order_by("finished_at", "pk")}
    kept = find_kept(sender.domain_id, [row.rendered_sha256 for row in last.values()])
    begun = _list_begun(sender, mailboxes, at)
    return [_describe(sender, email, last.get(id), kept, id in begun) for id, email in mailboxes.items()]


def _list_begun(sender: Sender, mailbox_ids: Iterable[str], at: datetime) -> set[str]:
    """Return the mailboxes that had been written before, even if those deliveries are not kept any more."""
    snapshots = Snapshot.objects.filter(
        domain=sender.domain_id, mailbox_remote_id__in=mailbox_ids, taken_at__lte=at
    )
    return set(snapshots.values_list("mailbox_remote_id", flat=True))


def _describe(sender: Sender, email: str, delivery: Delivery | None, kept: set[str], has_begun: bool) -> Held:
    if delivery is None:
        return Held(email, None, is_original=not has_begun)
    run, sha256 = delivery.run, delivery.rendered_sha256
    if run.kind == DeliveryRun.Kind.RESTORE:
        why = "An earlier signature was restored."
    elif run.started_by_label == AUTOMATIC:
        why = "New directory values, carried by automatic delivery."
    else:
        why = "Somebody delivered the release."
    group, assigned = _explain(sender, delivery) if run.release else ("", "")
    return Held(email, delivery, sha256 if sha256 in kept else "", False, why, group, assigned)


def _explain(sender: Sender, delivery: Delivery) -> tuple[str, str]:
    """Return the group that the release of a write gives the sender, and why the template, both on its day."""
    content, written = get_content(delivery.run.release), delivery.finished_at or delivery.run.created_at
    why = explain_on(content, sender, written.astimezone(ZoneInfo(sender.domain.time_zone)).date())
    group = content.group_by_id.get(why.group_id or 0)
    return group.name if group else "", why.template_why
