"""Previews: render signatures with the renderer of deliveries."""

from __future__ import annotations

from portal.models import Domain
from signatures.models import Sender, TemplateVersion
from signatures.rendering import (
    CompiledTemplate,
    RenderedSignature,
    Source,
    compile_template,
    render_signature,
)
from signatures.senders.values import (
    get_brand_for,
    get_company,
    get_group_name,
    get_group_values,
    get_size_values,
    get_values,
)
from signatures.senders.vocabulary import get_field_rules, get_vocabulary


def get_preview_values(domain: Domain, sender: Sender | None) -> dict[str, str | None]:
    """Return this sender's values; for None, those of a sample person with the domain's brand."""
    brand, slot = get_company(domain)
    brand = get_brand_for(brand, sender.group if sender else None)
    if sender is not None:
        return get_values(
            sender,
            brand,
            slot,
            get_group_name(sender),
            get_field_rules(domain),
            get_group_values(sender),
        )
    vocabulary = get_vocabulary(domain)
    kept = {
        field.name: getattr(brand, field.name.removeprefix("company."))
        for field in vocabulary.fields
        if field.source is Source.COMPANY
    }
    values: dict[str, str | None] = {
        field.name: kept.get(field.name) or field.sample for field in vocabulary.fields
    }
    values.update(
        (field.name, None)
        for field in vocabulary.fields
        if field.source is Source.BANNER and not slot.place.is_on
    )
    return values | get_size_values(slot.place)


def render_version(version: TemplateVersion, sender: Sender | None) -> RenderedSignature:
    """Return a saved version as this sender's signature, or as a sample person's for None.

    Raises: RenderRefused.
    """
    compiled = CompiledTemplate.from_stored(version.compiled_html, version.fields)
    domain = version.template.domain
    return render_signature(compiled, get_preview_values(domain, sender), get_vocabulary(domain))


def render_source(domain: Domain, source: str, sender: Sender | None) -> RenderedSignature:
    """Return an unsaved source as this sender's signature, or as a sample person's for None.

    Raises: TemplateError, RenderRefused.
    """
    vocabulary = get_vocabulary(domain)
    compiled = compile_template(source, vocabulary)
    return render_signature(compiled, get_preview_values(domain, sender), vocabulary)
