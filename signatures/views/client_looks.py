"""Client looks: a previewed signature as one mail client shows it, and below it what is not shown as written."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from django.http import QueryDict

from signatures.rendering.clients.looks import LOOKS, Look, derive_look, hide_images
from signatures.rendering.clients.support import Client, get_dataset

CLIENT_CHOICES = [(client.value, client.label) for client in LOOKS]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a frame holds. below: markup of ours under the signature; colours: ground and ink, or None for the usual."""

    html: str
    below: str = ""
    colours: tuple[str, str] | None = None


def look_as(html: str, asked: QueryDict, *, is_dark: bool) -> Shown:
    """Return a rendered signature as the client and with the images that were asked for.

    A client that is not offered counts as none: the signature as it is written.
    """
    if asked.get("images") == "off":
        html = hide_images(html)
    client = next((one for one in LOOKS if one.value == asked.get("client")), None)
    if client is None:
        return Shown(html)
    look = derive_look(html, client, is_dark=is_dark)
    return Shown(look.html, _describe(client, look), look.colours)


def _describe(client: Client, look: Look) -> str:
    rows = "".join(f"<li>{escape(sentence)}</li>" for sentence in look.taken_out)
    found = (
        f"{client.label} does not show as written:" if rows else f"{client.label} shows all of it as written."
    )
    source = f"Derived from published data (caniemail, {get_dataset().dated}), not tested in the client."
    listed = f"<ul>{rows}</ul>" if rows else " "
    return f"<footer>{escape(found)}{listed}{escape(f'{look.dark_note} {source}'.strip())}</footer>"
