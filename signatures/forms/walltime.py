"""Between the clock on a wall in the domain's time zone and an instant: no database, no clock of its own."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo


class NoSuchTime(Exception):
    """The clocks jump over this wall time; the message says so, and what to write, to a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def to_instant(wall: datetime, zone: tzinfo) -> datetime:
    """Return the instant, in UTC, at which a clock in `zone` shows this naive time.

    A time that comes twice, when the clocks go back, is the first of the two.
    Raises: NoSuchTime for one that is jumped over when the clocks go forward.
    """
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != wall:
        shifted = instant.astimezone(zone)
        day = "" if shifted.date() == wall.date() else f" on {shifted.day} {shifted:%B %Y}"
        raise NoSuchTime(
            f"{wall:%H:%M} does not exist on {wall.day} {wall:%B %Y}: the clocks go forward then. "
            f"Write {shifted:%H:%M}{day} or later."
        )
    return instant


def describe_repetition(wall: datetime, zone: tzinfo) -> str:
    """Return which of two instants counts where the clocks show this naive time twice; '' where they do not."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if second <= first:
        return ""
    return (
        f"{wall:%H:%M} comes twice on {wall.day} {wall:%B %Y}, as the clocks go back. The first one counts."
    )


def to_wall(at: datetime, zone: tzinfo) -> datetime:
    """Return what a clock in `zone` shows at this instant, without a zone."""
    return at.astimezone(zone).replace(tzinfo=None)
