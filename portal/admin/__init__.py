"""Django admin: domains, members and people, and the background."""

from portal.admin import accounts, background

__all__ = ["accounts", "background"]
