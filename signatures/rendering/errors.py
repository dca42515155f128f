"""Rendering errors: the template is wrong, or the result must not be sent."""

from __future__ import annotations


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
    message: a sentence for the person who can mend it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Locator:
    """Says where a position in the source is, for error messages."""

    def __init__(self, source: str) -> None:
        self._source = source

    def error(self, message: str, position: int) -> TemplateError:
        """Return a TemplateError pointing at `position`."""
        before = self._source[: max(0, position)]
        return TemplateError(message, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
