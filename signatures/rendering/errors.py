"""Rendering errors: the template is wrong, or the result must not be sent."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

_LINE_END = re.compile("\n")


class TemplateError(Exception):
    """A template cannot be saved as it is written; `line` and `column` count from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"Line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column


class RenderRefused(Exception):
    """A rendered signature must not be sent.

    code: empty, too_large, braces, unsafe or unrenderable.
    message: a sentence for the person who can correct it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Locator:
    """Converts positions in the source to lines and columns."""

    def __init__(self, source: str) -> None:
        self._source = source

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(found.end() for found in _LINE_END.finditer(self._source))]

    def place(self, position: int) -> tuple[int, int]:
        """Return (line, column) of `position`, both from 1."""
        position = max(0, min(position, len(self._source)))
        line = bisect_right(self._line_starts, position)
        return line, position - self._line_starts[line - 1] + 1

    def error(self, message: str, position: int) -> TemplateError:
        """Return a TemplateError pointing at `position`."""
        return TemplateError(message, *self.place(position))
