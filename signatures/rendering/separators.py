"""Separators: removes the parts of a line whose fields are missing, with one separator each.

A separator is · • | or a comma, a dash or slash with spaces around it, or a gap wider than one space, in the
template's own text (never inside a value). The line is split there. A part with missing fields and no other
content is removed, with its label and one separator. A part with a link, a picture or words of its own stays.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

from signatures.rendering.labels import find_label, has_words, is_label, is_label_picture, is_long
from signatures.rendering.tree import NO_FIELDS, Element, Node, Tally, Text, tally

from .sentinels import ABSENT, PRESENT_CLOSE, PRESENT_OPEN

_BLANK = r"[ \t\r\n\u2000-\u200a\u3000]"
_SPACE = rf"(?:{_BLANK}|&nbsp;)"
_WIDE = "[\u2001-\u2005\u3000]"
# A separator starts where a run of spaces does, so that each run is read once.
_SEPARATOR = (
    rf"(?<!{_BLANK})(?<!&nbsp;)(?:{_SPACE}*+[·•‧∙⋅●▪|¦│‖]++{_SPACE}*+|{_SPACE}++[-–—/]++{_SPACE}++|{_SPACE}*+,{_SPACE}++"
    rf"|{_BLANK}++&nbsp;{_SPACE}*+|&nbsp;{_SPACE}++|(?=(?:[ \t\r\n]|&nbsp;)*+{_WIDE}){_SPACE}++)"
)
_ATOMS = re.compile(f"({PRESENT_OPEN}\\d+{PRESENT_CLOSE}|{ABSENT}|{_SEPARATOR})")
_IS_SEPARATOR = re.compile(_SEPARATOR)
_OPENING = re.compile(rf"(?<!{_BLANK})(?<!&nbsp;){_SPACE}*+[(\[“‘\"]{_SPACE}*+$")
_BRACKET = re.compile(rf"{_SPACE}*+[(\[“‘\"]")
_CLOSING = re.compile(rf"^{_SPACE}*+[)\]”’\"]")
_ENDS_IN_SPACE = re.compile(rf"(?<!{_BLANK})(?<!&nbsp;){_SPACE}++$")
_STARTS_WITH_SPACE = re.compile(rf"^{_SPACE}++")


@dataclass(eq=False)
class Atom:
    """The smallest piece of a line.

    owner: the text or element it came from. is_fixed: it is inside a link of the template's own.
    """

    owner: Node
    content: str
    tally: Tally = NO_FIELDS
    is_separator: bool = False
    is_fixed: bool = False

    @property
    def is_text(self) -> bool:
        """Return whether it is text of the template's own that may be a label."""
        return isinstance(self.owner, Text) and self.tally == NO_FIELDS and not self.is_fixed

    @property
    def is_missing_text(self) -> bool:
        return isinstance(self.owner, Text) and self.tally.missing > 0

    @property
    def is_blank(self) -> bool:
        return self.is_text and not self.content.replace("&nbsp;", "").strip()


@dataclass(eq=False)
class Part:
    """The content between two separators, and the separator before it."""

    separator: Atom | None
    atoms: list[Atom]
    is_lost: bool = False

    @property
    def fields(self) -> Tally:
        return sum((atom.tally for atom in self.atoms), NO_FIELDS)

    @property
    def text(self) -> str:
        return _text(self.atoms)

    @property
    def starts_with_value(self) -> bool:
        first = next((atom for atom in self.atoms if not atom.is_blank), None)
        return first is not None and first.tally != NO_FIELDS


def settle_parts(nodes: list[Node]) -> bool:
    """Remove the missing parts of one line, in place; return whether anything of it stays.

    nodes: the nodes of one line, with at least one missing field.
    """
    atoms = [atom for node in nodes for atom in _atoms(node)]
    parts = _parts(atoms)
    _find_lost(parts)
    dropped: set[int] = set()
    is_first = True
    for number, part in enumerate(parts):
        if part.is_lost:
            dropped.update(id(atom) for atom in part.atoms)
        if part.separator is not None and (part.is_lost or (is_first and number > 0)):
            dropped.add(id(part.separator))
        if not part.is_lost:
            is_first = False
            dropped.update(_take_labels(part.atoms))
            _close_gaps(part.atoms)
    for atom in atoms:
        if id(atom) in dropped or atom.tally.missing:
            atom.content = ""
    full = [element for element in _elements(nodes) if element.has_content]
    _write_back(atoms, dropped)
    for element in full:
        element.touched = element.touched or not element.has_content
    return any(not node.is_blank if isinstance(node, Text) else node.shows for node in nodes)


def _find_lost(parts: list[Part]) -> None:
    """Mark the parts to remove: those of missing fields and labels only, and labels that are parts before them."""
    for part in parts:
        part.is_lost = part.fields.missing > 0 and part.fields.present == 0 and not _has_own_words(part)
    if len(parts) == 1:
        return
    for part, after, next_one in zip(parts[:-1], parts[1:], [*parts[2:], None], strict=True):
        is_alone = part.fields == NO_FIELDS and all(atom.is_text for atom in part.atoms)
        # In "Phone | … | 0142" the label is for both numbers; before several pictures it is for all of them.
        is_shared = (
            next_one is not None
            and not next_one.is_lost
            and (next_one.starts_with_value or not any(atom.is_missing_text for atom in after.atoms))
        )
        if after.is_lost and is_alone and not is_shared and is_label(part.text):
            part.is_lost = True


def _has_own_words(part: Part) -> bool:
    """Return whether a part has other content than its fields: a link, a picture, or words that are no label."""
    if is_long(part.text) or any(
        atom.tally == NO_FIELDS and not atom.is_text and not _is_icon(part.atoms, at)
        for at, atom in enumerate(part.atoms)
    ):
        return True
    missing = [at for at, atom in enumerate(part.atoms) if atom.tally.missing]
    before, after = _text(part.atoms[: missing[0]]), _text(part.atoms[missing[-1] + 1 :])
    if before.strip():
        return bool(find_label(before))
    return (
        has_words(after) and not is_label(after) and not _CLOSING.search(after) and not _BRACKET.match(after)
    )


def _text(atoms: list[Atom]) -> str:
    return "".join(atom.content for atom in atoms if atom.is_text)


def _is_icon(atoms: list[Atom], at: int) -> bool:
    """Return whether the atom is a small picture before a missing text, as its label."""
    owner = atoms[at].owner
    if not isinstance(owner, Element) or atoms[at].is_fixed or not is_label_picture(owner):
        return False
    following = at + 1
    while following < len(atoms) and atoms[following].is_blank:
        following += 1
    return following < len(atoms) and atoms[following].is_missing_text


def _take_labels(atoms: list[Atom]) -> set[int]:
    """Empty the labels of missing fields in a part that stays; return the ids of pictures that are labels."""
    dropped: set[int] = set()
    solid = [at for at, atom in enumerate(atoms) if not atom.is_blank]
    for place, at in enumerate(solid):
        if not atoms[at].tally.missing:
            continue
        following = solid[place + 1] if place + 1 < len(solid) else len(atoms)
        # In "Name: … Li" the label is for both; before pictures in a row it is for all of them.
        if following < len(atoms) and not (
            atoms[following].is_text or (atoms[at].is_missing_text and atoms[following].is_fixed)
        ):
            continue
        last = place - 1
        while last >= 0 and atoms[solid[last]].tally.missing:
            last -= 1
        first = last
        while first >= 0 and atoms[solid[first]].is_text:
            first -= 1
        if last >= 0 and _is_icon(atoms, solid[last]):
            dropped.add(id(atoms[solid[last]]))
            first = last - 1
        elif not _cut_label([atoms[number] for number in solid[first + 1 : last + 1]]):
            continue
        # The space around the label.
        blanks = range(following) if first < 0 else range(solid[first] + 1, at)
        for number in blanks:
            if atoms[number].is_blank:
                atoms[number].content = ""
    return dropped


def _cut_label(atoms: list[Atom]) -> bool:
    """Remove the label from the end of the texts, in place; return whether there was one."""
    start = find_label("".join(atom.content for atom in atoms))
    if start is None:
        return False
    for atom in atoms:
        length = len(atom.content)
        atom.content = atom.content[: max(start, 0)]
        start -= length
    return True


def _elements(nodes: list[Node]) -> list[Element]:
    tops = [node for node in nodes if isinstance(node, Element)]
    return tops + [node for top in tops for node in top.walk() if isinstance(node, Element)]


def _atoms(node: Node) -> list[Atom]:
    """Return the atoms of `node`; a picture, or a link that counts by its address, is a single one."""
    if isinstance(node, Text):
        return [_text_atom(node, piece) for piece in _ATOMS.split(node.content) if piece]
    fields = tally(node)
    if node.tag == "img" or (node.tag == "a" and fields.missing and not _has_field_inside(node)):
        return [Atom(node, "", fields)]
    atoms = [atom for child in node.children for atom in _atoms(child)]
    if node.tag == "a" and not _has_field_inside(node):
        for atom in atoms:
            atom.is_fixed, atom.is_separator = True, False
        atoms.insert(0, Atom(node, "", fields, is_fixed=True))
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
    """Remove brackets and a doubled space around each missing value of a part that stays."""
    behind: list[Atom] = []
    ahead = deque(atom for atom in atoms if atom.content and not atom.tally.missing)
    for atom in atoms:
        if not atom.tally.missing:
            behind.append(atom)
            if ahead and atom is ahead[0]:
                ahead.popleft()
            continue
        while behind and not behind[-1].content:  # already emptied, or an element
            behind.pop()
        while ahead and not ahead[0].content:
            ahead.popleft()
        before, after = behind[-1] if behind else None, ahead[0] if ahead else None
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
    """Write the atoms' contents back into their texts; empty the pictures and links that are removed."""
    texts: dict[int, tuple[Text, list[str]]] = {}
    for atom in atoms:
        if isinstance(atom.owner, Text):
            texts.setdefault(id(atom.owner), (atom.owner, []))[1].append(atom.content)
        elif atom.tally.missing or (id(atom) in dropped and atom.owner.tag == "img"):
            atom.owner.children.clear()
            atom.owner.tag = ""
    for text, contents in texts.values():
        text.content = "".join(contents)
