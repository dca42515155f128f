"""Template language: Liquid reduced to conditions, fields and ten filters.

Loops, assignments and includes are left out on purpose: a signature has one sender, so they
could only cost time or hide where a value comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import TextIO

from liquid import Environment, Mode, StrictUndefined
from liquid.ast import Node
from liquid.builtin.content import Literal
from liquid.builtin.expressions.logical import EqExpression, NeExpression
from liquid.builtin.expressions.path import Path
from liquid.builtin.expressions.primitive import Blank, Empty, Nil, StringLiteral
from liquid.builtin.illegal import Illegal
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.case_tag import CaseTag
from liquid.builtin.tags.if_tag import IfTag
from liquid.builtin.tags.unless_tag import UnlessTag
from liquid.context import RenderContext
from liquid.exceptions import OutputStreamLimitError
from liquid.expression import Expression
from liquid.stream import TokenStream
from liquid.template import BoundTemplate

from signatures.rendering.filters import FILTERS

from .sentinels import ABSENT, PRESENT_CLOSE, PRESENT_OPEN

MAX_OUTPUT = 262_144  # characters


def escape_value(value: str) -> str:
    """Return `value` escaped for text and for double-quoted attributes alike.

    The same characters, written the same way, as an HTML serializer writes them in attributes.
    """
    return (
        value.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace('"', "&quot;")
        .replace("\u00a0", "&nbsp;")
    )


class MarkedOutputNode(OutputNode):
    """Writes a value escaped, between marks, or the mark of a missing value.

    Escaping happens here and not by Liquid's autoescape, which trusts literals and
    what a filter declares safe. Nothing is trusted here.
    """

    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write the output of this node."""
        value = self.expression.evaluate(context)
        if value is None or value == "":
            return buffer.write(ABSENT)
        if buffer.tell() > MAX_OUTPUT:
            raise OutputStreamLimitError("output stream limit reached", token=self.token)
        return buffer.write(f"{PRESENT_OPEN}{escape_value(str(value))}{PRESENT_CLOSE}")


class MarkedOutput(Output):
    """Registers `MarkedOutputNode` for `{{ … }}`."""

    node_class = MarkedOutputNode


def _as_missing(expression: Expression) -> Expression:
    """Return a test for a missing value where `expression` is "", blank or empty, which no value is."""
    is_empty_text = isinstance(expression, StringLiteral) and not expression.value.strip()
    return Nil(expression.token) if is_empty_text or isinstance(expression, (Blank, Empty)) else expression


class SignatureCase(CaseTag):
    """A `case` whose `when ""` matches a missing value."""

    def _parse_when_expression(self, stream: TokenStream) -> list[Expression]:
        return [_as_missing(expression) for expression in super()._parse_when_expression(stream)]


class FieldPath(Path):
    """A field, written owner.name: looked up in the values alone, as no tag assigns any others."""

    __slots__ = ()

    def evaluate(self, context: RenderContext) -> object:
        """Return the field's value; as Liquid does where there is none."""
        owner, name = self.path
        try:
            return context.globals[owner][name]  # type: ignore[index]  # two words, of a mapping of mappings
        except (KeyError, TypeError):
            return super().evaluate(context)


class SignatureTemplate(BoundTemplate):
    """A template whose values are the only scope. Its text is bounded where a value is written, not at each piece."""

    def make_globals(self, render_args: Mapping[str, object]) -> Mapping[str, object]:
        return render_args

    def _get_buffer(self) -> StringIO:
        return StringIO()


class SignatureLiquid(Environment):
    """Liquid with allow-lists of tags and filters, and hard limits."""

    template_class = SignatureTemplate

    block_nesting_limit = 12
    context_depth_limit = 12
    loop_iteration_limit = 0
    local_namespace_limit = 0
    suppress_blank_control_flow_blocks = False

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """Register what is allowed, and nothing else."""
        for tag in (Literal, MarkedOutput, Illegal, IfTag, UnlessTag, SignatureCase):
            self.add_tag(tag)
        for name, function in FILTERS.items():
            self.add_filter(name, function)

    def _parse(self, source: str) -> list[Node]:
        """Return the nodes of `source`; in comparisons "", blank and empty match a missing value.

        Liquid's own rule, by which a missing value is not "", would show what stands in
        {% if sender.mobile != "" %} to everybody without one.
        """
        nodes = super()._parse(source)
        context = RenderContext(self.template_class(env=self, name="", nodes=nodes))
        found: list[Node | Expression] = list(nodes)
        while found:
            one = found.pop()
            if type(one) is Path and len(one.path) == 2 and all(isinstance(word, str) for word in one.path):
                one.__class__ = FieldPath
            if isinstance(one, (EqExpression, NeExpression)):
                one.left, one.right = _as_missing(one.left), _as_missing(one.right)
            if isinstance(one, Node):
                found.extend(one.expressions())
                found.extend(one.children(context))
            else:
                found.extend(one.children())
        return nodes


LIQUID = SignatureLiquid(tolerance=Mode.STRICT, undefined=StrictUndefined, strict_filters=True)
ALLOWED_TAGS = ("if", "elsif", "else", "endif", "unless", "endunless", "case", "when", "endcase")
