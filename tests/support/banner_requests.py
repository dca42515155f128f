"""Banner requests: images asked for as mail clients do, told by their colour."""

from __future__ import annotations

from io import BytesIO

from django.test import Client
from PIL import Image

from signatures.models import Sender


def get_colour(content: bytes) -> str:
    """The one colour of a picture, '' for one that shows nothing."""
    red, green, blue, alpha = Image.open(BytesIO(content)).convert("RGBA").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    names = {(255, 0, 0): "red", (0, 0, 255): "blue", (0, 128, 0): "green"}
    return names[red, green, blue] if alpha else ""


def fetch(reader: Client, sender: Sender, suffix: str = "@2x.png", **headers: str) -> str:
    return get_colour(reader.get(f"/b/{sender.banner_key}{suffix}", headers=headers).content)
