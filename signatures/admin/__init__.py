"""Django admin, one file per subject."""

from signatures.admin import (
    analytics,
    audiences,
    campaigns,
    decisions,
    deliveries,
    fields,
    media,
    releases,
    senders,
    templates,
)

__all__ = [
    "analytics",
    "audiences",
    "campaigns",
    "decisions",
    "deliveries",
    "fields",
    "media",
    "releases",
    "senders",
    "templates",
]
