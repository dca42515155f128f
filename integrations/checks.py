"""System checks: tell an operator at start-up which setting of this app is wrong."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from integrations.ledger.pruning import FLOOR_DAYS
from portal.outgoing import is_acceptable


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


@register(Tags.security)
def check_notice_addresses(**kwargs: Any) -> list[CheckMessage]:
    """E002: what operators are told goes to https addresses, and a webhook has the secret that signs it."""
    found: list[CheckMessage] = [
        Error(
            f"{name} is no https address.",
            hint="Enter one that starts with https://.",
            id="integrations.E002",
        )
        for name in ("NOTICE_WEBHOOK_URL", "NOTICE_SLACK_URL")
        if getattr(settings, name) and not is_acceptable(getattr(settings, name))
    ]
    if settings.NOTICE_WEBHOOK_URL and not settings.NOTICE_WEBHOOK_SECRET:
        found.append(
            Error(
                "NOTICE_WEBHOOK_URL has no NOTICE_WEBHOOK_SECRET, so no receiver could tell our messages from others.",
                hint='Generate one: python -c "import secrets; print(secrets.token_urlsafe(32))"',
                id="integrations.E002",
            )
        )
    return found
