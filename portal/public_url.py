"""Public URL: addresses of the portal as configured, whatever a request's headers say."""

from __future__ import annotations

from django.conf import settings


def get_public_address(path: str) -> str:
    return settings.PUBLIC_URL + path
