"""Django admin, one file per subject."""

from signatures.admin import analytics, campaigns, decisions, deliveries, templates

__all__ = ["analytics", "campaigns", "decisions", "deliveries", "templates"]
