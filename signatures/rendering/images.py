"""Images: those that a rendered signature shows, each with what stands behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape

from .styles import style_values
from .tree import Element

NO_GROUND = (None, "transparent", "none")


@dataclass(frozen=True, slots=True)
class ShownImage:
    """One image of a signature. url: its address. has_ground: it or an element around it has a background."""

    element: Element
    url: str
    has_ground: bool


def list_images(node: Element, *, has_ground: bool = False) -> Iterator[ShownImage]:
    """Yield the images in `node`, in their order. has_ground: something around it has a background."""
    styles = style_values(unescape(node.attributes.get("style", "")))
    has_ground = has_ground or get_ground(node, styles) not in NO_GROUND
    if node.tag == "img":
        yield ShownImage(node, unescape(node.attributes.get("src", "")), has_ground)
    for child in node.children:
        if isinstance(child, Element):
            yield from list_images(child, has_ground=has_ground)


def get_ground(element: Element, styles: Mapping[str, str]) -> str | None:
    """Return the background that an element says, or None. styles: its own."""
    return styles.get("background-color") or styles.get("background") or element.attributes.get("bgcolor")
