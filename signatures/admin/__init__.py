"""Django admin, one file per subject."""

from signatures.admin import (
    analytics,
    audiences,
    campaigns,
    decisions,
    deliveries,
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
    "releases",
    "senders",
    "templates",
]
