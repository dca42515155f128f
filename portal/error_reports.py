"""Error reports: say the place and type of an error, never an address of a page, or submitted or stored data."""

from __future__ import annotations

import logging
import traceback

from django.http import HttpRequest
from django.views.debug import ExceptionReporter


def name_view(request: HttpRequest) -> str:
    """Return the name of a request's view in place of its address, which may hold a secret link or a name."""
    match = request.resolver_match
    return match.view_name or "unnamed" if match else "none"


class AddressFilter(logging.Filter):
    """Names the view where Django's lines and mails of failed requests have their address."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if isinstance(request, HttpRequest) and isinstance(record.args, tuple):
            addresses = (request.path, request.get_full_path())
            record.args = tuple(name_view(request) if each in addresses else each for each in record.args)
        return True


class PlainReporter(ExceptionReporter):
    """Reports the place and type of an error.

    Django's report contains form data, query, cookies and variables, which must not be mailed; nor must
    exception messages, in which a database quotes values of rows.

    """

    def get_traceback_text(self) -> str:  # type: ignore[override]  # a mail of text, and no markup to be safe
        lines = [f"{self.request.method} {name_view(self.request)}"] if self.request else []
        if self.exc_type is not None:
            lines.append(f"{self.exc_type.__module__}.{self.exc_type.__qualname__}")
        lines += [
            f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(self.tb)
        ]
        return "\n".join(lines)
