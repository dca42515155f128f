"""Client lint: one note for each part of a signature that some mail clients show in another way."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape

from signatures.rendering.clients.losses import Loss, find_loss, read_styles
from signatures.rendering.clients.support import Client, Support, get_support
from signatures.rendering.findings import Finding, Severity
from signatures.rendering.tree import Element


def client_findings(root: Element, places: dict[Element, tuple[int, int]]) -> Iterator[Finding]:
    """Yield a note for each loss of a rendered signature, its clients together, at the first place of each."""
    found: dict[tuple[str, str, str], list[Loss]] = {}
    for style in read_styles(root):
        for client in Client:
            loss = find_loss(style, client)
            if loss is not None:
                found.setdefault((style.name, loss.effect, loss.remedy), []).append(loss)
    for (name, effect, remedy), losses in found.items():
        names = _join(dict.fromkeys(loss.client.label for loss in losses))
        tags = dict.fromkeys(f"<{loss.style.tag}>" for loss in losses)
        sentence = f"{names} do not show “{name}” of {_join(tags)} as written: {effect}."
        if len({loss.client for loss in losses}) == 1:
            sentence = sentence.replace(" do not show ", " does not show ", 1)
        finding = Finding(Severity.NOTE, f"client-{name}", sentence, remedy)
        yield finding.at(places.get(losses[0].style.element))
    yield from _image_findings(root, places)


def _image_findings(root: Element, places: dict[Element, tuple[int, int]]) -> Iterator[Finding]:
    for node in root.walk():
        if not isinstance(node, Element) or node.tag != "img":
            continue
        kind = unescape(node.attributes.get("src", "")).partition("?")[0].rpartition(".")[2].lower()
        refusing = [one.label for one in Client if get_support(one, f"image-{kind}") is Support.NO]
        if refusing:
            verb = "shows" if len(refusing) == 1 else "show"
            sentence = (
                f"{_join(dict.fromkeys(refusing))} {verb} no {kind.upper()} images, only their alt text."
            )
            yield Finding(Severity.NOTE, "image-kind", sentence, "Use PNG or JPEG.").at(places.get(node))


def _join(names: dict[str, None]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
