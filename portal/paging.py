"""Paging: pages of a long list, which are counted and turned up to a bound only."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

MOST_COUNTED = 10_000


class BoundedPaginator(Paginator):
    """Counts the first ten thousand rows and no more; those behind are reached by narrowing the list."""

    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[:MOST_COUNTED].count()  # unsorted, it stops at the bound

    @property
    def is_cut(self) -> bool:
        return self.count >= MOST_COUNTED
