"""System checks: tell an operator at start-up which setting of this app is wrong."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from integrations.ledger.pruning import FLOOR_DAYS


@register(Tags.security)
def check_ledger_is_kept(**kwargs: Any) -> list[CheckMessage]:
    """E001: the scope ledger is kept long enough to be of use to an auditor."""
    if settings.LEDGER_KEEP_DAYS >= FLOOR_DAYS:
        return []
    return [
        Error(
            f"LEDGER_KEEP_DAYS is {settings.LEDGER_KEEP_DAYS}; the ledger is kept for {FLOOR_DAYS} days at least.",
            hint="Remove it to keep 400 days, or set more.",
            id="integrations.E001",
        )
    ]
