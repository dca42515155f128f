"""Wall time: between a clock in the domain's time zone and an instant, and the field that reads it."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any

from django import forms
from django.core.exceptions import ValidationError


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
            f"Enter {shifted:%H:%M}{day} or later."
        )
    return instant


def describe_repetition(wall: datetime, zone: tzinfo) -> str:
    """Return which of two instants counts where the clocks show this naive time twice; '' where they do not."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if second <= first:
        return ""
    return f"{wall:%H:%M} occurs twice on {wall.day} {wall:%B %Y}, when the clocks go back. The first one is used."


def to_wall(at: datetime, zone: tzinfo) -> datetime:
    """Return what a clock in `zone` shows at this instant, without a zone."""
    return at.astimezone(zone).replace(tzinfo=None)


WALL_FORMAT = "%Y-%m-%dT%H:%M"


class WallTimeField(forms.DateTimeField):
    """A time on the wall, without a zone; the form turns it into an instant with `to_moment`."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=WALL_FORMAT)

    def to_python(self, value: Any) -> datetime | None:
        """Return a naive time; Django's own would read it in the portal's zone, which is nobody's."""
        if value in self.empty_values:
            return None
        try:
            wall = datetime.fromisoformat(str(value).strip())
        except ValueError:
            wall = None
        if wall is None or wall.tzinfo is not None or not 1970 < wall.year < 9000:
            raise ValidationError("Enter a date and time, such as 2027-03-01 09:00.", code="invalid")
        return wall.replace(second=0, microsecond=0)

    def prepare_value(self, value: Any) -> Any:
        return value.strftime(WALL_FORMAT) if isinstance(value, datetime) else value


def to_moment(form: forms.BaseForm, name: str, zone: tzinfo) -> datetime | None:
    """Return the instant that the wall time of this field is in `zone`; what does not exist is said at the field."""
    wall = form.cleaned_data.get(name)
    if wall is None:
        return None
    try:
        return to_instant(wall, zone)
    except NoSuchTime as error:
        form.add_error(name, error.message)
        return None
