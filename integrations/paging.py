"""Pages of lists that may hold millions of rows."""

from __future__ import annotations

from functools import cached_property

from django.core.paginator import Paginator
from django.db.models import QuerySet

MOST = 10_000


class NewestPaginator(Paginator):
    """Counts the newest ten thousand and no more; older ones are reached by narrowing the list."""

    object_list: QuerySet

    @cached_property
    def count(self) -> int:
        return self.object_list[:MOST].count()

    @property
    def is_cut(self) -> bool:
        return self.count >= MOST
