"""A line of which some fields are missing: its parts, and the separators between them.

A separator is · • | or a comma, or a dash or slash with spaces around it, in the template's own
text (never inside a value). The line is cut there. A part with missing fields and no present
one goes, its label and one separator with it. Other parts stay; in them brackets around a
missing value go, and so does a doubled space.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from signatures.rendering.marks import ABSENT, PRESENT_CLOSE, PRESENT_OPEN
from signatures.rendering.tree import NO_FIELDS, Element, Node, Tally, Text, tally

_SPACE = r"(?:[ \t\r\n]|&nbsp;)"
_SEPARATOR = rf"{_SPACE}*[·•‧∙|]{_SPACE}*|{_SPACE}+[-–—/]{_SPACE}+|{_SPACE}*,{_SPACE}+"
_ATOMS = re.compile(f"({PRESENT_OPEN}\\d+{PRESENT_CLOSE}|{ABSENT}|{_SEPARATOR})")
_IS_SEPARATOR = re.compile(_SEPARATOR)
_OPENING = re.compile(rf"{_SPACE}*[(\[“‘\"]{_SPACE}*$")
_CLOSING = re.compile(rf"^{_SPACE}*[)\]”’\"]")
_ENDS_IN_SPACE = re.compile(rf"{_SPACE}+$")
_STARTS_WITH_SPACE = re.compile(rf"^{_SPACE}+")


@dataclass(eq=False)
class Atom:
    """The smallest piece of a line. owner: the text or element it came from."""

    owner: Node
    content: str
    tally: Tally = NO_FIELDS
    is_separator: bool = False


@dataclass(eq=False)
class Part:
    """What stands between two separators, and the separator before it."""

    separator: Atom | None
    atoms: list[Atom]

    @property
    def is_lost(self) -> bool:
        fields = sum((atom.tally for atom in self.atoms), NO_FIELDS)
        return fields.missing > 0 and fields.present == 0


def settle_parts(nodes: list[Node]) -> None:
    """Take the missing parts out of one line, in place.

    nodes: neighbours on one line, at least one field in them present.
    """
    atoms = [atom for node in nodes for atom in _atoms(node)]
    parts = _parts(atoms)
    dropped: set[int] = set()
    is_first = True
    for number, part in enumerate(parts):
        if part.is_lost:
            dropped.update(id(atom) for atom in part.atoms)
        if part.separator is not None and (part.is_lost or (is_first and number > 0)):
            dropped.add(id(part.separator))
        if not part.is_lost:
            is_first = False
            _close_gaps(part.atoms)
    for atom in atoms:
        if id(atom) in dropped or atom.tally.missing:
            atom.content = ""
    full = [element for element in _elements(nodes) if element.has_content]
    _write_back(atoms, dropped)
    for element in full:
        element.touched = element.touched or not element.has_content


def _elements(nodes: list[Node]) -> list[Element]:
    tops = [node for node in nodes if isinstance(node, Element)]
    return tops + [node for top in tops for node in top.walk() if isinstance(node, Element)]


def _atoms(node: Node) -> list[Atom]:
    """Return the atoms of `node`; a picture, or a link judged by its address, is a single one."""
    if isinstance(node, Text):
        return [_text_atom(node, piece) for piece in _ATOMS.split(node.content) if piece]
    fields = tally(node)
    if node.tag == "img" or (node.tag == "a" and fields.missing and not _has_field_inside(node)):
        return [Atom(node, "", fields)]
    atoms = [atom for child in node.children for atom in _atoms(child)]
    if node.tag == "a" and not _has_field_inside(node):
        atoms.insert(0, Atom(node, "", fields))
    return atoms


def _has_field_inside(link: Element) -> bool:
    return sum((tally(child) for child in link.children), NO_FIELDS) != NO_FIELDS


def _text_atom(owner: Text, piece: str) -> Atom:
    if piece == ABSENT:
        return Atom(owner, piece, Tally(missing=1))
    if piece.startswith(PRESENT_OPEN):
        return Atom(owner, piece, Tally(present=1))
    return Atom(owner, piece, is_separator=bool(_IS_SEPARATOR.fullmatch(piece)))


def _parts(atoms: list[Atom]) -> list[Part]:
    parts = [Part(None, [])]
    for atom in atoms:
        if atom.is_separator:
            parts.append(Part(atom, []))
        else:
            parts[-1].atoms.append(atom)
    return parts


def _close_gaps(atoms: list[Atom]) -> None:
    """Take brackets and a doubled space from around each missing value of a part that stays."""
    for at, atom in enumerate(atoms):
        if not atom.tally.missing:
            continue
        before = next((a for a in reversed(atoms[:at]) if a.content and not a.tally.missing), None)
        after = next((a for a in atoms[at + 1 :] if a.content and not a.tally.missing), None)
        before_is_text = before is not None and before.tally == NO_FIELDS
        if before and after and before_is_text and after.tally == NO_FIELDS:
            if _OPENING.search(before.content) and _CLOSING.search(after.content):
                before.content = _OPENING.sub("", before.content)
                after.content = _CLOSING.sub("", after.content)
            if _ENDS_IN_SPACE.search(before.content):
                after.content = _STARTS_WITH_SPACE.sub("", after.content)
        elif before and before_is_text and after is None:
            before.content = _ENDS_IN_SPACE.sub("", before.content)
        elif before is None and after and after.tally == NO_FIELDS:
            after.content = _STARTS_WITH_SPACE.sub("", after.content)


def _write_back(atoms: list[Atom], dropped: set[int]) -> None:
    """Put the atoms' contents back into their texts; empty the pictures and links that go."""
    texts: dict[int, tuple[Text, list[str]]] = {}
    for atom in atoms:
        if isinstance(atom.owner, Text):
            texts.setdefault(id(atom.owner), (atom.owner, []))[1].append(atom.content)
        elif atom.tally.missing or (id(atom) in dropped and atom.owner.tag == "img"):
            atom.owner.children.clear()
            atom.owner.tag = ""
    for text, contents in texts.values():
        text.content = "".join(contents)
