"""Completions: the names that the code editor offers while a template is typed, each from the list that allows it."""

from __future__ import annotations

from typing import Any

from signatures.rendering.fields import Vocabulary
from signatures.rendering.filters import FILTERS
from signatures.rendering.liquid import ALLOWED_TAGS as LIQUID_TAGS
from signatures.rendering.sanitize import ALLOWED_ATTRIBUTES, ALLOWED_TAGS
from signatures.rendering.styles import ALLOWED_STYLES


def get_completions(vocabulary: Vocabulary) -> dict[str, Any]:
    """Return what may stand in a template, as JSON can hold it.

    fields: object -> [name, label, description] of each field. filters, liquid, styles: names.
    elements: tag -> its attributes.
    """
    offered = {
        owner: [(name, field.label, field.doc) for field, name in fields if not field.is_removed]
        for owner, fields in vocabulary.by_owner.items()
    }
    shared = ALLOWED_ATTRIBUTES["*"]
    return {
        "fields": offered,
        "filters": sorted(FILTERS),
        "liquid": sorted(LIQUID_TAGS),
        "styles": sorted(ALLOWED_STYLES),
        "elements": {
            tag: sorted(shared | ALLOWED_ATTRIBUTES.get(tag, frozenset())) for tag in sorted(ALLOWED_TAGS)
        },
    }
