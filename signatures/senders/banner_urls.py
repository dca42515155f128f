"""Banner URLs: builds the addresses of a sender's banner image and of its link."""

from __future__ import annotations

from django.conf import settings

from signatures.rendering.banner_links import is_variable


def get_image_url(banner_key: str, *, variable: str = "") -> str:
    """Return where a sender's banner is fetched from, twice as sharp as its place; the same for good.

    variable: what Outreach replaces with the reader's address; left out where it is none.
    """
    return f"{settings.PUBLIC_URL}/b/{banner_key}@2x.png{_with(variable)}"


def get_click_url(banner_key: str, *, variable: str = "") -> str:
    """Return where a click on a sender's banner goes; the same for good."""
    return f"{settings.PUBLIC_URL}/c/{banner_key}{_with(variable)}"


def _with(variable: str) -> str:
    return f"?r={variable}" if is_variable(variable) else ""
