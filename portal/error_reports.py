"""Error reports: mail where an error happened and of what kind it was, never what anybody typed, sent or held."""

from __future__ import annotations

import traceback

from django.views.debug import ExceptionReporter


class PlainReporter(ExceptionReporter):
    """Django's report shows forms, query, cookies and variables; a mailbox is no place for them.

    Neither are an exception's words, which a database fills with the values of a row.
    """

    def get_traceback_text(self) -> str:  # type: ignore[override]  # a mail of text, and no markup to be safe
        lines = [f"{self.request.method} {self.request.path}"] if self.request else []
        if self.exc_type is not None:
            lines.append(f"{self.exc_type.__module__}.{self.exc_type.__qualname__}")
        lines += [
            f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(self.tb)
        ]
        return "\n".join(lines)
