"""Empty counts: for how many senders of each template a field shows nothing.

A small domain is counted when it is asked for. In a large one every field is counted at once for all templates, in the
background, and kept until senders or what they get changed; what is kept holds numbers alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Q
from django.utils import timezone

from portal.models import Domain
from portal.page_reads import once_per_page
from signatures.models import Sender
from signatures.releases.draft import build_draft
from signatures.releases.rule_matches import get_senders_version
from signatures.senders.company_size import is_small
from signatures.senders.empty_values import is_empty
from signatures.senders.listing import choose_template_id
from signatures.senders.mailbox_status import get_fallback_template
from signatures.senders.vocabulary import get_field_rules

KEPT_SECONDS = 86_400
LASTS_SECONDS = 3_600  # a change that is stored behind a later one is counted after that at the latest
GROUP_NAME = "group.name"


@dataclass(frozen=True, slots=True)
class EmptyCounts:
    """How many senders there are, and for how many of them each field shows nothing.

    outdated_at: when it was counted, where something changed since; None for what is so now.
    """

    senders: int
    empty: Mapping[str, int]
    outdated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeptCounts:
    """What was counted in a large domain. by_template: by template id, by None without one of their own."""

    version: tuple[Any, ...]
    counted_at: datetime
    by_template: Mapping[int | None, EmptyCounts]


def count_empty(domain: Domain, template_id: int | None, names: Iterable[str]) -> EmptyCounts | None:
    """Return the counts of the active senders with a template, or of all for None; None before the first count.

    Invalid values are not counted. names: of the fields to count.
    """
    wanted = _choose(names)
    if is_small(domain):
        return _pick(domain, _count(domain), template_id, wanted)
    kept = find_kept(domain)
    if kept is None:
        return None
    found = _pick(domain, kept.by_template, template_id, wanted)
    return found if is_current(domain) else replace(found, outdated_at=kept.counted_at)


@once_per_page
def find_kept(domain: Domain) -> KeptCounts | None:
    """Return what was counted last of a large domain."""
    kept = cache.get(_get_key(domain))
    if kept is None:
        return None
    by_template = {pk: EmptyCounts(number, empty) for pk, number, empty in kept["rows"]}
    return KeptCounts(kept["version"], kept["counted_at"], by_template)


@once_per_page
def is_current(domain: Domain) -> bool:
    """Return whether counting a domain anew would find the same."""
    kept = None if is_small(domain) else find_kept(domain)
    if kept is None:
        return is_small(domain)
    age = (timezone.now() - kept.counted_at).total_seconds()
    return age < LASTS_SECONDS and kept.version == _get_version(domain)


def keep_counts(domain: Domain) -> None:
    """Count a large domain anew, where that is due."""
    if is_current(domain):
        return
    kept = {"version": _get_version(domain), "counted_at": timezone.now()}
    rows = [(pk, one.senders, one.empty) for pk, one in _count(domain).items()]
    cache.set(_get_key(domain), {**kept, "rows": rows}, KEPT_SECONDS)


def _choose(names: Iterable[str]) -> list[str]:
    """Return the fields that can be empty for one sender and not for another."""
    return [name for name in names if name.startswith("sender.") or name == GROUP_NAME]


@once_per_page
def _count(domain: Domain) -> Mapping[int | None, EmptyCounts]:
    """Return the counts of every field by template; one query, and what `is_empty` needs."""
    rules = get_field_rules(domain)
    conditions = {
        name: Q(group=None) | Q(group__is_default=True)
        if name == GROUP_NAME
        else is_empty(domain, name, rules)
        for name in _choose(rules.vocabulary.by_name)
    }
    counts = {f"empty_{at}": Count("pk", filter=each) for at, each in enumerate(conditions.values())}
    senders = Sender.objects.filter(domain=domain, is_active=True).annotate(chosen=choose_template_id(domain))
    rows: Iterable[tuple[Any, ...]] = (
        senders.order_by()
        .values("chosen")
        .annotate(number=Count("pk"), **counts)
        .values_list("chosen", "number", *counts)
    )
    return {
        chosen: EmptyCounts(number, dict(zip(conditions, empty, strict=True)))
        for chosen, number, *empty in rows
    }


def _pick(
    domain: Domain,
    by_template: Mapping[int | None, EmptyCounts],
    template_id: int | None,
    names: Iterable[str],
) -> EmptyCounts:
    fallback = get_fallback_template(domain)
    chosen = [
        counts
        for pk, counts in by_template.items()
        if template_id is None or (pk or (fallback.pk if fallback else None)) == template_id
    ]
    return EmptyCounts(
        sum(one.senders for one in chosen),
        {name: sum(one.empty.get(name, 0) for one in chosen) for name in names},
    )


def _get_key(domain: Domain) -> str:
    return f"empty-counts:{domain.pk}"


def _get_version(domain: Domain) -> tuple[Any, ...]:
    """Return what differs once senders, their templates, or what stands in for their values changed."""
    content = replace(build_draft(domain), templates={}, banner={})
    return (*get_senders_version(domain), content.digest, domain.get_today())
