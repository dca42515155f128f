"""Nesting: checks that each branch of a condition closes the elements it opens.

Otherwise the markup would be complete with one branch and broken with the other, and the check
of the finished signature would refuse it for some senders only.
"""

from __future__ import annotations

import re

from signatures.rendering.errors import Locator, TemplateError
from signatures.rendering.tree import VOID_TAGS

from .placeholders import Place, SlottedMarkup
from .sentinels import SLOT_CLOSE, SLOT_OPEN

_PIECE = re.compile(f"<!--{SLOT_OPEN}(?P<slot>\\d+){SLOT_CLOSE}-->|<(?P<close>/?)(?P<tag>[a-z0-9]+)[^<>]*>")
_KEYWORD = re.compile(r"\{%-?\s*(\w+)")
_OPENERS = frozenset({"if", "unless", "case"})
_CLOSERS = frozenset({"endif", "endunless", "endcase"})


def require_whole_branches(html: str, markup: SlottedMarkup, at: Locator) -> None:
    """Raise TemplateError unless every branch of every condition contains whole elements.

    html: sanitized, with placeholders.
    """
    open_elements: list[int] = []
    open_conditions: list[tuple[int, ...]] = []
    seen = 0
    for number, found in enumerate(_PIECE.finditer(html)):
        if found["slot"] is None:
            if found["tag"] in VOID_TAGS:
                continue
            if found["close"]:
                open_elements.pop()
            else:
                # Identified by where they opened: <b> closed and opened again is another element.
                open_elements.append(number)
            continue
        seen += 1
        slot = markup.slots[int(found["slot"])]
        keyword = _KEYWORD.match(slot.source)
        name = keyword[1] if keyword else ""
        if name in _OPENERS:
            open_conditions.append(tuple(open_elements))
            continue
        if not open_conditions or open_conditions[-1] != tuple(open_elements):
            raise _broken(slot.position, at)
        if name in _CLOSERS:
            open_conditions.pop()
    conditions = [slot for slot in markup.slots if slot.place is Place.BETWEEN]
    if open_conditions or seen != len(conditions):
        raise _broken(conditions[0].position, at)


def _broken(position: int, at: Locator) -> TemplateError:
    return at.error(
        "The elements between this condition and the one before it are not whole: "
        "close every element in the branch that opens it, and put conditions around whole rows or cells.",
        position,
    )
