"""Looks: a rendered signature as a mail client shows it, derived from published data and never seen there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape, unescape

from signatures.rendering.clients.dark_preview import turn_colour, turn_colours
from signatures.rendering.clients.losses import Loss, find_loss, read_styles
from signatures.rendering.clients.support import Client
from signatures.rendering.styles import style_values
from signatures.rendering.tree import Element, Text, read_tree, write_tree

# Those that a preview can be looked at as; what the others differ in is said by the checks.
LOOKS = (Client.GMAIL, Client.OUTLOOK_WINDOWS, Client.OUTLOOK_WEB, Client.APPLE_MAIL)
_COLOURED = ("color", "background", "border")
_COLOUR_ATTRIBUTES = ("bgcolor", "color")
_DARK = {
    Client.APPLE_MAIL: "In dark mode Apple Mail keeps the colours that are written.",
    Client.OUTLOOK_WEB: (
        "In dark mode Outlook on the web turns lightness round, as the published code of its editor does."
    ),
}


@dataclass(frozen=True, slots=True)
class Look:
    """A signature in one client. taken_out: a sentence for each thing that it does not show as written.

    colours: the ground and the words without a colour of their own; None where they are the usual ones.
    dark_note: what is known of the client's dark mode, or "" in light mode.
    """

    html: str
    taken_out: tuple[str, ...]
    colours: tuple[str, str] | None = None
    dark_note: str = ""


def derive_look(html: str, client: Client, *, is_dark: bool) -> Look:
    """Return a rendered signature as `client` shows it. html: what a render gave."""
    root = read_tree(html)
    losses = [loss for style in read_styles(root) if (loss := find_loss(style, client))]
    for loss in losses:
        if loss.is_dropped:
            _drop(loss)
    colours, note = None, ""
    if is_dark:
        unknown = (
            f"How {client.label} changes colours in dark mode is not published; they are shown as written."
        )
        note = _DARK.get(client, unknown)
        if client is Client.OUTLOOK_WEB:
            _turn(root)
            colours = turn_colour("#ffffff"), turn_colour("#000000")
    return Look(write_tree(root), tuple(dict.fromkeys(_sentences(losses))), colours, note)


def hide_images(html: str) -> str:
    """Return a rendered signature before its images are loaded: their alt texts in boxes of their size."""
    root = read_tree(html)
    _replace_images(root)
    return write_tree(root)


def _sentences(losses: list[Loss]) -> Iterator[str]:
    for loss in losses:
        yield f"“{loss.style.name}: {loss.style.value}” of <{loss.style.tag}>: {loss.effect}."


def _drop(loss: Loss) -> None:
    element = loss.style.element
    values = _read(element)
    values.pop(loss.style.name, None)
    _write(element, values)


def _turn(root: Element) -> None:
    for node in root.walk():
        if not isinstance(node, Element):
            continue
        values = _read(node)
        _write(node, {name: _turn_style(name, value) for name, value in values.items()})
        for name in _COLOUR_ATTRIBUTES:
            if name in node.attributes:
                node.attributes[name] = turn_colours(node.attributes[name].lower())


def _turn_style(name: str, value: str) -> str:
    return turn_colours(value) if name.startswith(_COLOURED) or name == "text-decoration-color" else value


def _replace_images(node: Element) -> None:
    for number, child in enumerate(node.children):
        if isinstance(child, Element):
            if child.tag == "img":
                node.children[number] = _draw_box(child)
            else:
                _replace_images(child)


def _draw_box(image: Element) -> Element:
    sizes = [
        f"{name}: {size}{'' if size.endswith('%') else 'px'}"
        for name in ("width", "height")
        if (size := image.attributes.get(name))
    ]
    look = [
        "display: inline-block",
        "border: 1px solid #8a8a8a",
        "overflow: hidden",
        "box-sizing: border-box",
        *sizes,
    ]
    return Element("span", {"style": "; ".join(look)}, [Text(image.attributes.get("alt", ""))])


def _read(element: Element) -> dict[str, str]:
    return style_values(unescape(element.attributes.get("style", "")))


def _write(element: Element, values: dict[str, str]) -> None:
    if values:
        style = "; ".join(f"{name}: {value}" for name, value in values.items())
        element.attributes["style"] = escape(style, quote=False).replace('"', "&quot;")
    else:
        element.attributes.pop("style", None)
