"""Public URL: addresses of the portal as configured, whatever a request's headers say."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings


def get_public_address(path: str) -> str:
    return settings.PUBLIC_URL + path


def get_sandbox_origin() -> str:
    """Return the portal's address where it and a sandbox in place of Outreach are on this machine; '' elsewhere.

    What such a portal writes reaches no mail program, so its own addresses need no https there.
    """
    public = urlsplit(settings.PUBLIC_URL)
    is_local = public.scheme == "http" and public.hostname in ("127.0.0.1", "localhost", "::1")
    return settings.PUBLIC_URL if settings.IS_SANDBOX and is_local else ""
