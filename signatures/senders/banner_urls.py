"""Banner URLs: builds the addresses of a sender's banner image and of its link, and marks them in a preview."""

from __future__ import annotations

import re

from django.conf import settings

from signatures.rendering.banner_links import is_variable


def get_image_url(banner_key: str, *, variable: str = "") -> str:
    """Return the permanent URL of a sender's banner image, at 2×.

    variable: what Outreach replaces with the recipient's address; '' for none.
    """
    return f"{settings.PUBLIC_URL}/b/{banner_key}@2x.png{_with(variable)}"


def get_click_url(banner_key: str, *, variable: str = "") -> str:
    """Return the permanent URL of a sender's banner link."""
    return f"{settings.PUBLIC_URL}/c/{banner_key}{_with(variable)}"


def mark_previewed(html: str) -> str:
    """Return the markup with our banner and link URLs marked as previews.

    They are not counted then, and the recipient's address is removed from them.
    """
    address = rf"({re.escape(settings.PUBLIC_URL)}/[bc]/[A-Za-z0-9_@./-]+)(?:\?[^\s\"'<>)]*)?"
    return re.sub(address, r"\1?preview", html, flags=re.IGNORECASE)


def _with(variable: str) -> str:
    return f"?r={variable}" if is_variable(variable) else ""
