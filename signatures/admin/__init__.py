"""Django admin, one file per subject."""

from signatures.admin import (
    analytics,
    audiences,
    campaigns,
    decisions,
    deliveries,
    fields,
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
    "releases",
    "senders",
    "templates",
]
