"""What a signature looks like and where each value comes from, by the renderer that sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from signatures.rendering.context import build_context
from signatures.rendering.fields import FIELD_BY_NAME, Field, Source, Trust
from signatures.rendering.render import RenderedSignature, render_signature
from signatures.rendering.template import CompiledTemplate


@dataclass(frozen=True)
class FieldOrigin:
    """One field of a preview.

    value: as rendered, or None. missing: why there is none, or "". is_sample: the preview
    shows an invented value in its place.
    """

    name: str
    label: str
    source: Source
    value: str | None
    missing: str
    is_sample: bool


@dataclass(frozen=True)
class SignaturePreview:
    """A rendered signature and the origin of every field its template uses."""

    signature: RenderedSignature
    origins: tuple[FieldOrigin, ...]


def preview_signature(
    template: CompiledTemplate, values: Mapping[str, str | None], *, marks: bool = False
) -> SignaturePreview:
    """Return what `render_signature` makes of `values`, with the origin of each field.

    marks: put samples where values are missing, texts between \u2039 and \u203a; without it the
    signature is byte for byte the one that would be sent.
    Raises: RenderRefused
    """
    context = build_context(values)
    used = [FIELD_BY_NAME[name] for name in template.fields if name in FIELD_BY_NAME]
    shown = dict(values)
    if marks:
        shown.update({field.name: _sample(field) for field in used if field.name in context.missing})
    origins = tuple(
        FieldOrigin(
            name=field.name,
            label=field.label,
            source=field.source,
            value=context.value(field.name),
            missing=context.missing.get(field.name, ""),
            is_sample=marks and field.name in context.missing,
        )
        for field in used
    )
    return SignaturePreview(render_signature(template, shown), origins)


def _sample(field: Field) -> str:
    return f"\u2039{field.sample}\u203a" if field.trust is Trust.TEXT else field.sample
