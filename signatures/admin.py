"""The work in Django admin: what signatures say, who carries which, and what was delivered."""

from __future__ import annotations

from . import admin_authoring, admin_campaigns, admin_counting, admin_decisions, admin_delivery

__all__ = ["admin_authoring", "admin_campaigns", "admin_counting", "admin_decisions", "admin_delivery"]
