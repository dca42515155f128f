"""Vocabulary: the merge fields of one domain."""

from __future__ import annotations

from portal.models import Domain
from signatures.rendering.fields import BUILT_IN, Vocabulary


def get_vocabulary(domain: Domain) -> Vocabulary:
    """Return the domain's merge fields as they are edited now."""
    return BUILT_IN
