"""Long lists: admin of tables that grow with every domain, in an index's order and searched by whole values.

Parts of words, sorted names and the months above a list would each read such a table from end to end.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest

from integrations.models import Connection, LedgerChain, Mailbox
from portal.models import Domain

from .base import ReadOnlyAdmin

NOTHING = Q(pk__in=())


class LongList(admin.ModelAdmin):
    """A list that is newest first, without dates above it unless an index has their ends; `find` finds whole values.

    Its `search_fields` show the search's box, and `search_takes` says what it takes.
    """

    ordering = ["-pk"]
    search_takes = ""

    def find(self, words: str) -> Q:
        """Return the condition of a search, each part of which an index answers."""
        raise NotImplementedError

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        words = search_term.strip()
        if len(words) > 1 and words[0] == words[-1] in ("'", '"'):
            words = words[1:-1]
        return (queryset.filter(self.find(words)) if words else queryset), False


class LongReadOnlyAdmin(LongList, ReadOnlyAdmin):
    """A long list that is only looked at."""


def list_domain_ids() -> list[int]:
    """Return every domain's id: an index that begins with the domain is then used for all of them at once."""
    return list(Domain.objects.order_by("pk").values_list("pk", flat=True))


def list_chain_ids() -> list[int]:
    """Return the ids of domains that have entries in the ledger, also of those that are gone."""
    return list(LedgerChain.objects.order_by("pk").values_list("pk", flat=True))


def list_connection_ids() -> list[Any]:
    """Return every connection's id, for indexes that begin with the connection."""
    return list(Connection.objects.order_by("pk").values_list("pk", flat=True))


def list_spellings(address: str) -> Collection[str]:
    """Return an address as it was typed and in lower case."""
    return {address, address.lower()}


def find_mailboxes(words: str) -> QuerySet[Mailbox]:
    """Return the mailboxes of an address, or with this id in Outreach, of all connections."""
    mailboxes = Mailbox.objects.filter(connection__in=list_connection_ids()).order_by()
    by_address = Q(address=words.lower())
    return mailboxes.annotate(address=Lower("email")).filter(by_address | Q(remote_id=words))


def find_mailbox_ids(words: str) -> list[str]:
    """Return their ids in Outreach, and the words themselves, which may be the id of one that is gone."""
    return [words, *find_mailboxes(words).values_list("remote_id", flat=True)]


def read_number(words: str) -> int | None:
    """Return a row's number that was typed, or None; none is longer than the database's numbers."""
    return int(words) if words.isascii() and words.isdigit() and len(words) <= 18 else None
