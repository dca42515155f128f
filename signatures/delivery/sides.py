"""Sides: finds what a mailbox held before one delivery, and what it holds after it."""

from __future__ import annotations

from dataclasses import dataclass

from integrations.models import Mailbox
from signatures.models import Delivery, DeliveryRun, DeliveryState, Snapshot
from signatures.releases.compose import Composer, Refusal
from signatures.releases.live import get_content, get_live

from .placements import get_snapshots
from .texts import find_text

NOT_KEPT = "The text that was sent has been deleted."


@dataclass(frozen=True, slots=True)
class Side:
    """One signature, and a sentence that says where it comes from.

    html: '' for no signature, None where there is nothing to show. sha256: '' where the text is not kept.
    """

    html: str | None
    caption: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Sides:
    """What a mailbox holds before a delivery and after it.

    returned: digest of what Outreach made of what was sent, where that differs and is kept.
    """

    before: Side
    after: Side
    returned: str = ""


def find_sides(delivery: Delivery) -> Sides:
    """Return the two sides of one delivery. Needs run with its connection, and sender with person and domain."""
    return Sides(_find_before(delivery), _find_after(delivery), _find_returned(delivery))


def _find_before(delivery: Delivery) -> Side:
    if delivery.found_sha256:
        found = find_text(delivery.run.domain_id, delivery.found_sha256)
        if found is not None:
            return Side(found, "What the mailbox held just before this write.", delivery.found_sha256)
    if delivery.state == DeliveryState.DELIVERED:
        original = _get_original(delivery)
        if original is not None:
            return Side(original.original_html, "What the mailbox held before our first delivery.")
    return _find_held(delivery)


def _find_held(delivery: Delivery) -> Side:
    """Return the newest of what was last read from the mailbox and what was last written to it."""
    connection = delivery.run.connection
    mailbox = Mailbox.objects.filter(connection=connection, remote_id=delivery.mailbox_remote_id).first()
    if mailbox is None:
        return Side(None, "The mailbox no longer exists in Outreach.")
    if mailbox.written_at is not None and mailbox.written_at > mailbox.read_at:
        written = Delivery.objects.filter(
            run__connection=connection,
            mailbox_remote_id=delivery.mailbox_remote_id,
            state=DeliveryState.DELIVERED,
        )
        last = written.exclude(returned_sha256="").order_by("-finished_at", "-id").first()
        text = find_text(delivery.run.domain_id, last.returned_sha256) if last else None
        if last is not None and text is not None:
            caption = f"What {last.run.job_label} wrote last. The mailbox has not been read since."
            return Side(text, caption, last.returned_sha256)
    return Side(mailbox.signature_html, "What the mailbox held when Outreach was last read.")


def _find_after(delivery: Delivery) -> Side:
    if delivery.found_sha256 or delivery.state == DeliveryState.DELIVERED:
        written = find_text(delivery.run.domain_id, delivery.rendered_sha256)
        return Side(None, NOT_KEPT) if written is None else _name_written(delivery, written)
    if delivery.target_sha256:
        target = find_text(delivery.run.domain_id, delivery.target_sha256)
        caption = NOT_KEPT if target is None else "The earlier signature that will be restored."
        return Side(target, caption, "" if target is None else delivery.target_sha256)
    if delivery.run.kind == DeliveryRun.Kind.RESTORE:
        original = _get_original(delivery)
        return Side(original.original_html if original else None, "The original that will be restored.")
    if delivery.sender is None:
        return Side(None, "The person of this mailbox has been removed.")
    release = get_live(delivery.sender.domain)
    composed = Composer(delivery.sender.domain, get_content(release)).compose(delivery.sender)
    if isinstance(composed, Refusal):
        return Side(None, composed.reason)
    return Side(composed.rendered.html, f"{release}: what a delivery would write now.")


def _name_written(delivery: Delivery, written: str) -> Side:
    version = delivery.template_version
    made_from = f"“{version.template}”, version {version.number}: " if version else ""
    release = f", {delivery.run.release}" if delivery.run.release_id else ""
    caption = f"{made_from}exactly what was sent{release}."
    return Side(written, caption[0].upper() + caption[1:], delivery.rendered_sha256)


def _find_returned(delivery: Delivery) -> str:
    """Return the digest of what Outreach replied that the mailbox then held, where it is kept and differs."""
    returned = delivery.returned_sha256
    is_other = returned not in ("", delivery.rendered_sha256)
    return returned if is_other and find_text(delivery.run.domain_id, returned) is not None else ""


def _get_original(delivery: Delivery) -> Snapshot | None:
    mailbox_id = delivery.mailbox_remote_id
    return get_snapshots(delivery.run.connection, [mailbox_id]).get(mailbox_id)
