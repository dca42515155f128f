"""Aggregation: judges banner events and adds each to the daily counts once, also when a process is killed.

One transaction judges a batch, marks its events and changes the counts. The rules are in `bot_rules`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from portal.db import update_rows
from portal.models import Domain
from signatures.models import (
    Banner,
    BannerEvent,
    Campaign,
    Counted,
    CountingState,
    DailyCount,
    DailyTotal,
    EventKind,
    Group,
    Sender,
)

from .bot_rules import (
    PICTURE_BEFORE,
    REACH,
    RUSH,
    Network,
    Rule,
    RuleEvent,
    judge,
    judge_alone,
    parse_networks,
)
from .count_columns import COLUMNS, CountKey, Counts, TotalKey, add_up

# Longer than REACH, so that most events that a verdict depends on have arrived; later ones are judged again.
SETTLE = timedelta(seconds=30)
BATCH = 2_000
LONGEST_GAP = timedelta(hours=1)  # within a batch: events further apart do not affect each other
MOST_AT_ONCE = 100_000  # events of one domain in one go; the next one goes on


@dataclass(slots=True)
class Aggregated:
    """What one run did. judged: events counted for the first time; moved: earlier events with a new verdict.

    to_bots and to_people: event kind -> how many of those that moved are bot traffic now, or no longer.
    """

    judged: int = 0
    moved: int = 0
    to_bots: Counter[str] = field(default_factory=Counter)
    to_people: Counter[str] = field(default_factory=Counter)


def aggregate_all_events(*, now: datetime | None = None) -> int:
    """Count every domain's settled events; return how many there were."""
    waiting = BannerEvent.objects.filter(is_judged=False).order_by().values("domain").distinct()
    return sum(aggregate_events(domain, now=now).judged for domain in Domain.objects.filter(pk__in=waiting))


def aggregate_events(
    domain: Domain, *, now: datetime | None = None, limit: int = MOST_AT_ONCE, batch_size: int = BATCH
) -> Aggregated:
    """Count the domain's events from before `now` less SETTLE, the oldest first, up to `limit`.

    The neighbours of a late event are judged again.
    """
    until = (now or timezone.now()) - SETTLE
    newest = BannerEvent.objects.filter(domain=domain).aggregate(newest=Max("pk"))["newest"]
    state = CountingState.objects.for_domain(domain, create=True)
    reached = state.counted_until + REACH if state.counted_until else None
    done = Aggregated()
    while newest and done.judged < limit:
        batch = _aggregate_batch(domain, done, until=until, newest=newest, reached=reached, size=batch_size)
        if not batch:
            _keep_reached(domain, until)
            break
        reached = max(reached, batch) if reached else batch
    return done


def recount(
    domain: Domain,
    *,
    since: datetime,
    is_rehearsal: bool = False,
    progress: Callable[[int], None] = lambda judged: None,
) -> Aggregated:
    """Judge every kept event since then again, by the current rules.

    Counts move between human and bot traffic; the total stays, also of days whose events were removed.
    Clicks of the first day after those keep their verdict: the impressions before them are not known any
    more. is_rehearsal: nothing is changed.
    """
    removed = CountingState.objects.for_domain(domain, create=True).events_removed_until
    if removed is not None:
        since = max(since, removed + PICTURE_BEFORE)
    done = Aggregated()
    last: tuple[datetime, int] = (since, 0)
    while True:
        with transaction.atomic():
            CountingState.objects.lock(domain)
            rows = list(_after(domain, last)[:BATCH])
            if not rows:
                return done
            _settle(domain, rows, done, is_rehearsal=is_rehearsal)
        last = (rows[-1].at, rows[-1].pk)
        progress(len(rows))


def _after(domain: Domain, last: tuple[datetime, int]) -> QuerySet[BannerEvent]:
    at, pk = last
    later = BannerEvent.objects.filter(Q(at__gt=at) | Q(at=at, pk__gt=pk), domain=domain, at__gte=at)
    return later.filter(is_judged=True).order_by("at", "pk")


def _aggregate_batch(
    domain: Domain, done: Aggregated, *, until: datetime, newest: int, reached: datetime | None, size: int
) -> datetime | None:
    """Count the oldest unjudged events; return when the last of them was, None where there was none."""
    with transaction.atomic():
        CountingState.objects.lock(domain)
        events = BannerEvent.objects.filter(domain=domain, is_judged=False, at__lte=until, pk__lte=newest)
        rows = list(events.order_by("at", "pk")[:size])
        if not rows:
            return None
        rows = _take_together(rows)
        late = [row for row in rows if reached is not None and row.at < reached]
        neighbours = _find_neighbours(domain, late) if late else []
        _settle(domain, [*rows, *neighbours], done)
        _keep_reached(domain, rows[-1].at)
        return rows[-1].at


def _take_together(rows: list[BannerEvent]) -> list[BannerEvent]:
    """Return the rows up to the first long gap, so that for a late event not all later ones are read."""
    for place in range(1, len(rows)):
        if rows[place].at - rows[place - 1].at > LONGEST_GAP:
            return rows[:place]
    return rows


def _keep_reached(domain: Domain, at: datetime) -> None:
    """Store the instant before which an event counts as late."""
    earlier = Q(counted_until=None) | Q(counted_until__lt=at)
    CountingState.objects.filter(earlier, pk=domain.pk).update(counted_until=at)


def _find_neighbours(domain: Domain, late: Sequence[BannerEvent]) -> list[BannerEvent]:
    """Return the judged events whose verdicts the late ones may change."""
    start, end = min(row.at for row in late), max(row.at for row in late)
    near = Q(at__gte=start - REACH, at__lte=end + REACH)
    visitors = {row.visitor_key for row in late if row.kind == EventKind.CLICK and row.visitor_key}
    pictured = {row.sender_id for row in late if row.kind == EventKind.IMAGE}
    judged = BannerEvent.objects.filter(domain=domain, is_judged=True)
    found = [*judged.filter(near, kind=EventKind.CLICK)]
    if visitors:
        found += judged.filter(near, kind=EventKind.IMAGE, visitor_key__in=visitors)
    if pictured:
        waiting = judged.filter(kind=EventKind.CLICK, rule=Rule.NO_PICTURE)
        waiting = waiting.filter(at__gte=start, at__lte=end + PICTURE_BEFORE)
        found += (row for row in waiting if row.sender_id in pictured)
    return list({row.pk: row for row in found}.values())


def _settle(
    domain: Domain, rows: Sequence[BannerEvent], done: Aggregated, *, is_rehearsal: bool = False
) -> None:
    """Judge these events by the rules and change the counts, also of those counted before."""
    networks = parse_networks(settings.SCANNER_NETWORKS)
    verdicts = judge(map(_make_rule_event, rows), _look_around(domain, rows, networks), networks=networks)
    zone = ZoneInfo(domain.time_zone)
    moves: dict[CountKey, Counts] = defaultdict(Counts)
    changed = []
    for row in rows:
        rule = verdicts[row.pk]
        if row.is_judged and row.rule == rule:
            continue
        day = row.counted_on or row.at.astimezone(zone).date()
        key = CountKey(day, row.campaign_id or 0, row.banner_id or 0, row.group_id or 0, row.sender_id or 0)
        is_bot, was_bot = bool(rule), bool(row.rule)
        if not row.is_judged:
            done.judged += 1
            moves[key].add(row.kind, is_bot=is_bot)
        elif is_bot != was_bot:
            done.moved += 1
            (done.to_bots if is_bot else done.to_people)[row.kind] += 1
            moves[key].add(row.kind, is_bot=was_bot, number=-1)
            moves[key].add(row.kind, is_bot=is_bot)
        row.rule, row.is_judged, row.counted_on = rule, True, day
        changed.append(row)
    if not is_rehearsal:
        update_rows(changed, ["rule", "is_judged", "counted_on"])
        _count(domain, moves)


def _make_rule_event(row: BannerEvent) -> RuleEvent:
    return RuleEvent(
        id=row.pk,
        at=row.at,
        is_click=row.kind == EventKind.CLICK,
        method=row.method,
        sender_id=row.sender_id,
        decision_id=row.decision_id,
        network=row.network,
        agent=row.agent,
        visitor=row.visitor_key,
    )


def _look_around(domain: Domain, rows: Sequence[BannerEvent], networks: Sequence[Network]) -> list[RuleEvent]:
    """Return the events that the verdicts on these depend on, see `bot_rules.judge`."""
    start, end = min(row.at for row in rows) - REACH, max(row.at for row in rows) + REACH
    clicks = BannerEvent.objects.filter(domain=domain, kind=EventKind.CLICK, at__gte=start, at__lte=end)
    around = [*map(_make_rule_event, rows), *map(_make_rule_event, clicks)]
    latest: dict[tuple[int | None, int | None], RuleEvent] = {}
    for click in sorted(
        (row for row in rows if row.kind == EventKind.CLICK), key=lambda row: (row.at, row.pk)
    ):
        event = _make_rule_event(click)
        if event.visitor:
            around += _find_picture(domain, event, networks, within=RUSH, visitor_key=event.visitor)
        known = latest.get(event.link)
        if known is None or event.at - known.at > PICTURE_BEFORE:
            for picture in _find_picture(domain, event, networks, within=PICTURE_BEFORE):
                latest[event.link] = picture
                around.append(picture)
    return around


def _find_picture(
    domain: Domain, click: RuleEvent, networks: Sequence[Network], *, within: timedelta, **narrower: Any
) -> list[RuleEvent]:
    """Return the latest impression of the clicked banner before the click that a visitor may have seen, or None."""
    pictures = BannerEvent.objects.filter(
        domain=domain,
        kind=EventKind.IMAGE,
        method="GET",
        sender_id=click.sender_id,
        at__gte=click.at - within,
        at__lte=click.at,
        **narrower,
    )
    if click.decision_id is not None or narrower:
        pictures = pictures.filter(decision_id=click.decision_id)
    latest_first, start = pictures.order_by("-at", "-pk"), 0
    while rows := latest_first[start : start + 50]:
        event = next((each for each in map(_make_rule_event, rows) if not judge_alone(each, networks)), None)
        if event is not None:
            return [event]
        start += 50
    return []


def _count(domain: Domain, moves: Mapping[CountKey, Counts]) -> None:
    """Add the numbers to the day's counts and totals; new rows get the current names."""
    moves = {key: numbers for key, numbers in moves.items() if not numbers.is_zero}
    if moves:
        names = _Names(domain, moves)
        _add(domain, DailyCount, CountKey, moves, names)
        _add(domain, DailyTotal, TotalKey, add_up(moves), names)


def _add(
    domain: Domain,
    model: type[DailyCount] | type[DailyTotal],
    kind: type[CountKey] | type[TotalKey],
    moves: Mapping[Any, Counts],
    names: _Names,
) -> None:
    """kind: of the key, whose fields are the columns that identify a row of the model."""
    wanted = {f"{column}__in": {getattr(key, column) for key in moves} for column in kind._fields}
    present: dict[Any, Counted] = {
        kind(*(getattr(row, column) for column in kind._fields)): row
        for row in model.objects.filter(domain=domain, **wanted)
    }
    new: list[Any] = []
    for key, numbers in moves.items():
        row = present.get(key)
        if row is None:
            row = model(domain=domain, **key._asdict(), **names.of(key))
            new.append(row)
        for column in COLUMNS:
            setattr(row, column, getattr(row, column) + getattr(numbers, column))
    model.objects.bulk_create(new, batch_size=500)
    update_rows([row for key, row in present.items() if key in moves], COLUMNS)


class _Names:
    """The current names of campaigns, banners, groups and senders, read once for new rows."""

    def __init__(self, domain: Domain, keys: Collection[CountKey]) -> None:
        self._campaigns = _list_names(
            Campaign.objects.filter(domain=domain), {key.campaign_id for key in keys}
        )
        self._banners = _list_names(
            Banner.objects.filter(campaign__domain=domain), {key.banner_id for key in keys}
        )
        self._groups = _list_names(Group.objects.filter(domain=domain), {key.group_id for key in keys})
        senders = Sender.objects.filter(domain=domain, pk__in={key.sender_id for key in keys})
        rows = senders.values_list("pk", "name", "email")
        self._senders = {pk: name or email for pk, name, email in rows}

    def of(self, key: CountKey | TotalKey) -> dict[str, str]:
        """Return the name columns of a row with this key, '' for what was removed."""
        found = {
            "campaign_name": self._campaigns.get(key.campaign_id, ""),
            "banner_name": self._banners.get(key.banner_id, ""),
            "group_name": self._groups.get(key.group_id, ""),
        }
        if isinstance(key, CountKey):
            found["sender_name"] = self._senders.get(key.sender_id, "")
        return found


def _list_names(rows: QuerySet[Any], ids: Iterable[int]) -> dict[int, str]:
    return dict(rows.filter(pk__in=set(ids)).values_list("pk", "name"))
