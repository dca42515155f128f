"""Error reports: mail the place and type of an error, never submitted or stored data."""

from __future__ import annotations

import traceback

from django.views.debug import ExceptionReporter


class PlainReporter(ExceptionReporter):
    """Reports the place and type of an error.

    Django's report contains form data, query, cookies and variables, which must not be mailed; nor must
    exception messages, in which a database quotes values of rows.

    """

    def get_traceback_text(self) -> str:  # type: ignore[override]  # a mail of text, and no markup to be safe
        lines = [f"{self.request.method} {self.request.path}"] if self.request else []
        if self.exc_type is not None:
            lines.append(f"{self.exc_type.__module__}.{self.exc_type.__qualname__}")
        lines += [
            f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(self.tb)
        ]
        return "\n".join(lines)
