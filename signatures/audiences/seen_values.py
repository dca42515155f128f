"""Seen values: keeps, for suggestions, which tags, stages and personas look-ups saw in a domain, not whose they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from portal.models import Domain
from signatures.models import SeenValue

SUGGESTED = ("tags", "stage", "persona")
MOST = 200  # for each attribute of a domain
MOST_OF_ONE_RECORD = 50
DAYS = 90
_LONGEST = 80


def note_values(domain: Domain, found: Mapping[str, Collection[str]]) -> None:
    """Keep that these values were seen today. found: attribute name -> values; others than SUGGESTED are dropped.

    A value that could be an address or a note about a person, with an @ or very long, is dropped.
    """
    seen = {
        (name, value)
        for name in SUGGESTED
        for value in list(found.get(name, ()))[:MOST_OF_ONE_RECORD]
        if value and "@" not in value and len(value) <= _LONGEST
    }
    if not seen:
        return
    today = timezone.now().date()
    rows = SeenValue.objects.filter(domain=domain)
    kept = {
        (name, value): (pk, day)
        for pk, name, value, day in rows.values_list("pk", "attribute", "value", "seen_on")
    }
    counts: dict[str, int] = defaultdict(int)
    for name, _ in kept:
        counts[name] += 1
    stale = [kept[one][0] for one in seen & kept.keys() if kept[one][1] < today]
    if stale:
        rows.filter(pk__in=stale).update(seen_on=today)
    new = []
    for name, value in sorted(seen - kept.keys()):
        if counts[name] < MOST:
            counts[name] += 1
            new.append(SeenValue(domain=domain, attribute=name, value=value, seen_on=today))
    SeenValue.objects.bulk_create(new, ignore_conflicts=True)


def list_seen(domain: Domain) -> dict[str, list[str]]:
    """Return attribute name -> the values seen within DAYS, in alphabetical order."""
    found: dict[str, list[str]] = {}
    since = timezone.now().date() - timedelta(days=DAYS)
    rows = SeenValue.objects.filter(domain=domain, seen_on__gte=since).order_by("value")
    for name, value in rows.values_list("attribute", "value"):
        found.setdefault(name, []).append(value)
    return found


def get_unseen() -> QuerySet[SeenValue]:
    """Return the values that no look-up saw for DAYS."""
    return SeenValue.objects.filter(seen_on__lt=timezone.now().date() - timedelta(days=DAYS))
