"""Rendering: makes signature markup; the same template and values give the same bytes.

Nothing in here reads a database, a clock, the network or Django's settings.
"""

from signatures.rendering.absences import Absence, describe_absences
from signatures.rendering.compile import compile_template
from signatures.rendering.errors import RenderRefused, TemplateError
from signatures.rendering.fields import BUILT_IN, Field, Source, Trust, Vocabulary
from signatures.rendering.render import RenderedSignature, render_signature
from signatures.rendering.template import CompiledTemplate

__all__ = [
    "BUILT_IN",
    "Absence",
    "CompiledTemplate",
    "Field",
    "RenderRefused",
    "RenderedSignature",
    "Source",
    "TemplateError",
    "Trust",
    "Vocabulary",
    "compile_template",
    "describe_absences",
    "render_signature",
]
