"""Markup tree: parses serialized markup into elements and texts, and writes it back.

Reads only what a serializer wrote (no `>` inside attributes, every element closed), as in
stored templates; that keeps it small and fast.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .sentinels import ABSENT, PRESENT_CLOSE

VOID_TAGS = frozenset({"br", "img", "hr"})
BLOCK_TAGS = frozenset(
    {
        "blockquote",
        "center",
        "div",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    }
)
PIECES = re.compile(r"(<[^<>]*+>)")
ATTRIBUTE = re.compile(r' ([a-z-]+)="([^"]*)"')


@dataclass(eq=False)
class Text:
    """A run of characters, still escaped."""

    content: str

    @property
    def is_blank(self) -> bool:
        return not self.content.replace("&nbsp;", "").strip()


@dataclass(eq=False)
class Element:
    """One element. touched: something inside was removed; unwrapped: only its content is written."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element | Text] = field(default_factory=list)
    touched: bool = False
    unwrapped: bool = False

    def walk(self) -> Iterator[Element | Text]:
        """Yield everything below this element, in reading order."""
        for child in self.children:
            yield child
            if isinstance(child, Element):
                yield from child.walk()

    @property
    def is_block(self) -> bool:
        """Return whether it breaks the line: by its tag, or by a block or break inside it."""
        if self.tag in BLOCK_TAGS:
            return True
        return any(
            isinstance(node, Element) and (node.tag in BLOCK_TAGS or node.tag == "br") for node in self.walk()
        )

    @property
    def shows(self) -> bool:
        """Return whether any of it is visible: words in it, or a picture."""
        return self.tag == "img" or self.has_content

    @property
    def has_content(self) -> bool:
        """Return whether anything in it is visible: words or a picture."""
        return any(not node.is_blank if isinstance(node, Text) else node.tag == "img" for node in self.walk())


Node = Element | Text


def read_tree(html: str) -> Element:
    """Return the tree of `html` below a root without a tag."""
    root = Element("")
    stack = [root]
    for piece in PIECES.split(html):
        if not piece:
            continue
        if not piece.startswith("<"):
            stack[-1].children.append(Text(piece))
        elif piece.startswith("</"):
            if len(stack) > 1:
                stack.pop()
        else:
            tag = re.match(r"<([a-z0-9]+)", piece)
            element = Element(tag[1] if tag else "", dict(ATTRIBUTE.findall(piece)))
            stack[-1].children.append(element)
            if element.tag not in VOID_TAGS:
                stack.append(element)
    return root


def write_tree(node: Node) -> str:
    """Return the markup of `node`; an element without a tag, or unwrapped, writes its content only."""
    if isinstance(node, Text):
        return node.content
    inner = "".join(write_tree(child) for child in node.children)
    if not node.tag or node.unwrapped:
        return inner
    attributes = "".join(f' {name}="{value}"' for name, value in node.attributes.items())
    start = f"<{node.tag}{attributes}>"
    return start if node.tag in VOID_TAGS else f"{start}{inner}</{node.tag}>"


@dataclass(frozen=True)
class Tally:
    """How many merge fields are in a node, with a value and without."""

    present: int = 0
    missing: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.present + other.present, self.missing + other.missing)


NO_FIELDS = Tally()


def tally(node: Node) -> Tally:
    """Return the number of visible fields in `node`.

    A picture counts by its address. A link counts by the fields in it; one that contains only
    fixed words or a fixed picture counts by its address.
    """
    if isinstance(node, Text):
        return Tally(node.content.count(PRESENT_CLOSE), node.content.count(ABSENT))
    if node.tag == "img":
        return address_tally(node, "src")
    inside = sum((tally(child) for child in node.children), NO_FIELDS)
    if node.tag == "a" and inside == NO_FIELDS:
        return address_tally(node, "href")
    return inside


def address_tally(element: Element, name: str) -> Tally:
    """Return the fields of one address: missing as soon as one field in it is."""
    address = element.attributes.get(name, "")
    if ABSENT in address:
        return Tally(missing=1)
    return Tally(present=1) if PRESENT_CLOSE in address else NO_FIELDS
