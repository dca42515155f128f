"""Renderer: makes a signature from a checked template and a sender's values, or refuses."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from liquid.exceptions import LiquidError

from signatures.rendering.context import Context, build_context
from signatures.rendering.errors import RenderRefused
from signatures.rendering.fields import BUILT_IN, Trust, Vocabulary
from signatures.rendering.plaintext import plain_text
from signatures.rendering.sanitize import sanitize_signature
from signatures.rendering.template import CompiledTemplate

from .banner_links import put_placeholders
from .missing_values import settle_lines
from .pattern import has_content

logger = logging.getLogger(__name__)

# The maxLength of the attribute that receives it, counted in bytes because the column is
# believed to be counted in bytes.
MAX_SIGNATURE_BYTES = 65_535
_BANNER_ADDRESSES = tuple(field.name for field in BUILT_IN.with_trust(Trust.PLACE))
_BRACES = re.compile(r"\{\{|\}\}|\{%|%\}")


@dataclass(frozen=True)
class RenderedSignature:
    """A signature that may be sent.

    html: the markup. sha256: hex digest of the html. byte_count: UTF-8 bytes of the html.
    missing: fields the template uses that had no usable value.
    """

    html: str
    sha256: str
    byte_count: int
    missing: tuple[str, ...]

    @cached_property
    def text(self) -> str:
        """The same as plain text; computed when read, since a delivery never reads it."""
        return plain_text(self.html)


def render_signature(
    template: CompiledTemplate, values: Mapping[str, str | None], vocabulary: Vocabulary = BUILT_IN
) -> RenderedSignature:
    """Return the signature of one sender.

    values: flat dotted field names to raw text; an invalid value counts as missing.
    Raises: RenderRefused, when there is nothing that may be sent; nothing else, so that an error in
    one sender's signature never stops the work on others.
    """
    try:
        context = build_context(values, vocabulary)
        context.add_missing(template.fields)
        return render_context(template, context)
    except RenderRefused:
        raise
    except Exception as error:
        logger.exception("A template could not be rendered for one sender.")
        raise RenderRefused(
            "unrenderable",
            "The template cannot be rendered for this sender; the operator’s log says why. "
            "Save the template again, or assign another one.",
        ) from error


def render_context(template: CompiledTemplate, context: Context) -> RenderedSignature:
    """Return the signature for checked values; `render_signature` without the checks."""
    pattern, values = settle_lines(_merge(template, context))
    html = pattern.fill(values).strip()
    encoded = html.encode()
    if not pattern.has_content and not has_content(html):
        raise RenderRefused("empty", "The signature is empty for this sender. Fill in the fields it uses.")
    if len(encoded) > MAX_SIGNATURE_BYTES:
        raise RenderRefused(
            "too_large",
            f"The signature is {len(encoded):,} bytes; {MAX_SIGNATURE_BYTES:,} fit. Shorten the template.",
        )
    own = [address for name in _BANNER_ADDRESSES if (address := context.value(name))]
    own += context.own_images
    if not pattern.is_proven(values, own):
        _refuse_unsafe(put_placeholders(html, own))
    return RenderedSignature(
        html=html,
        sha256=sha256(encoded).hexdigest(),
        byte_count=len(encoded),
        missing=tuple(name for name in template.fields if name in context.missing),
    )


def _merge(template: CompiledTemplate, context: Context) -> str:
    try:
        return template.parsed().render(**context.scope)
    except LiquidError as error:
        raise RenderRefused(
            "unrenderable",
            f"The template cannot be rendered for this sender: {error.message}. Mend the template.",
        ) from error


def _refuse_unsafe(html: str) -> None:
    """Raise RenderRefused unless `html` is complete and allowed.

    html: with placeholders for the addresses of the sender's own banner and images, which `context` has checked.
    """
    if _BRACES.search(html):
        raise RenderRefused("braces", "Template code is left in the signature. Mend the template.")
    if sanitize_signature(html) != html:
        raise RenderRefused(
            "unsafe", "The signature holds markup that is not allowed. Save the template again."
        )
