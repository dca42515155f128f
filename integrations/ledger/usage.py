"""Usage: counts what the ledger says was used, by permission and verb, by day, by job and person. Reads only.

Every figure is a sum over `LedgerDay`, so a page costs the same with a thousand entries and with millions,
and pruning takes nothing away from it. Refused calls never left, so they are counted apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Max, Min, Q, QuerySet, Sum
from django.utils import timezone

from integrations.catalogue import list_calls, list_scopes
from integrations.models import Connection, LedgerDay, Outcome
from portal.models import Domain
from portal.page_reads import once_per_page

DAYS = 30
CHOICES = 200  # of people or jobs that a filter offers


@dataclass(frozen=True, slots=True)
class Doer:
    """One kind of job of one person, over the same fields. actor_label: '' where the portal itself acts."""

    job_kind: str
    actor_label: str
    endpoint: str
    fields: tuple[str, ...]
    calls: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class VerbUse:
    """state: used, granted (and not used yet), never (no code path) or 'not granted'."""

    name: str
    state: str
    doers: tuple[Doer, ...]

    @property
    def times(self) -> int:
        return sum(doer.calls for doer in self.doers)

    @property
    def first_at(self) -> datetime | None:
        return min((doer.first_at for doer in self.doers), default=None)

    @property
    def last_at(self) -> datetime | None:
        return max((doer.last_at for doer in self.doers), default=None)

    @property
    def fields(self) -> tuple[str, ...]:
        """Return every field asked for or written under this verb, in their first order."""
        return tuple(dict.fromkeys(name for doer in self.doers for name in doer.fields))


@dataclass(frozen=True, slots=True)
class ScopeUse:
    """One scope as requested, granted and used."""

    scope: str
    title: str
    is_requested: bool
    is_granted: bool
    is_on: bool
    granted_at: datetime | None
    granted_by: str
    verbs: tuple[VerbUse, ...]
    last_job: str

    @property
    def rows(self) -> list[tuple[str, Doer]]:
        """Return (verb, who used it), over all its verbs."""
        return [(verb.name, doer) for verb in self.verbs for doer in verb.doers]

    @property
    def calls(self) -> int:
        return sum(verb.times for verb in self.verbs)

    @property
    def first_at(self) -> datetime | None:
        return min((verb.first_at for verb in self.verbs if verb.first_at), default=None)

    @property
    def last_at(self) -> datetime | None:
        return max((verb.last_at for verb in self.verbs if verb.last_at), default=None)


def _days_of_calls(domain: Domain, *, over: Connection | None = None) -> QuerySet[LedgerDay]:
    """The sums of calls that left. over: one connection's alone."""
    days = LedgerDay.objects.filter(chain=domain.pk, action="call").order_by()
    if over is not None:
        days = days.filter(connection_ref=str(over.pk))
    return days.exclude(outcome=Outcome.REFUSED)


def _get_doers(domain: Domain, over: Connection | None) -> dict[tuple[str, str], tuple[Doer, ...]]:
    return _read_doers(domain) if over is None else _list_doers(_days_of_calls(domain, over=over))


@once_per_page
def _read_doers(domain: Domain) -> dict[tuple[str, str], tuple[Doer, ...]]:
    return _list_doers(_days_of_calls(domain))


def _list_doers(days: QuerySet[LedgerDay]) -> dict[tuple[str, str], tuple[Doer, ...]]:
    """(scope, verb) -> who used it, the most calls first."""
    sums = days.values("scope", "verb", "job_kind", "actor_label", "endpoint", "fields").annotate(
        of_calls=Sum("calls"), first=Min("first_at"), last=Max("last_at")
    )
    found: dict[tuple[str, str], list[Doer]] = {}
    for row in sorted(sums, key=lambda row: (-row["of_calls"], row["job_kind"], row["actor_label"])):
        found.setdefault((row["scope"], row["verb"]), []).append(
            Doer(
                job_kind=row["job_kind"],
                actor_label=row["actor_label"],
                endpoint=row["endpoint"],
                fields=tuple(row["fields"]),
                calls=row["of_calls"],
                first_at=row["first"],
                last_at=row["last"],
            )
        )
    return {key: tuple(doers) for key, doers in found.items()}


def summarise(
    domain: Domain, connection: Connection | None, *, over: Connection | None = None
) -> list[ScopeUse]:
    """Return each requested scope, each that was granted unasked, and each that only an earlier request had.

    Counts are over everything the ledger ever held of this domain, calls that left only.
    over: counts the calls over this one connection alone.
    """
    doers = {key: found for key, found in _get_doers(domain, over).items() if key[0]}
    last_jobs = _find_last_jobs(_days_of_calls(domain, over=over), doers)
    granted = set(connection.scopes_granted) if connection else set()

    def build(scope: str, title: str, verbs: Iterable[tuple[str, str]], *, is_requested: bool) -> ScopeUse:
        is_granted = scope in granted
        return ScopeUse(
            scope=scope,
            title=title,
            is_requested=is_requested,
            is_granted=is_granted,
            is_on=is_granted
            and is_requested
            and connection is not None
            and not connection.is_switched_off(scope),
            granted_at=connection.authorised_at if connection and is_granted else None,
            granted_by=connection.authorised_by_label if connection and is_granted else "",
            verbs=tuple(
                VerbUse(
                    name=name,
                    state=_verb_state(kind, is_granted=is_granted, is_used=(scope, name) in doers),
                    doers=doers.get((scope, name), ()),
                )
                for name, kind in verbs
            ),
            last_job=last_jobs.get(scope, ""),
        )

    found = [
        build(scope.name, scope.title, [(verb.name, verb.state) for verb in scope.verbs], is_requested=True)
        for scope in list_scopes(requested=connection.scopes_requested if connection else ())
    ]
    for extra in connection.scopes_unasked if connection else []:
        verbs = ("read", "write", "delete") if extra.endswith(".all") else (extra.rpartition(".")[2],)
        found.append(build(extra, "Not requested", [(verb, "never") for verb in verbs], is_requested=False))
    # What an earlier connection was asked for, and this one is not, was used all the same.
    shown = {use.scope for use in found}
    for scope in sorted({scope for scope, _ in doers} - shown):
        used = sorted(verb for name, verb in doers if name == scope)
        found.append(build(scope, "Requested before", [(verb, "used") for verb in used], is_requested=False))
    return found


def _find_last_jobs(
    days: QuerySet[LedgerDay], doers: Mapping[tuple[str, str], tuple[Doer, ...]]
) -> dict[str, str]:
    newest = dict(sorted((scope, doer.last_at) for (scope, _), found in doers.items() for doer in found))
    rows = days.filter(last_at__in=newest.values()).values_list("scope", "last_at", "last_job")
    return {scope: job for scope, at, job in rows if newest.get(scope) == at}


def _verb_state(kind: str, *, is_granted: bool, is_used: bool) -> str:
    if is_used:
        return "used"
    if kind == "never":
        return "never"
    return "granted" if is_granted else "not granted"


@dataclass(frozen=True, slots=True)
class Written:
    """Everything that was ever written at the provider, and whether it is what the table of calls names.

    strays: those whose call or fields are in no line of the table that may write; there should be none.
    """

    doers: tuple[Doer, ...]
    strays: tuple[Doer, ...]
    promised: tuple[str, ...]

    @property
    def rows(self) -> list[tuple[str, Doer]]:
        return [("write", doer) for doer in self.doers]

    @property
    def times(self) -> int:
        return sum(doer.calls for doer in self.doers)


def list_written(domain: Domain, *, over: Connection | None = None) -> Written:
    """Return who wrote which fields, how often, first and last. over: one connection's writes alone."""
    found = _get_doers(domain, over)
    doers = tuple(doer for (_, verb), group in found.items() if verb == "write" for doer in group)
    allowed = {call.name: set(call.attributes_written) for call in list_calls() if call.verb == "write"}
    strays = tuple(
        doer for doer in doers if doer.endpoint not in allowed or set(doer.fields) - allowed[doer.endpoint]
    )
    promised = tuple(dict.fromkeys(name for names in allowed.values() for name in sorted(names)))
    return Written(doers, strays, promised)


@dataclass(frozen=True, slots=True)
class DayUse:
    """One day's calls that left. others: of OAuth itself, such as renewing the access."""

    day: date
    reads: int
    writes: int
    others: int

    @property
    def calls(self) -> int:
        return self.reads + self.writes + self.others


def list_days(
    domain: Domain, *, scope: str = "", over: Connection | None = None, days: int = DAYS
) -> list[DayUse]:
    """Return the last days of the domain's zone, today last, those without calls too.

    scope, over: of one permission, or of one connection, alone.
    """
    today = timezone.localdate(timezone=ZoneInfo(domain.time_zone))
    first = today - timedelta(days=days - 1)
    sums = _days_of_calls(domain, over=over).filter(day__gte=first)
    if scope:
        sums = sums.filter(scope=scope)
    rows = {
        row["day"]: row
        for row in sums.values("day").annotate(
            reads=Sum("calls", filter=Q(verb="read"), default=0),
            writes=Sum("calls", filter=Q(verb="write"), default=0),
            others=Sum("calls", filter=~Q(verb__in=["read", "write"]), default=0),
        )
    }
    none: dict[str, Any] = {"reads": 0, "writes": 0, "others": 0}
    return [
        DayUse(day, found["reads"], found["writes"], found["others"])
        for day in (first + timedelta(days=number) for number in range(days))
        for found in [rows.get(day, none)]
    ]


def count_calls(days: Sequence[DayUse]) -> tuple[int, int]:
    """Return (calls, signature writes among them) of these days."""
    return sum(day.calls for day in days), sum(day.writes for day in days)


def list_people(domain: Domain) -> list[str]:
    """Return everybody who acted in a domain, to choose from in a filter."""
    days = LedgerDay.objects.filter(chain=domain.pk, actor_label__contains="@")
    return list(days.order_by("actor_label").values_list("actor_label", flat=True).distinct()[:CHOICES])


def list_job_kinds(domain: Domain) -> list[str]:
    """Return every kind of job that acted in a domain, to choose from in a filter."""
    days = LedgerDay.objects.filter(chain=domain.pk).exclude(job_kind="")
    return list(days.order_by("job_kind").values_list("job_kind", flat=True).distinct()[:CHOICES])


def count_refused(domain: Domain) -> int:
    """Return how many calls were stopped here before anything left."""
    refused = LedgerDay.objects.filter(chain=domain.pk, outcome=Outcome.REFUSED)
    return refused.aggregate(times=Sum("calls", default=0))["times"]
