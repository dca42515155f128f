"""Social icons: the address of the portal's own set, which `assets/draw_social_icons.py` draws."""

from __future__ import annotations

from urllib.parse import urljoin

from django.conf import settings

FOLDER = "social-e0993643813c"  # the set that is offered; signatures keep the one they were made with


def get_icons_url() -> str:
    """Return the address of the set, to which `NETWORK.png` is added."""
    return urljoin(f"{settings.PUBLIC_URL}/", f"{settings.STATIC_URL}signatures/{FOLDER}/")
