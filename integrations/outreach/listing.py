"""Walking through a listing, page by page, where each page's link leads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from integrations.errors import UnexpectedReply
from integrations.outreach import jsonapi
from integrations.outreach.client import OutreachClient
from integrations.outreach.endpoints import Endpoint
from integrations.outreach.statuses import SMALLEST_PAGE, PageTooHeavy

MOST_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class ListingPage:
    """One page of a listing, its items as they came."""

    items: list[Any]
    is_last: bool


def pages(client: OutreachClient, endpoint: Endpoint, query: Mapping[str, str]) -> Iterator[ListingPage]:
    """Yield the pages of a listing until it ends; whoever gets no `is_last` page has half a list.

    A 502 means the page is too heavy (source: estuary/connectors, source-outreach): it is asked for
    again at half the size, from its own cursor, and the size stays so.
    Raises: UnexpectedReply for a link that leads elsewhere, in a circle, or on without end; the page
        that carries it is not used. And everything `client.send` raises.
    """
    query, seen = dict(query), set[str]()
    for _ in range(MOST_PAGES):
        try:
            document = client.send(endpoint, query=query).document
        except PageTooHeavy:
            query["page[size]"] = str(max(int(query["page[size]"]) // 2, SMALLEST_PAGE))
            continue
        items, link = jsonapi.resources(document), jsonapi.next_link(document)
        if link is None:
            yield ListingPage(items, is_last=True)
            return
        cursor = client.follow(endpoint, link)
        if cursor in seen:
            raise _endless("links.next leads in a circle")
        seen.add(cursor)
        yield ListingPage(items, is_last=False)
        query["page[after]"] = cursor
    raise _endless(f"more than {MOST_PAGES} pages")


def _endless(why: str) -> UnexpectedReply:
    return UnexpectedReply(
        "Outreach’s list did not come to an end, and was not believed. "
        "Try again; tell the operator if it stays.",
        detail=why,
    )
