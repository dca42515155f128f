"""Admin dates: drill-down by date for long lists, from the first and the last instant alone."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django import template
from django.db.models import Max, Min
from django.utils import timezone
from django.utils.formats import date_format

register = template.Library()


@register.inclusion_tag("admin/date_hierarchy.html")
def date_span(changes: Any) -> dict[str, Any]:
    """Return years, months or days between the first and the last row of a list, as links.

    Django's own tag asks which dates have rows, which reads every row: seconds, where a list has half
    a million. changes: the list's ChangeList. A link may lead to a day without rows.
    """
    field = changes.date_hierarchy
    ends = _find_ends(changes, field)
    if not ends:
        return {"show": False}
    first, last = _read_day(min(ends)), _read_day(max(ends))
    year, month, day = (_get_chosen(changes, f"{field}__{part}") for part in ("year", "month", "day"))
    is_one_month = (first.year, first.month) == (last.year, last.month)

    def link(**chosen: int) -> str:
        asked = {f"{field}__{part}": number for part, number in chosen.items()}
        return str(changes.get_query_string(asked, [f"{field}__"]))

    if day or month or is_one_month:
        month_link = link(year=first.year, month=first.month)
        year_link = link(year=first.year)
        back = (month_link, date_format(first, "YEAR_MONTH_FORMAT")) if day else (year_link, str(first.year))
        days = [first] if day else [first.replace(day=n) for n in range(first.day, last.day + 1)]
        choices = [
            {
                "link": link(year=on.year, month=on.month, day=on.day),
                "title": date_format(on, "MONTH_DAY_FORMAT"),
            }
            for on in days
        ]
    elif year or first.year == last.year:
        back = (link(), "All dates")
        choices = [
            {
                "link": link(year=first.year, month=number),
                "title": date_format(date(first.year, number, 1), "YEAR_MONTH_FORMAT"),
            }
            for number in range(first.month, last.month + 1)
        ]
    else:
        back = None
        choices = [{"link": link(year=n), "title": str(n)} for n in range(first.year, last.year + 1)]
    return {"show": True, "choices": choices, "back": back and {"link": back[0], "title": back[1]}}


def _find_ends(changes: Any, field: str) -> list[Any]:
    """Return instants of the list, the first and the last among them; a page may have a quicker way to them."""
    if hasattr(changes.model_admin, "list_date_ends"):
        return list(changes.model_admin.list_date_ends(changes.queryset))
    ends = changes.queryset.order_by().aggregate(first=Min(field), last=Max(field))
    return [at for at in ends.values() if at is not None]


def _get_chosen(changes: Any, name: str) -> str:
    found = changes.params.get(name, "")
    return str(found[-1] if isinstance(found, list) and found else found)


def _read_day(value: date) -> date:
    """Return the day of an instant where we are, or the day that it is already."""
    return timezone.localdate(value) if isinstance(value, datetime) else value
