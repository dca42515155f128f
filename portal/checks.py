"""System checks: tell an operator at start-up which setting is wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.cache import cache
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import Error as DatabaseFailure
from django.db import connection

from signatures.analytics.bot_rules import parse_networks

SHORTEST_TOKEN = 32


@register(Tags.security)
def check_token_keys(**kwargs: Any) -> list[CheckMessage]:
    """E001: TOKEN_KEYS is set and every key is valid."""
    hint = 'Generate one: python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
    if not settings.TOKEN_KEYS:
        return [
            Error("TOKEN_KEYS is empty, so access to Outreach cannot be stored.", hint=hint, id="portal.E001")
        ]
    for place, key in enumerate(settings.TOKEN_KEYS, start=1):
        try:
            Fernet(key)
        except (ValueError, TypeError):
            return [
                Error(
                    f"Key {place} of TOKEN_KEYS is not 32 url-safe base64 bytes.", hint=hint, id="portal.E001"
                )
            ]
    return []


@register()
def check_scanner_networks(**kwargs: Any) -> list[CheckMessage]:
    """E010: every network of SCANNER_NETWORKS is valid and no narrower than the networks that are stored."""
    try:
        parse_networks(settings.SCANNER_NETWORKS)
    except ValueError as error:
        return [
            Error(
                f"SCANNER_NETWORKS cannot be read: {error}",
                hint="Separate networks by commas, such as 203.0.113.0/24, 2001:db8::/48.",
                id="portal.E010",
            )
        ]
    return []


@register(Tags.security, deploy=True)
def check_public_url(**kwargs: Any) -> list[CheckMessage]:
    """W002: the portal is reached by https."""
    if settings.IS_HTTPS:
        return []
    return [
        Warning(
            "PUBLIC_URL is not https, so cookies and the OAuth consent for Outreach are sent unencrypted.",
            hint="Put the portal behind TLS and set PUBLIC_URL=https://…",
            id="portal.W002",
        )
    ]


@register(Tags.security, deploy=True)
def check_proxies(**kwargs: Any) -> list[CheckMessage]:
    """E011: a portal with an https URL must trust the proxy that terminates TLS."""
    if not settings.IS_HTTPS or settings.ALLAUTH_TRUSTED_PROXY_COUNT:
        return []
    return [
        Error(
            "PUBLIC_URL is https and TRUSTED_PROXIES is 0: `serve` speaks plain http, so every request "
            "looks as if it came without TLS and is redirected to https in a loop.",
            hint="Put a reverse proxy in front that terminates TLS and sets X-Forwarded-Proto and X-Forwarded-For, "
            "and set TRUSTED_PROXIES=1 (or the number of chained proxies).",
            id="portal.E011",
        )
    ]


@register(Tags.security, deploy=True)
def check_outreach_is_real(**kwargs: Any) -> list[CheckMessage]:
    """E003: a deployment uses no sandbox. E004: client ID and secret are set. E005: Outreach is reached by https."""
    found: list[CheckMessage] = []
    address = urlsplit(settings.OUTREACH_BASE_URL)
    if not settings.IS_SANDBOX and (address.scheme != "https" or not address.hostname or address.path):
        found.append(
            Error(
                "OUTREACH_BASE_URL must be an https address without a path; tokens could be sent unencrypted.",
                hint="Remove OUTREACH_BASE_URL to use https://api.outreach.io.",
                id="portal.E005",
            )
        )
    if settings.IS_SANDBOX and not settings.DEBUG:
        found.append(
            Error(
                "OUTREACH_BASE_URL points to this machine while DEBUG is off: that is the sandbox, not Outreach.",
                hint="Remove OUTREACH_BASE_URL to use https://api.outreach.io.",
                id="portal.E003",
            )
        )
    if not (settings.OUTREACH_CLIENT_ID and settings.OUTREACH_CLIENT_SECRET):
        found.append(
            Error(
                "OUTREACH_CLIENT_ID or OUTREACH_CLIENT_SECRET is empty, so nobody can connect.",
                hint="Copy both from your app's API access tab in Outreach.",
                id="portal.E004",
            )
        )
    return found


def find_spool() -> Path:
    """Return the spool folder, or the nearest folder above it that is there."""
    folder = Path(settings.SPOOL_FOLDER).absolute()
    return next(path for path in (folder, *folder.parents) if os.access(path, os.F_OK))


def is_spool_writable() -> bool:
    """Return whether this account can write to the spool folder, or make it. Creates nothing."""
    existing = find_spool()
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


@register(Tags.security, deploy=True)
def check_spool_folder(**kwargs: Any) -> list[CheckMessage]:
    """E012: views and clicks of banners can be stored. Creates nothing."""
    if is_spool_writable():
        return []
    return [
        Error(
            f"SPOOL_FOLDER is {Path(settings.SPOOL_FOLDER).absolute()}, where this account cannot write: "
            "impressions and clicks of banners would be lost.",
            hint="Give the folder to the account of the web server, or set SPOOL_FOLDER to one on the machine's own "
            "disk. Run this check with that account.",
            id="portal.E012",
        )
    ]


@register(Tags.security, deploy=True)
def check_database_answers(**kwargs: Any) -> list[CheckMessage]:
    """E013: the database answers."""
    try:
        connection.ensure_connection()
    except DatabaseFailure as error:
        return [
            Error(
                f"The database does not answer ({type(error).__name__}).",
                hint="Try the address, account and password of DATABASE_URL with `psql`, from this machine.",
                id="portal.E013",
            )
        ]
    return []


@register(Tags.security, deploy=True)
def check_temporary_tables(**kwargs: Any) -> list[CheckMessage]:
    """E017: on PostgreSQL, the account may make temporary tables, through which many rows are stored at once."""
    if connection.vendor != "postgresql":
        return []
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT has_database_privilege(current_database(), 'TEMPORARY')")
            if cursor.fetchone()[0]:
                return []
    except DatabaseFailure:
        return []  # E013 says so
    return [
        Error(
            "The account of DATABASE_URL may not make temporary tables, through which syncs store many rows at once.",
            hint="As the database's owner: GRANT TEMPORARY ON DATABASE … TO …; PostgreSQL's default is to allow it.",
            id="portal.E017",
        )
    ]


@register(Tags.security, deploy=True)
def check_cache_answers(**kwargs: Any) -> list[CheckMessage]:
    """E014: Redis answers. Without it the cache is a table, which comes with the migrations."""
    if not settings.REDIS_URL:
        return []
    try:
        cache.get("check")
    except Exception as error:  # the client's own errors; and its package is optional
        return [
            Error(
                f"Redis does not answer ({type(error).__name__}), so nobody could sign in.",
                hint="Try REDIS_URL with `redis-cli -u`, from this machine; its client comes with the extra `scale`.",
                id="portal.E014",
            )
        ]
    return []


@register(Tags.security)
def check_metrics_token(**kwargs: Any) -> list[CheckMessage]:
    """E016: METRICS_TOKEN is empty or too long to be guessed."""
    if not settings.METRICS_TOKEN or len(settings.METRICS_TOKEN) >= SHORTEST_TOKEN:
        return []
    return [
        Error(
            f"METRICS_TOKEN has fewer than {SHORTEST_TOKEN} characters, so it can be guessed.",
            hint='Generate one: python -c "import secrets; print(secrets.token_urlsafe(32))"',
            id="portal.E016",
        )
    ]


@register(Tags.security, deploy=True)
def check_mail_is_sent(**kwargs: Any) -> list[CheckMessage]:
    """W015: mail leaves this machine."""
    if settings.EMAIL_BACKEND != "django.core.mail.backends.console.EmailBackend":
        return []
    return [
        Warning(
            "EMAIL_URL is not set, so mail is printed to the log: nobody gets an invitation, a password link "
            "or an alert, and whoever reads the log can use such a link.",
            hint="Set EMAIL_URL, such as smtp+tls://user:password@smtp.acme.com:587.",
            id="portal.W015",
        )
    ]
