"""Django admin: domains, members and people, and background work."""

from portal.admin import accounts, background

__all__ = ["accounts", "background"]
