"""Local times: converts between the domain's time zone and UTC, with a form field for local times."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any

from django import forms
from django.core.exceptions import ValidationError


class NoSuchTime(Exception):
    """A local time is skipped by daylight saving; the message says what to enter, to a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def to_instant(wall: datetime, zone: tzinfo) -> datetime:
    """Return the UTC time of this naive local time in `zone`.

    A time that occurs twice is the first of the two. Raises: NoSuchTime for one that daylight saving skips.
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
    """Return a sentence where this local time occurs twice; '' where it does not."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if second <= first:
        return ""
    return f"{wall:%H:%M} occurs twice on {wall.day} {wall:%B %Y}, when the clocks go back. The first one is used."


def to_wall(at: datetime, zone: tzinfo) -> datetime:
    """Return the naive local time in `zone`."""
    return at.astimezone(zone).replace(tzinfo=None)


WALL_FORMAT = "%Y-%m-%dT%H:%M"


class WallTimeField(forms.DateTimeField):
    """A field for a naive local time; the form converts it with `to_moment`."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=WALL_FORMAT)

    def to_python(self, value: Any) -> datetime | None:
        """Return a naive time; Django's field would use the portal's zone instead of the domain's."""
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
    """Return the field's local time as UTC; a skipped time becomes an error of the field."""
    wall = form.cleaned_data.get(name)
    if wall is None:
        return None
    try:
        return to_instant(wall, zone)
    except NoSuchTime as error:
        form.add_error(name, error.message)
        return None
