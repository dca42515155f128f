"""Checks a template when it is saved and turns it into the text that is stored and rendered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from liquid.ast import Node
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.context import RenderContext
from liquid.exceptions import LiquidError
from liquid.expression import Expression
from liquid.template import BoundTemplate

from signatures.rendering.absences import left_over_warnings
from signatures.rendering.advice import removal_warnings, result_warnings, style_warnings
from signatures.rendering.branches import require_whole_branches
from signatures.rendering.errors import RenderRefused, TemplateError
from signatures.rendering.fields import FIELD_BY_NAME, nearest_field, sample_values
from signatures.rendering.filters import FILTERS
from signatures.rendering.hidden import condition_warnings, drop_hidden
from signatures.rendering.language import ALLOWED_TAGS, LIQUID, MarkedOutputNode
from signatures.rendering.render import render_signature
from signatures.rendering.sanitize import inline_styles, sanitize_inlined, sanitize_template
from signatures.rendering.slots import LIQUID_PIECE, Locator, Slot, put_aside, put_back
from signatures.rendering.template import CompiledTemplate

MAX_SOURCE_CHARACTERS = 100_000
_COMMENT = re.compile(r"\{%-?\s*comment\s*-?%\}.*?\{%-?\s*endcomment\s*-?%\}", re.DOTALL)
_PRIVATE = re.compile("[\ue000-\uf8ff\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_TAG_NAME = re.compile(r"\{%-?\s*([^\s%-]*)")
_PICTURE_WITHOUT_ADDRESS = re.compile(r"<img(?![^>]* src=)[^>]*>")
_BLANK_LINES = re.compile(r"[ \t\r]*\n\s*")
_BRACES = re.compile(r"\{\{|\}\}|\{%|%\}")


def compile_template(source: str) -> CompiledTemplate:
    """Return `source` checked, sanitized and with its styles inline.

    source: HTML with Liquid, at most 100,000 characters.
    Raises: TemplateError, with line and column, when it cannot be used as it is.
    """
    source = unify_line_ends(source)
    at = Locator(source)
    _refuse_characters(source, at)
    source = _COMMENT.sub(_blank, source)
    parsed = _parse(source, at)
    slots = _read_slots(source, parsed, at)
    markup = put_aside(source, slots, at)
    draft, hidden = drop_hidden(inline_styles(sanitize_template(markup.html), markup.css))
    html = _clean(draft, at)
    require_whole_branches(html, markup, at)
    fields = tuple(dict.fromkeys(name for slot in slots for name in slot.fields))
    compiled = CompiledTemplate(put_back(html, markup, at).strip(), fields)
    warnings = [
        *removal_warnings(markup.html, markup.css),
        *condition_warnings(source),
        *hidden,
        *style_warnings(draft),
        *_try_out(compiled),
    ]
    return replace(compiled, warnings=tuple(dict.fromkeys(warnings)))


def unify_line_ends(source: str) -> str:
    """Return `source` with every line end written as one line feed: browsers send two characters, files one."""
    return source.replace("\r\n", "\n").replace("\r", "\n")


def _try_out(template: CompiledTemplate) -> list[str]:
    """Return warnings from rendering with samples; raise TemplateError where it can never be sent."""
    if not template.html:
        raise TemplateError("The template shows nothing. Write what a signature should hold.")
    try:
        full = render_signature(template, sample_values())
    except RenderRefused as refusal:
        raise TemplateError(refusal.message) from refusal
    try:
        render_signature(template, {})
    except RenderRefused as refusal:
        if refusal.code != "empty":
            raise TemplateError(refusal.message) from refusal
    return [*result_warnings(full.html, full.byte_count), *left_over_warnings(template)]


def _refuse_characters(source: str, at: Locator) -> None:
    if len(source) > MAX_SOURCE_CHARACTERS:
        raise TemplateError(f"The template is longer than {MAX_SOURCE_CHARACTERS:,} characters.")
    found = _PRIVATE.search(source)
    if found:
        raise at.error(f"The character U+{ord(found[0]):04X} cannot be used in a template.", found.start())


def _blank(found: re.Match[str]) -> str:
    """Return a Liquid comment as blanks, so that what follows keeps its line and column."""
    return re.sub(r"[^\n]", " ", found[0])


def _parse(source: str, at: Locator) -> BoundTemplate:
    """Return the parsed template; raise TemplateError for tags, filters and syntax that are not ours."""
    for found in LIQUID_PIECE.finditer(source):
        name = _TAG_NAME.match(found[0])
        if name and name[1] not in ALLOWED_TAGS:
            allowed = "if, elsif, else, unless, case, when and comment"
            raise at.error(f"The tag {name[1] or '%'} is not available; there are {allowed}.", found.start())
    try:
        return LIQUID.from_string(source)
    except LiquidError as error:
        position = error.token.start_index if error.token and error.token.start_index >= 0 else len(source)
        raise at.error(f"{str(error.message).capitalize()}.", position) from error


def _read_slots(source: str, parsed: BoundTemplate, at: Locator) -> list[Slot]:
    """Return every piece of Liquid in source order, its fields and filters known and allowed."""
    slots = {found.start(): Slot(found[0], found.start()) for found in LIQUID_PIECE.finditer(source)}
    starts = sorted(slots)
    for expression, node in _expressions(parsed.nodes, RenderContext(parsed)):
        position = node.token.start_index
        start = max((s for s in starts if s <= position), default=0)
        fields, filters = _names_in(expression, position, at)
        slot = slots[start]
        slot.fields += fields
        slot.filters += filters
        if isinstance(node, MarkedOutputNode) and not _starts_with_field(expression):
            raise at.error("An output must start with a field, as in {{ sender.name }}.", position)
    return [slots[start] for start in starts]


def _expressions(nodes: Iterable[Node], context: RenderContext) -> Iterator[tuple[Expression, Node]]:
    """Yield every expression below `nodes` with the node it belongs to; `context` is never read."""
    for node in nodes:
        for expression in node.expressions():
            yield expression, node
        yield from _expressions(node.children(context), context)


def _starts_with_field(expression: Expression) -> bool:
    return isinstance(expression, FilteredExpression) and isinstance(expression.left, Path)


def _names_in(expression: Expression, position: int, at: Locator) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the fields and filters of an expression; raise TemplateError for unknown ones."""
    if isinstance(expression, Path):
        return (_known_field(expression, position, at),), ()
    fields: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    if isinstance(expression, FilteredExpression):
        for used in expression.filters or []:
            if used.name not in FILTERS:
                allowed = ", ".join(FILTERS)
                raise at.error(f"The filter {used.name} is not available; there are {allowed}.", position)
            filters += (used.name,)
    for child in expression.children():
        inner_fields, inner_filters = _names_in(child, position, at)
        fields += inner_fields
        filters += inner_filters
    return fields, filters


def _known_field(path: Path, position: int, at: Locator) -> str:
    name = ".".join(segment if isinstance(segment, str) else f"[{segment}]" for segment in path.path)
    if name in FIELD_BY_NAME:
        return name
    near = nearest_field(name)
    hint = f" Did you mean {near}?" if near else ""
    raise at.error(f"There is no field {name}.{hint}", position)


def _clean(draft: str, at: Locator) -> str:
    """Return the draft in its final form: sanitized again, class names gone, blank space short."""
    html = sanitize_inlined(draft)
    html = _PICTURE_WITHOUT_ADDRESS.sub("", _BLANK_LINES.sub("\n", html))
    # Here all Liquid is put aside: braces now were text, or character references that became text.
    if _BRACES.search(html):
        raise at.error("Braces that belong to no field are left in the text; take them out.", 0)
    return html
