"""Compiler: checks a template when it is saved, and turns it into the text that is stored and rendered."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import chain

from liquid.ast import Node
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.arguments import KeywordArgument
from liquid.builtin.expressions.filtered import Filter
from liquid.context import RenderContext
from liquid.exceptions import LiquidError
from liquid.expression import Expression
from liquid.template import BoundTemplate

from signatures.rendering.absences import left_over_findings
from signatures.rendering.bounds import (
    MarkupBounds,
    read_liquid,
    require_characters,
    require_css,
    require_draft,
)
from signatures.rendering.errors import Locator, RenderRefused, TemplateError
from signatures.rendering.fields import BUILT_IN, Field, Vocabulary
from signatures.rendering.filters import FILTER_ARGUMENTS, FILTERS, MAX_TRUNCATE
from signatures.rendering.findings import Finding, TagPlaces, drop_repeated, warn
from signatures.rendering.hidden import condition_findings, drop_hidden
from signatures.rendering.markup import Unclosed, read_pieces
from signatures.rendering.render import render_signature
from signatures.rendering.sanitize import inline_styles, sanitize_inlined, sanitize_template
from signatures.rendering.template import CompiledTemplate

from .lint import removal_findings, result_findings, style_findings
from .liquid import ALLOWED_TAGS, LIQUID, MarkedOutputNode
from .nesting import require_whole_branches
from .placeholders import LIQUID_PIECE, Slot, put_aside, put_back
from .sentinels import PRIVATE, SLOT_CLOSE, SLOT_OPEN

_COMMENTS = re.compile(f"<!--(?!{SLOT_OPEN}[0-9]+{SLOT_CLOSE}-->).*?-->", re.DOTALL)
# Neither < nor > occurs inside a tag: the serializer escapes both in values.
_PICTURE_WITHOUT_ADDRESS = re.compile(r"<img(?![^<>]* src=)[^<>]*>")
_BLANK_LINES = re.compile(r"(?<![ \t\r])[ \t\r]*+\n\s*+")
_NO_LINE_END = re.compile(r"[^\n]")
_BRACES = re.compile(r"\{\{|\}\}|\{%|%\}")


@lru_cache(maxsize=32)  # a preview, the check of a form and its saving ask about one text
def compile_template(source: str, vocabulary: Vocabulary = BUILT_IN) -> CompiledTemplate:
    """Return `source` checked, sanitized and with its styles inline.

    source: HTML with Liquid, at most 100,000 characters.
    Raises: TemplateError, with line and column, when it cannot be used.
    """
    source = unify_line_ends(source)
    at = Locator(source)
    require_characters(source, at)
    source = _without_comments(source, at)
    _require_markup(source, at)
    parsed = _parse(source, at)
    slots = _read_slots(source, parsed, vocabulary, at)
    markup = put_aside(source, slots, at)
    html = sanitize_template(markup.html)
    require_draft(html)
    require_css(markup.css, html.count("<"))
    draft, hidden = drop_hidden(inline_styles(html, markup.css))
    require_draft(draft)
    html = _clean(draft, at)
    require_whole_branches(html, markup, at)
    fields = tuple(dict.fromkeys(field.name for slot in slots for field in slot.fields))
    compiled = CompiledTemplate(put_back(html, markup, at).strip(), fields)
    _require_no_marks(compiled.html)
    places = TagPlaces(source)
    findings = chain(
        removal_findings(markup.html, markup.css, places),
        condition_findings(source),
        hidden,
        style_findings(draft),
        _removed_findings(slots, at),
        _try_out(compiled, places, vocabulary),
    )
    return replace(compiled, findings=tuple(drop_repeated(findings)))


def unify_line_ends(source: str) -> str:
    """Return `source` with every line end as one line feed: browsers send two characters, files one."""
    return source.replace("\r\n", "\n").replace("\r", "\n")


def _removed_findings(slots: list[Slot], at: Locator) -> Iterator[Finding]:
    """Yield a warning for each field that this domain no longer keeps."""
    for slot in slots:
        for field in slot.fields:
            if field.is_removed:
                sentence = f"The field {field.name} was removed, so it is missing for everybody."
                yield warn("field-removed", sentence, "Remove it from the template.").at(
                    at.place(slot.position)
                )


def _require_no_marks(html: str) -> None:
    """Raise TemplateError where one of our private characters was written in another way, such as a CSS escape."""
    if found := PRIVATE.search(html):
        raise TemplateError(f"The character U+{ord(found[0]):04X} cannot be used in a template.")


def _try_out(template: CompiledTemplate, places: TagPlaces, vocabulary: Vocabulary) -> Iterator[Finding]:
    """Yield findings from rendering with samples; raise TemplateError where no rendering can be sent."""
    if not template.html:
        raise TemplateError("The template shows nothing. Write what a signature should hold.")
    try:
        full = render_signature(template, vocabulary.sample_values, vocabulary)
    except RenderRefused as refusal:
        raise TemplateError(refusal.message) from refusal
    name = vocabulary.sample_values["sender.name"]
    for values in ({}, {"sender.name": name}):  # an empty signature hides what else would be refused
        try:
            render_signature(template, values, vocabulary)
        except RenderRefused as refusal:
            if refusal.code != "empty":
                raise TemplateError(refusal.message) from refusal
    yield from result_findings(full.html, full.byte_count, places)
    yield from left_over_findings(template, places, vocabulary)


def _without_comments(source: str, at: Locator) -> str:
    """Return `source` with each Liquid comment as spaces, so that the rest keeps its line and column.

    Raises: TemplateError for Liquid that has no end, is too long, or is an unknown tag.
    """
    texts: list[str] = []
    position = 0
    for start, end, name in read_liquid(source, at):
        if name == "comment":
            texts += source[position:start], _NO_LINE_END.sub(" ", source[start:end])
            position = end
        elif source.startswith("{%", start) and name not in ALLOWED_TAGS:
            allowed = "if, elsif, else, unless, case, when and comment"
            raise at.error(f"The tag {name or '%'} is not available; there are {allowed}.", start)
    return "".join((*texts, source[position:]))


def _require_markup(source: str, at: Locator) -> None:
    """Raise TemplateError where the tags of `source` are not closed, or are too many to be checked in time."""
    bounds = MarkupBounds(at)
    try:
        for piece in read_pieces(LIQUID_PIECE.sub(lambda found: SLOT_OPEN * len(found[0]), source)):
            bounds.count(piece)
    except Unclosed as unclosed:
        raise at.error(
            f"{unclosed.name} has no end, so nothing behind it would be shown. Write &lt; for the character <.",
            unclosed.position,
        ) from unclosed


def _parse(source: str, at: Locator) -> BoundTemplate:
    """Return the parsed template; raise TemplateError for unknown filters and syntax."""
    try:
        return LIQUID.from_string(source)
    except LiquidError as error:
        position = error.token.start_index if error.token and error.token.start_index >= 0 else len(source)
        raise at.error(f"{str(error.message).capitalize()}.", position) from error


def _read_slots(source: str, parsed: BoundTemplate, vocabulary: Vocabulary, at: Locator) -> list[Slot]:
    """Return every piece of Liquid in source order, its fields and filters known and allowed."""
    slots = {found.start(): Slot(found[0], found.start()) for found in LIQUID_PIECE.finditer(source)}
    starts = sorted(slots)
    for expression, node in _expressions(parsed.nodes, RenderContext(parsed)):
        position = node.token.start_index
        start = starts[bisect_right(starts, position) - 1]
        fields, filters = _names_in(expression, position, vocabulary, at)
        slot = slots[start]
        slot.fields += fields
        slot.filters += filters
        if isinstance(node, MarkedOutputNode) and not _starts_with_field(expression):
            raise at.error("An output must start with a field, as in {{ sender.name }}.", position)
    return [slots[start] for start in starts]


def _expressions(nodes: Iterable[Node], context: RenderContext) -> Iterator[tuple[Expression, Node]]:
    """Yield every expression below `nodes` with its node; `context` is never read."""
    for node in nodes:
        for expression in node.expressions():
            yield expression, node
        yield from _expressions(node.children(context), context)


def _starts_with_field(expression: Expression) -> bool:
    return isinstance(expression, FilteredExpression) and isinstance(expression.left, Path)


def _names_in(
    expression: Expression, position: int, vocabulary: Vocabulary, at: Locator
) -> tuple[tuple[Field, ...], tuple[str, ...]]:
    """Return the fields and filters of an expression; raise TemplateError for unknown ones."""
    if isinstance(expression, Path):
        return (_known_field(expression, position, vocabulary, at),), ()
    fields: tuple[Field, ...] = ()
    filters: tuple[str, ...] = ()
    if isinstance(expression, FilteredExpression):
        for used in expression.filters or []:
            if used.name not in FILTERS:
                allowed = ", ".join(FILTERS)
                raise at.error(f"The filter {used.name} is not available; there are {allowed}.", position)
            _require_arguments(used, position, at)
            filters += (used.name,)
    for child in expression.children():
        inner_fields, inner_filters = _names_in(child, position, vocabulary, at)
        fields += inner_fields
        filters += inner_filters
    return fields, filters


def _require_arguments(used: Filter, position: int, at: Locator) -> None:
    """Raise TemplateError for arguments that the filter would refuse, also in a branch that no sample renders."""
    most, says = FILTER_ARGUMENTS.get(used.name, (0, "nothing"))
    length = getattr(used.args[0].value, "value", None) if used.args and used.name == "truncate" else 1
    is_length = type(length) is int and 1 <= length <= MAX_TRUNCATE
    if len(used.args) > most or not is_length or any(isinstance(one, KeywordArgument) for one in used.args):
        raise at.error(f"The filter {used.name} takes {says} behind it.", position)


def _known_field(path: Path, position: int, vocabulary: Vocabulary, at: Locator) -> Field:
    name = ".".join(segment if isinstance(segment, str) else f"[{segment}]" for segment in path.path)
    if name in vocabulary.by_name:
        return vocabulary.by_name[name]
    near = vocabulary.nearest(name)
    hint = f" Did you mean {near}?" if near else ""
    raise at.error(f"There is no field {name}.{hint}", position)


def _clean(draft: str, at: Locator) -> str:
    """Return the draft in its final form: sanitized again, without class names, whitespace collapsed."""
    html = _COMMENTS.sub("", sanitize_inlined(draft))
    html = _PICTURE_WITHOUT_ADDRESS.sub("", _BLANK_LINES.sub("\n", html))
    # All Liquid is replaced by placeholders here: braces were text, or character references that became text.
    if _BRACES.search(html):
        raise at.error("Braces that belong to no field are left in the text; take them out.", 0)
    return html
