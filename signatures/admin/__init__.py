"""Django admin, one file per subject."""

from signatures.admin import (
    analytics,
    assignments,
    audiences,
    campaigns,
    decisions,
    deliveries,
    fields,
    groups,
    media,
    releases,
    self_service,
    senders,
    templates,
    value_files,
)

__all__ = [
    "analytics",
    "assignments",
    "audiences",
    "campaigns",
    "decisions",
    "deliveries",
    "fields",
    "groups",
    "media",
    "releases",
    "self_service",
    "senders",
    "templates",
    "value_files",
]
