"""Addresses of the portal as others reach it: the configured one, whatever a request's headers say."""

from __future__ import annotations

from django.conf import settings


def get_public_address(path: str) -> str:
    return settings.PUBLIC_URL + path
