"""The pages of campaigns, as their tests read them."""

from __future__ import annotations

PAGE = "/domains/acme.example/campaigns/"


def read(response) -> str:
    """The page's words, on one line."""
    return " ".join(response.content.decode().split())
