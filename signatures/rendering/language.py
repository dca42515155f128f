"""The template language: Liquid cut down to conditions, fields and ten filters.

Loops, assignments and includes are left out on purpose: a signature has one sender, so they
could only cost time or hide where a value comes from.
"""

from __future__ import annotations

from typing import TextIO

from liquid import Environment, Mode, StrictUndefined
from liquid.builtin.content import Literal
from liquid.builtin.illegal import Illegal
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.case_tag import CaseTag
from liquid.builtin.tags.if_tag import IfTag
from liquid.builtin.tags.unless_tag import UnlessTag
from liquid.context import RenderContext

from signatures.rendering.filters import FILTERS
from signatures.rendering.marks import ABSENT, PRESENT_CLOSE, PRESENT_OPEN

MAX_OUTPUT_BYTES = 262_144


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

    Escaping happens here rather than by Liquid's own autoescape, which trusts literals and
    whatever a filter declares safe. Here nothing is.
    """

    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write the output of this node."""
        value = self.expression.evaluate(context)
        if value is None or value == "":
            return buffer.write(ABSENT)
        return buffer.write(f"{PRESENT_OPEN}{escape_value(str(value))}{PRESENT_CLOSE}")


class MarkedOutput(Output):
    """Registers `MarkedOutputNode` for `{{ … }}`."""

    node_class = MarkedOutputNode


class SignatureLiquid(Environment):
    """Liquid with allow-lists of tags and filters, and hard limits."""

    block_nesting_limit = 12
    context_depth_limit = 12
    loop_iteration_limit = 0
    local_namespace_limit = 0
    output_stream_limit = MAX_OUTPUT_BYTES
    suppress_blank_control_flow_blocks = False

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """Register what is allowed, and nothing else."""
        for tag in (Literal, MarkedOutput, Illegal, IfTag, UnlessTag, CaseTag):
            self.add_tag(tag)
        for name, function in FILTERS.items():
            self.add_filter(name, function)


LIQUID = SignatureLiquid(tolerance=Mode.STRICT, undefined=StrictUndefined, strict_filters=True)
ALLOWED_TAGS = ("if", "elsif", "else", "endif", "unless", "endunless", "case", "when", "endcase")
