"""Template lint: what an author is told of a template that may be saved: lost parts, contrast, size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from signatures.rendering.colours import contrast_ratio
from signatures.rendering.conversions import convert_attribute
from signatures.rendering.markup import Kind, Piece, read_pieces
from signatures.rendering.sanitize import ALLOWED_ATTRIBUTES, ALLOWED_TAGS, is_allowed_attribute
from signatures.rendering.styles import hides, refused_declarations, refused_fonts, style_values
from signatures.rendering.tree import Element, Text, read_tree

WARN_BYTES = 60_000
# WCAG's figure for text on the ground the author sees; its figure for large text on the dark
# ground, because no single colour reaches 4.5 on both.
MIN_CONTRAST = 4.5
MIN_CONTRAST_DARK = 3.0
LIGHT_GROUND = "#ffffff"
DARK_GROUND = "#121212"
_NAMED = {"white": "#ffffff", "black": "#000000"}
# Less than a pixel, or a tenth of the text around it.
_NO_SIZE = re.compile(r"0(?:\.\d++)?(?:px|pt)?$|0(?:\.0\d*+)?(?:em|rem)$|[0-9](?:\.\d++)?%$")
_NO_COLOUR = re.compile(r"transparent|rgba\([^()]*, 0%?\)|#[0-9a-f]{6}00")
_AT_RULE = re.compile(r"@[a-z-]+", re.IGNORECASE)
_WHITES = frozenset({"#fff", "#ffffff", "white"})


def removal_warnings(source: str, css: str) -> Iterator[str]:
    """Yield a sentence for each tag, attribute, address and style that will be removed from `source`."""
    sentences = (sentence for piece in read_pieces(source) for sentence in _removed_parts(piece))
    yield from dict.fromkeys(sentences)
    for rule in dict.fromkeys(found.lower() for found in _AT_RULE.findall(css)):
        yield f"The {rule} rule was left out: mail clients drop it, or it would fetch something."


def style_warnings(inlined: str) -> Iterator[str]:
    """Yield a sentence for each declaration of a <style> block or attribute that will be removed."""
    for style in dict.fromkeys(re.findall(r' style="([^"]*)"', inlined)):
        yield from _style_sentences(unescape(style))


def _style_sentences(style: str) -> Iterator[str]:
    for declaration in refused_declarations(style):
        yield f"The style “{declaration[:80]}” is not allowed and was removed."
    for font in refused_fonts(style):
        yield f"The font {font[:80]} was left out of its list: mail clients do not agree on how to read its name."


def _refused_address(address: str) -> str:
    """Return why an address was removed: what it starts with, or what stands behind that."""
    scheme = address.strip().partition(":")[0].lower()
    if scheme == "tel":
        reason = "what follows tel: is no phone number"
    elif scheme == "https":
        reason = "its host cannot be read, or could be read as another one"
    else:
        reason = "addresses start with https://, links may also start with mailto: or tel:"
    return f"The address “{address[:80]}” was removed: {reason}."


def result_warnings(html: str, byte_count: int) -> Iterator[str]:
    """Yield what to mend in a signature rendered with sample values."""
    if byte_count > WARN_BYTES:
        yield f"With sample values the signature is {byte_count:,} bytes; 65,535 is the limit."
    root = read_tree(html)
    for node in root.walk():
        if isinstance(node, Element) and node.tag == "img":
            yield from _picture_warnings(node)
    yield from dict.fromkeys(_contrast_warnings(root, ink=None, ground=None))
    yield from dict.fromkeys(_unseen_text_warnings(root, ink="", size=""))


def _removed_parts(piece: Piece) -> Iterator[str]:
    """Yield a sentence for each part of a tag that the sanitizer will not keep."""
    tag = piece.name
    if piece.kind is not Kind.START:
        return
    if tag not in ALLOWED_TAGS:
        yield f"The tag <{tag[:40]}> is not allowed and was removed."
        return
    known = ALLOWED_ATTRIBUTES["*"] | ALLOWED_ATTRIBUTES.get(tag, frozenset()) | {"class", "id", "hidden"}
    for name, value in piece.get_attributes():
        if name == "style":
            # What hides is said of the whole element.
            yield from () if hides(value) else _style_sentences(value)
        elif name not in known:
            yield f"The attribute {name[:40]} of <{tag}> is not allowed and was removed."
        elif name in ("class", "id", "hidden") or is_allowed_attribute(name, convert_attribute(name, value)):
            continue
        elif name in ("href", "src"):
            yield _refused_address(value)
        else:
            yield f"The value of {name} in <{tag}> is not allowed and was removed."


def _picture_warnings(picture: Element) -> Iterator[str]:
    name = unescape(picture.attributes.get("src", ""))[:80]
    if "alt" not in picture.attributes:
        yield f"The picture {name} has no alt text; add alt='' if it is decoration."
    if "width" not in picture.attributes:
        yield f"The picture {name} has no width attribute; Outlook shows it at its full size."


def _contrast_warnings(node: Element, ink: str | None, ground: str | None) -> Iterator[str]:
    """Yield a sentence for text in `node` that is hard to read on light or dark ground."""
    styles = style_values(unescape(node.attributes.get("style", "")))
    ink = styles.get("color") or node.attributes.get("color") or ink
    own_ground = styles.get("background-color") or styles.get("background") or node.attributes.get("bgcolor")
    if own_ground and own_ground in _WHITES:
        yield "A white background is a white box in dark mode; leave it out or use a padded off-white."
    ground = own_ground or ground
    for child in node.children:
        if isinstance(child, Element):
            yield from _contrast_warnings(child, ink, ground)
        elif not child.is_blank:
            yield from _text_warnings(child, ink, ground)


def _unseen_text_warnings(node: Element, ink: str, size: str) -> Iterator[str]:
    """Yield a sentence for text in `node` of no size or of no colour."""
    styles = style_values(unescape(node.attributes.get("style", "")))
    ink = styles.get("color") or node.attributes.get("color") or ink
    size = styles.get("font-size") or size
    for child in node.children:
        if isinstance(child, Element):
            yield from _unseen_text_warnings(child, ink, size)
        elif not child.is_blank and (_NO_SIZE.match(size) or _NO_COLOUR.fullmatch(ink)):
            why = "has no size" if _NO_SIZE.match(size) else "has no colour"
            yield f"“{unescape(child.content).strip()[:40]}” {why}, so nobody sees it; take it out."


def _text_warnings(text: Text, ink: str | None, ground: str | None) -> Iterator[str]:
    words = f"“{unescape(text.content).strip()[:40]}”"
    if ink in (None, "inherit") and ground not in (None, "transparent", "none"):
        yield f"{words} has a background but no colour of its own; in dark mode it may vanish."
    if ink is None or ink == "inherit":
        return
    ink = _NAMED.get(ink, ink)
    if ground in (None, "transparent", "none"):
        light, dark = contrast_ratio(ink, LIGHT_GROUND), contrast_ratio(ink, DARK_GROUND)
        if light is not None and light < MIN_CONTRAST:
            yield f"{words} in {ink} is hard to read on white ({light:.1f} to 1, not {MIN_CONTRAST})."
        if dark is not None and dark < MIN_CONTRAST_DARK:
            yield f"{words} in {ink} is hard to read in dark mode ({dark:.1f} to 1, not {MIN_CONTRAST_DARK})."
        return
    ratio = contrast_ratio(ink, _NAMED.get(ground, ground)) if ground else None
    if ratio is not None and ratio < MIN_CONTRAST:
        yield f"{words} in {ink} is hard to read on {ground} ({ratio:.1f} to 1, not {MIN_CONTRAST})."
