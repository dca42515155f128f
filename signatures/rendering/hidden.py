"""Hidden parts: removes what no reader sees, or only Outlook, before a template is stored, with a warning.

A preheader is text for the list of mails, and has no use at the end of one; conditional comments are markup that
only Outlook reads, and that is not checked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from signatures.rendering.errors import Locator
from signatures.rendering.findings import Finding, warn
from signatures.rendering.styles import hides
from signatures.rendering.tree import VOID_TAGS

from .sentinels import SLOT_CLOSE, SLOT_OPEN

# This serializer does not escape > in attributes.
_PIECES = re.compile(r"(<!--[^<>]*+-->|<[^<>\"]*+(?:\"[^\"]*+\"[^<>\"]*+)*+>)")
_TAG = re.compile(r"<(?P<end>/?)(?P<name>[a-z0-9]+)")
_STYLE = re.compile(r' style="([^"]*)"')
_SLOT = re.compile(f"{SLOT_OPEN}[0-9]+{SLOT_CLOSE}")
# <!--[if mso]> hides the rest from all but Outlook; followed by -->, or without --, it does not.
_CONDITION = re.compile(
    r"<!(?P<dashes>--)?\s{0,9}\[if\b(?P<words>[^\]<>]{0,80})\]>(?P<shown>(?:<!)?-->)?", re.IGNORECASE
)


def condition_findings(source: str) -> Iterator[Finding]:
    """Yield a warning for each conditional comment in `source`."""
    at = Locator(source)
    for found in _CONDITION.finditer(source):
        dashes, words, shown = found.group("dashes", "words", "shown")
        written = f"<!{dashes or ''}[if{words}]>"
        if dashes and not shown:
            hidden = f"What stands between {written} and <![endif]-->"
            sentence = f"{hidden} was left out: conditional comments are not kept."
        else:
            sentence = (
                f"The condition {written} was left out: what stands in it is shown in every mail client."
            )
        yield warn("condition-removed", sentence).at(at.place(found.start()))


def drop_hidden(html: str) -> tuple[str, list[Finding]]:
    """Return `html` without the elements that its styles hide, and a warning for each.

    html: what a serializer wrote, styles inline, Liquid as placeholders. Conditions stay, empty.
    """
    kept: list[str] = []
    findings: list[Finding] = []
    words: list[str] = []
    depth = 0
    for piece in _PIECES.split(html):
        tag = _TAG.match(piece)
        if piece.startswith("<!--") or (depth == 0 and not (tag and not tag["end"] and _is_hidden(piece))):
            kept.append(piece)
        elif tag is None:
            words.append(piece)
        else:
            if tag["name"] not in VOID_TAGS:
                depth += -1 if tag["end"] else 1
            if depth == 0:
                findings.append(_warn_hidden(tag["name"], "".join(words)))
                words = []
    return "".join(kept), findings


def _warn_hidden(name: str, words: str) -> Finding:
    text = " ".join(unescape(_SLOT.sub("…", words)).split())
    what = f"The hidden text “{text[:60]}”" if text else f"A hidden <{name}>"
    return warn("hidden-removed", f"{what} was left out: a signature shows all that it holds.")


def _is_hidden(tag: str) -> bool:
    style = _STYLE.search(tag)
    return ' hidden="' in tag or (style is not None and hides(unescape(style[1])))
