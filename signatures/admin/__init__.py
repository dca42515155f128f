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
    self_service,
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
    "self_service",
    "senders",
    "templates",
]
