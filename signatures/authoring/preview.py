"""Previews: show signatures before they are sent, by the renderer that delivers."""

from __future__ import annotations

from dataclasses import dataclass

from integrations.models import Mailbox
from portal.models import Domain
from signatures.models import Delivery, DeliveryRun, DeliveryState, Sender, Snapshot, TemplateVersion
from signatures.releases.compose import Composer
from signatures.releases.live import get_live_content
from signatures.rendering import (
    FIELDS,
    CompiledTemplate,
    RenderedSignature,
    RenderRefused,
    Source,
    compile_template,
    render_signature,
)
from signatures.senders.values import (
    get_banner_slot,
    get_brand,
    get_group_name,
    get_size_values,
    get_values,
)


def get_preview_values(domain: Domain, sender: Sender | None) -> dict[str, str | None]:
    """Return what a preview is made from: this sender's values; for None a sample person at the domain's company."""
    slot = get_banner_slot(domain)
    if sender is not None:
        return get_values(sender, get_brand(domain), slot, get_group_name(sender))
    brand = get_brand(domain)
    kept = {
        field.name: getattr(brand, field.name.removeprefix("company."))
        for field in FIELDS
        if field.source is Source.COMPANY
    }
    values: dict[str, str | None] = {field.name: kept.get(field.name) or field.sample for field in FIELDS}
    values.update(
        (field.name, None) for field in FIELDS if field.source is Source.BANNER and not slot.place.is_on
    )
    return values | get_size_values(slot.place)


def render_version(version: TemplateVersion, sender: Sender | None) -> RenderedSignature:
    """Return a saved version as this sender's signature, or as a sample person's for None.

    Raises: RenderRefused.
    """
    compiled = CompiledTemplate.from_stored(version.compiled_html, version.fields)
    return render_signature(compiled, get_preview_values(version.template.domain, sender))


def render_source(domain: Domain, source: str, sender: Sender | None) -> RenderedSignature:
    """Return a source that nobody saved yet as this sender's signature, or as a sample person's for None.

    Raises: TemplateError, RenderRefused.
    """
    return render_signature(compile_template(source), get_preview_values(domain, sender))


def find_version(sender: Sender) -> TemplateVersion | None:
    """Return the version that a delivery to this sender would write now, or None where there is none."""
    composer = Composer(sender.domain, get_live_content(sender.domain))
    return (
        TemplateVersion.objects.select_related("template__domain")
        .filter(pk=composer.get_version_id(sender) or 0)
        .first()
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a mailbox holds before a delivery and after it, each with a sentence on where that is known from.

    after: None where there is nothing to show, and `after_caption` says why.
    """

    before_html: str
    before_caption: str
    after: RenderedSignature | None
    after_caption: str


def compare_delivery(delivery: Delivery) -> Comparison:
    """Return the two sides of one delivery.

    Needs run with its connection, sender with person, group and domain, and template_version with its
    template loaded.
    """
    before = _find_before(delivery)
    if delivery.run.kind == DeliveryRun.Kind.RESTORE:
        return Comparison(*before, None, "The original goes back; nothing of ours stays.")
    if delivery.sender is None:
        return Comparison(*before, None, "The person behind this mailbox is gone.")
    is_done = delivery.state == DeliveryState.DELIVERED and delivery.template_version is not None
    version = delivery.template_version if is_done else find_version(delivery.sender)
    if version is None:
        return Comparison(*before, None, "No template is assigned to this sender.")
    try:
        after = render_version(version, delivery.sender)
    except RenderRefused as refused:
        return Comparison(*before, None, refused.message)
    return Comparison(*before, after, _say_after(delivery, version, after, is_done=is_done))


def _say_after(
    delivery: Delivery, version: TemplateVersion, after: RenderedSignature, *, is_done: bool
) -> str:
    made_from = f"“{version.template}”, version {version.number}"
    if not is_done:
        return f"{made_from}: what a delivery would write now."
    if after.sha256 == delivery.rendered_sha256:
        return f"{made_from}: exactly what was delivered."
    return (
        f"{made_from}, with today’s values; what was delivered differed, because a value has changed since."
    )


def _find_before(delivery: Delivery) -> tuple[str, str]:
    connection = delivery.run.connection
    if delivery.state == DeliveryState.DELIVERED:
        original = Snapshot.objects.filter(
            domain_id=delivery.run.domain_id,
            account_key=connection.account_key,
            mailbox_remote_id=delivery.mailbox_remote_id,
        ).first()
        if original is not None:
            return original.original_html, "What the mailbox held before our first delivery."
    mailbox = Mailbox.objects.filter(connection=connection, remote_id=delivery.mailbox_remote_id).first()
    if mailbox is None:
        return "", "The mailbox is not there any more."
    return mailbox.signature_html, "What the mailbox held when Outreach was last read."
