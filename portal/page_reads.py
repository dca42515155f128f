"""Page reads: what several parts of one page ask about its domain is read once.

A domain remembers nothing by itself. `require` makes the one of a page that only shows do so; that object ends with the
request, so a command, a task or a form that was sent always reads anew.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from .models import Domain

Answer = TypeVar("Answer")
Row = TypeVar("Row", bound=Model)
Read = TypeVar("Read", bound=QuerySet[Any, Any])
_KEPT = "_page_reads"


def with_domain_rows(domains: Read) -> Read:
    """Return the domains, each read together with its rows of models that have one row a domain, named by it."""
    return domains.select_related(*_get_row_names().values())


def get_domain_row(domain: Domain, model: type[Row]) -> Row | None:
    """Return the row of such a model that was read with the domain, or None where there is none."""
    return getattr(domain, _get_row_names()[model], None)


@cache
def _get_row_names() -> dict[type[Model], str]:
    related = [each for each in Domain._meta.related_objects if each.one_to_one and each.field.primary_key]
    return {each.related_model: each.get_accessor_name() or each.name for each in related}


def remember_reads(domain: Domain) -> None:
    """Make this domain object, read with its rows, remember what `once_per_page` reads of it."""
    setattr(domain, _KEPT, {})


def read_anew(domain: Domain) -> Domain:
    """Return the domain as it is now, read with its rows; it remembers, for one answer made of several reads."""
    found = with_domain_rows(Domain.objects.all()).get(pk=domain.pk)
    remember_reads(found)
    return found


def remembers_reads(domain: Domain) -> bool:
    return _KEPT in domain.__dict__


def once_per_page(read: Callable[[Domain], Answer]) -> Callable[[Domain], Answer]:
    """Ask a function of a domain once for each domain object that remembers; callers never change the answer."""

    @wraps(read)
    def ask(domain: Domain) -> Answer:
        if not remembers_reads(domain):
            return read(domain)
        kept: dict[Any, Answer] = domain.__dict__[_KEPT]
        if read not in kept:
            kept[read] = read(domain)
        return kept[read]

    return ask
