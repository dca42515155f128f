"""Command endings: report that a command's work was interrupted and continues later."""

from __future__ import annotations

from datetime import datetime

from django.core.management.base import CommandError

GOES_ON_LATER = 75
"""Exit status of such a command, as sysexits.h names it (EX_TEMPFAIL); anything that failed exits with 1."""


class GoesOnLater(CommandError):
    """The command's run is not over. It continues with a running worker, or when the command is called again."""

    def __init__(self, what: str, cause: str = "", *, at: datetime | None = None, waits: bool = True) -> None:
        ends = "waits" if waits else "is carried out by another process, or continues once that has ended"
        when = f" The next try is at {at:%-d %b %Y, %H:%M:%S} UTC." if at else ""
        super().__init__(
            f"{what} {ends}. {cause}".strip()
            + when
            + " It continues automatically only while a worker runs (`serve`); "
            "without one, run this command again then.",
            returncode=GOES_ON_LATER,
        )
