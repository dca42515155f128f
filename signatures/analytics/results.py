"""Results: figures from the daily counts, by campaign, day, banner, group and sender."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import F, Max, Min, QuerySet, Sum

from portal.models import Domain
from signatures.models import Banner, Campaign, DailyCount, DailyTotal, Group

from .significance import Interval, Rate

DEFAULT_BANNER = "Default banner"
GONE = "Removed"
NO_GROUP = "No group"
DAYS_DRAWN = 92  # longer periods are drawn by week
_NUMBERS = ("impressions", "clicks", "bot_impressions", "bot_clicks")  # as Figures has them
_SUMS = {f"sum_{name}": Sum(name) for name in _NUMBERS}
_SORTS = {"name": "name"} | {name: f"sum_{name}" for name in _NUMBERS}
# What addresses called them before; they work until version 0.2.
_OLD_SORTS = {
    "pictures": "impressions",
    "clicked": "clicks",
    "set_apart": "bot_impressions",
    "clicked_apart": "bot_clicks",
}


@dataclass(frozen=True, slots=True)
class Period:
    """Days in the domain's time zone, first and last included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class Figures:
    """Human and bot traffic; together they are all traffic."""

    impressions: int = 0
    clicks: int = 0
    bot_impressions: int = 0
    bot_clicks: int = 0

    @property
    def all_impressions(self) -> int:
        return self.impressions + self.bot_impressions

    @property
    def all_clicks(self) -> int:
        return self.clicks + self.bot_clicks

    @property
    def is_empty(self) -> bool:
        return not (self.all_impressions or self.all_clicks)

    @property
    def rate(self) -> Rate:
        return Rate("", self.clicks, self.impressions)

    @property
    def share(self) -> float | None:
        """Return the click rate, None without impressions."""
        return self.rate.share if self.impressions else None

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.impressions + other.impressions,
            self.clicks + other.clicks,
            self.bot_impressions + other.bot_impressions,
            self.bot_clicks + other.bot_clicks,
        )


@dataclass(frozen=True, slots=True)
class Line:
    """One campaign, banner, group or sender with its figures. id: 0 for the default banner or no group.

    is_gone: its row was removed, and only its counts are left.
    """

    id: int
    name: str
    figures: Figures
    is_gone: bool = False
    note: str = ""

    @property
    def interval(self) -> Interval:
        return self.figures.rate.interval


@dataclass(frozen=True, slots=True)
class Day:
    """One day, or the week that begins on it."""

    on: date
    figures: Figures


def get_figures(campaign_ids: Iterable[int]) -> dict[int, Figures]:
    """Return campaign id -> its figures of all time, in one query; campaigns without counts are missing."""
    ids = list(campaign_ids)
    domains = Campaign.objects.filter(pk__in=ids).values("domain")
    rows = DailyTotal.objects.filter(domain__in=domains, campaign_id__in=ids).order_by()
    return {row["campaign_id"]: _read(row) for row in rows.values("campaign_id").annotate(**_SUMS)}


def get_sort(asked: str) -> str:
    """Return the column to sort by, with "-" for the largest first, where an address may still use an older name."""
    column = asked.removeprefix("-")
    return asked.removesuffix(column) + _OLD_SORTS.get(column, column)


def get_total(domain: Domain, period: Period, *, campaign_id: int | None = None) -> Figures:
    """Return the figures of the period, of one campaign where it is given."""
    return _read(_select(domain, period, campaign_id).aggregate(**_SUMS))


def find_campaigns(domain: Domain, period: Period, *, words: str = "", sort: str = "") -> QuerySet[Any]:
    """Return rows for `list_campaigns`, one for each campaign that was counted in the period."""
    rows = DailyTotal.objects.filter(domain=domain, day__gte=period.first, day__lte=period.last)
    for word in words.split()[:6]:
        rows = rows.filter(campaign_name__icontains=word)
    grouped = rows.order_by().values("campaign_id").annotate(name=Max("campaign_name"), **_SUMS)
    return grouped.order_by(*_order(sort, otherwise="-sum_impressions"), "campaign_id")


def list_campaigns(domain: Domain, rows: Iterable[Mapping[str, Any]]) -> list[Line]:
    """Return a line for each row of one page; a campaign that still exists has its current name."""
    listed = list(rows)
    names = dict(
        Campaign.objects.filter(domain=domain, pk__in=[row["campaign_id"] for row in listed]).values_list(
            "pk", "name"
        )
    )
    return [_line(row, row["campaign_id"], names, otherwise=DEFAULT_BANNER) for row in listed]


def list_days(domain: Domain, period: Period, *, campaign_id: int | None = None) -> list[Day]:
    """Return every day of the period in order, also those without anything; weeks where there are many."""
    rows = _select(domain, period, campaign_id).order_by().values("day").annotate(**_SUMS)
    by_day = {row["day"]: _read(row) for row in rows}
    step = 1 if period.days <= DAYS_DRAWN else 7
    days = []
    first = period.first
    while first <= period.last:
        figures = Figures()
        for offset in range(step):
            figures += by_day.get(first + timedelta(days=offset), Figures())
        days.append(Day(first, figures))
        first += timedelta(days=step)
    return days


def list_banners(domain: Domain, period: Period, campaign_id: int) -> list[Line]:
    """Return a line for each banner of a campaign that was counted or could be, the oldest first."""
    rows = _select(domain, period, campaign_id).order_by().values("banner_id")
    counted = {row["banner_id"]: row for row in rows.annotate(name=Max("banner_name"), **_SUMS)}
    present = Banner.objects.filter(campaign__domain=domain, campaign_id=campaign_id).order_by("pk")
    lines = [
        Line(
            banner.pk,
            banner.name,
            _read(counted.pop(banner.pk, {})),
            note="Archived" if banner.archived_at else "",
        )
        for banner in present
    ]
    lines = [line for line in lines if not (line.note and line.figures.is_empty)]
    return lines + [_line(row, id, {}, otherwise=DEFAULT_BANNER) for id, row in sorted(counted.items())]


def list_groups(domain: Domain, period: Period, campaign_id: int) -> list[Line]:
    """Return a line for each group whose senders were counted, the one with most impressions first."""
    rows = _select(domain, period, campaign_id).order_by().values("group_id")
    grouped: QuerySet[Any] = rows.annotate(name=Max("group_name"), **_SUMS)
    counted = list(grouped.order_by("-sum_impressions", "group_id"))
    names = dict(
        Group.objects.filter(domain=domain, pk__in=[row["group_id"] for row in counted]).values_list(
            "pk", "name"
        )
    )
    return [_line(row, row["group_id"], names, otherwise=NO_GROUP) for row in counted]


def find_senders(
    domain: Domain,
    period: Period,
    campaign_id: int,
    *,
    words: str = "",
    group_id: int | None = None,
    sort: str = "",
) -> QuerySet[Any]:
    """Return rows for `list_senders`, one for each sender that was counted.

    group_id: only what was counted while the sender was in that group.
    """
    rows = DailyCount.objects.filter(
        domain=domain, campaign_id=campaign_id, day__gte=period.first, day__lte=period.last
    )
    for word in words.split()[:6]:
        rows = rows.filter(sender_name__icontains=word)
    if group_id is not None:
        rows = rows.filter(group_id=group_id)
    grouped = rows.order_by().values("sender_id")
    grouped = grouped.annotate(name=Max("sender_name"), group=Max("group_name"), **_SUMS)
    return grouped.order_by(*_order(sort, otherwise="-sum_impressions"), "sender_id")


def list_senders(rows: Iterable[Mapping[str, Any]]) -> list[Line]:
    """Return a line for each row of one page; note: the group of the counts."""
    return [
        Line(row["sender_id"], row["name"] or GONE, _read(row), note=row["group"] or NO_GROUP) for row in rows
    ]


def get_first_day(domain: Domain, campaign_id: int | None = None) -> date | None:
    """Return the first day with counts, or None."""
    rows = DailyTotal.objects.filter(domain=domain)
    if campaign_id is not None:
        rows = rows.filter(campaign_id=campaign_id)
    return rows.aggregate(first=Min("day"))["first"]


def find_name(domain: Domain, campaign_id: int) -> str | None:
    """Return the present or last name of a campaign of this domain, None where there never was one."""
    if campaign_id == 0:
        return DEFAULT_BANNER
    name = Campaign.objects.filter(domain=domain, pk=campaign_id).values_list("name", flat=True).first()
    if name is not None:
        return name
    counted = DailyTotal.objects.filter(domain=domain, campaign_id=campaign_id).order_by("-day")
    row = counted.values_list("campaign_name", flat=True).first()
    return None if row is None else row or GONE


# The last three repeat columns under the names they had before; docs/counting.md says until when.
COLUMNS = (
    "day", "campaign", "banner", "group", "sender", "impressions", "clicks", "bot impressions", "bot clicks",
    "pictures", "pictures set apart", "clicks set apart",
)  # fmt: skip


def list_counts(
    domain: Domain, period: Period, *, campaign_id: int | None = None
) -> Iterator[Sequence[object]]:
    """Yield every daily count for an export, see COLUMNS; memory does not grow with their number."""
    rows = DailyCount.objects.filter(domain=domain, day__gte=period.first, day__lte=period.last)
    if campaign_id is not None:
        rows = rows.filter(campaign_id=campaign_id)
    names = ("campaign_name", "banner_name", "group_name", "sender_name")
    ordered = rows.order_by("day", "campaign_id", "banner_id", "group_id", "sender_id")
    # A day at a time, and not by a cursor, which behind a connection pooler would hold all rows at once.
    for each in rows.order_by("day").values_list("day", flat=True).distinct():
        for row in ordered.filter(day=each).values_list("day", *names, *_NUMBERS, "campaign_id"):
            day, campaign, *rest, id = row
            impressions, _, bot_impressions, bot_clicks = rest[3:]
            name = campaign or (DEFAULT_BANNER if id == 0 else GONE)
            yield [day, name, *rest, impressions, bot_impressions, bot_clicks]


def _select(domain: Domain, period: Period, campaign_id: int | None) -> QuerySet[DailyTotal]:
    rows = DailyTotal.objects.filter(domain=domain, day__gte=period.first, day__lte=period.last)
    return rows if campaign_id is None else rows.filter(campaign_id=campaign_id)


def _order(sort: str, *, otherwise: str) -> list[Any]:
    column = _SORTS.get(sort.removeprefix("-"))
    if column is None:
        return [otherwise]
    return [F(column).desc() if sort.startswith("-") else F(column).asc()]


def _read(row: Mapping[str, Any]) -> Figures:
    return Figures(*(row.get(name) or 0 for name in _SUMS))


def _line(row: Mapping[str, Any], id: int, names: Mapping[int, str], *, otherwise: str) -> Line:
    if id == 0:
        return Line(0, otherwise, _read(row))
    return Line(id, names.get(id) or row["name"] or GONE, _read(row), is_gone=id not in names)
