"""Template lint: warns the author of removed parts, low contrast and small text in a template that may be saved."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from itertools import chain

from signatures.rendering.clients.lint import client_findings
from signatures.rendering.colours import contrast_ratio, luminance
from signatures.rendering.conversions import convert_attribute
from signatures.rendering.findings import Finding, TagPlaces, make_error, warn
from signatures.rendering.images import NO_GROUND, get_ground
from signatures.rendering.markup import Kind, Piece, read_pieces
from signatures.rendering.sanitize import ALLOWED_ATTRIBUTES, ALLOWED_TAGS, is_allowed_attribute
from signatures.rendering.styles import hides, refused_declarations, refused_fonts, style_values
from signatures.rendering.tree import Element, Text, read_tree

WARN_BYTES = 60_000
# WCAG's minimum for text on the background the author sees; its minimum for large text on a dark
# background, because no single colour reaches 4.5 on both.
MIN_CONTRAST = 4.5
MIN_CONTRAST_DARK = 3.0
LIGHT_GROUND = "#ffffff"
DARK_GROUND = "#121212"
_NAMED = {"white": "#ffffff", "black": "#000000"}
# Less than a pixel, or a tenth of the text around it.
_NO_SIZE = re.compile(r"0(?:\.\d++)?(?:px|pt)?$|0(?:\.0\d*+)?(?:em|rem)$|[0-9](?:\.\d++)?%$")
_NO_COLOUR = re.compile(r"transparent|rgba\([^()]*, 0%?\)|#[0-9a-f]{6}00")
_AT_RULE = re.compile(r"@[a-z-]+", re.IGNORECASE)
# Names that are reserved for examples (RFC 2606, section 3), and those that tutorials use in place of one's own.
_PLACEHOLDER = re.compile(
    r"(?:https://|mailto:[^@\s]*@)(?:[\w-]+\.)*?"
    r"((?:example\.(?:com|net|org)|(?:your|my)-?(?:company|domain|website|site|link)\.\w+|placeholder\.com))(?=[/?#:]|$)",
    re.IGNORECASE,
)
_WHITE = 0.97  # luminance from which a background is taken for white


def removal_findings(source: str, css: str, places: TagPlaces) -> Iterator[Finding]:
    """Yield a warning for each tag, attribute, address and style that will be removed from `source`.

    source: with Liquid as placeholders. places: in the source as it was written.
    """
    tags = [piece for piece in read_pieces(source) if piece.kind is Kind.START]
    totals = Counter(tag.name for tag in tags)
    seen: Counter[str] = Counter()
    for tag in tags:
        place = places.find_tag(tag.name, seen[tag.name], totals[tag.name])
        seen[tag.name] += 1
        yield from (finding.at(place) for finding in _removed_parts(tag))
    for rule in dict.fromkeys(found.lower() for found in _AT_RULE.findall(css)):
        sentence = f"The {rule} rule was left out: mail clients drop it, or it would fetch something."
        yield warn("rule-removed", sentence).at(places.find_text(rule))


def style_findings(inlined: str) -> Iterator[Finding]:
    """Yield a warning for each declaration of a <style> block or attribute that will be removed."""
    for style in dict.fromkeys(re.findall(r' style="([^"]*)"', inlined)):
        yield from _refused_styles(unescape(style))


def _refused_styles(style: str) -> Iterator[Finding]:
    for declaration in refused_declarations(style):
        yield warn("style-removed", f"The style “{declaration[:80]}” is not allowed and was removed.")
    for font in refused_fonts(style):
        sentence = f"The font {font[:80]} was left out of its list: mail clients do not agree on how to read its name."
        yield warn("font-removed", sentence)


def _refused_address(address: str) -> str:
    """Return why an address was removed: its scheme, or what follows it."""
    scheme = address.strip().partition(":")[0].lower()
    if scheme == "tel":
        reason = "what follows tel: is no phone number"
    elif scheme == "https":
        reason = "its host cannot be read, or could be read as another one"
    else:
        reason = "addresses start with https://, links may also start with mailto: or tel:"
    return f"The address “{address[:80]}” was removed: {reason}."


def result_findings(html: str, byte_count: int, places: TagPlaces) -> Iterator[Finding]:
    """Yield what to correct in a signature rendered with sample values."""
    if byte_count > WARN_BYTES:
        yield warn("size", f"With sample values the signature is {byte_count:,} bytes; 65,535 is the limit.")
    root = read_tree(html)
    reader = _Reader(places.find_elements(root))
    for node in root.walk():
        if isinstance(node, Element):
            findings = chain(_picture_findings(node), _link_findings(node))
            yield from (finding.at(reader.places.get(node)) for finding in findings)
    yield from reader.read(root, _Text())
    yield from client_findings(root, reader.places)


def _removed_parts(piece: Piece) -> Iterator[Finding]:
    """Yield a warning for each part of a tag that the sanitizer will not keep."""
    tag = piece.name
    if tag not in ALLOWED_TAGS:
        yield warn("tag-removed", f"The tag <{tag[:40]}> is not allowed and was removed.")
        return
    known = ALLOWED_ATTRIBUTES["*"] | ALLOWED_ATTRIBUTES.get(tag, frozenset()) | {"class", "id", "hidden"}
    for name, value in piece.get_attributes():
        if name == "style":
            # Hidden elements have a warning of their own.
            yield from () if hides(value) else _refused_styles(value)
        elif name not in known:
            sentence = f"The attribute {name[:40]} of <{tag}> is not allowed and was removed."
            yield warn("attribute-removed", sentence)
        elif name in ("class", "id", "hidden"):
            continue
        elif is_allowed_attribute(name, convert_attribute(name, value)):
            yield from _placeholder_findings(name, value)
        elif name in ("href", "src"):
            yield make_error("address-removed", _refused_address(value), "Enter the full address.")
        else:
            yield warn("value-removed", f"The value of {name} in <{tag}> is not allowed and was removed.")


def _placeholder_findings(name: str, address: str) -> Iterator[Finding]:
    """Yield an error where an address is one that stands for another, such as https://example.com."""
    if name in ("href", "src") and (found := _PLACEHOLDER.match(address.strip())):
        sentence = f"The address “{address[:80]}” is a placeholder: {found[1]} is no address of yours."
        yield make_error("address-placeholder", sentence, "Enter the address that is meant.")


def _link_findings(link: Element) -> Iterator[Finding]:
    """Yield a warning where a link leads somewhere and says nothing that could be clicked or read aloud."""
    if link.tag != "a" or "href" not in link.attributes:
        return
    address = unescape(link.attributes["href"])[:80]
    images = [node for node in link.walk() if isinstance(node, Element) and node.tag == "img"]
    if any(isinstance(node, Text) and not node.is_blank for node in link.walk()):
        return
    if not images:
        yield warn("link-empty", f"The link to {address} holds no words.", "Write some, or take it out.")
    elif not any(image.attributes.get("alt") for image in images):
        sentence = f"The link to {address} is an image without alt text, so nobody hears where it leads."
        yield warn("link-unnamed", sentence, "Give the image an alt text.")


def _picture_findings(picture: Element) -> Iterator[Finding]:
    if picture.tag != "img":
        return
    name = unescape(picture.attributes.get("src", ""))[:80]
    if "alt" not in picture.attributes:
        yield warn("alt-missing", f"The picture {name} has no alt text.", "Add alt='' if it is decoration.")
    if "width" not in picture.attributes:
        sentence = f"The picture {name} has no width attribute; Outlook shows it at its full size."
        yield warn("width-missing", sentence)


@dataclass(frozen=True, slots=True)
class _Text:
    """How the text at one place looks: its colour, background and size, and the line that says so."""

    ink: str | None = None
    ground: str | None = None
    size: str = ""
    place: tuple[int, int] | None = None


class _Reader:
    """Finds the text of a signature that is hard or impossible to read."""

    def __init__(self, places: dict[Element, tuple[int, int]]) -> None:
        self.places = places

    def read(self, node: Element, around: _Text) -> Iterator[Finding]:
        """Yield a warning for each text in `node` that cannot be read on a light or dark background."""
        styles = style_values(unescape(node.attributes.get("style", "")))
        ground = get_ground(node, styles)
        here = _Text(
            ink=_get_ink(node, styles, around),
            ground=ground or around.ground,
            size=styles.get("font-size") or around.size,
            place=self.places.get(node) or around.place,
        )
        if _is_white(ground):
            yield warn(
                "white-background",
                "A white background is a white box in dark mode.",
                "Leave it out or use a padded off-white.",
            ).at(here.place)
        for child in node.children:
            if isinstance(child, Element):
                yield from self.read(child, here)
            elif not child.is_blank:
                words = f"“{unescape(child.content).strip()[:40]}”"
                yield from (finding.at(here.place) for finding in _unreadable(words, here))


def _get_ink(node: Element, styles: Mapping[str, str], around: _Text) -> str | None:
    """Return the colour of the text in an element; None where the mail client chooses, as it does for links."""
    own = styles.get("color") or node.attributes.get("color")
    if own is None and node.tag == "a" and "href" in node.attributes:
        return None
    return around.ink if own in (None, "inherit") else own


def _is_white(ground: str | None) -> bool:
    return (luminance(_NAMED.get(ground or "", ground or "")) or 0) >= _WHITE


def _unreadable(words: str, text: _Text) -> Iterator[Finding]:
    ink = text.ink
    if _NO_SIZE.match(text.size):
        yield warn("no-size", f"{words} has no size, so nobody sees it.", "Take it out.")
    elif _NO_COLOUR.fullmatch(ink or ""):
        yield warn("no-colour", f"{words} has no colour, so nobody sees it.", "Take it out.")
    has_ground = text.ground not in NO_GROUND
    if ink is None:
        if has_ground:
            sentence = f"{words} has a background but no colour of its own; in dark mode it may vanish."
            yield warn("colour-missing", sentence, "Give it a colour.")
        return
    ink = _NAMED.get(ink, ink)
    if has_ground:
        ground = text.ground or ""
        yield from _low_contrast(words, ink, _NAMED.get(ground, ground), f"on {ground}", MIN_CONTRAST)
    else:
        yield from _low_contrast(words, ink, LIGHT_GROUND, "on white", MIN_CONTRAST)
        yield from _low_contrast(words, ink, DARK_GROUND, "in dark mode", MIN_CONTRAST_DARK)


def vanishes_in_dark(luma: int) -> bool:
    """Return whether what has this luma, 0 to 255, has too little contrast with a dark background."""
    ratio = contrast_ratio(f"#{luma:02x}{luma:02x}{luma:02x}", DARK_GROUND)
    return ratio is not None and ratio < MIN_CONTRAST_DARK


def _low_contrast(words: str, ink: str, ground: str, where: str, least: float) -> Iterator[Finding]:
    ratio = contrast_ratio(ink, ground)
    if ratio is not None and ratio < least:
        code = "contrast-dark" if ground == DARK_GROUND else "contrast"
        yield warn(code, f"{words} in {ink} is hard to read {where} ({ratio:.1f} to 1, not {least}).")
