"""Pagination: reads a listing page by page, in smaller pages where Outreach does not manage a large one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.connector import Unreadable
from integrations.errors import IntegrationError, ReplyTooLarge, UnexpectedReply, Unreachable, UnreadableReply
from integrations.outreach import jsonapi
from integrations.outreach.allowed_calls import Endpoint
from integrations.outreach.client import READ_TRIES, OutreachClient
from integrations.outreach.jsonapi import FieldError
from integrations.outreach.page_size import PageSize

from .replies import InMaintenance, NoAccess, NoConnection, TokenRejected, TooSlow

MOST_PAGES = 10_000
# What is asked of a record whose whole answer does not come: enough to know which one it is.
_BARE_FIELDS = {"user": "email", "team": "name", "mailbox": "email"}
_SIZE_MATTERS = (TooSlow, ReplyTooLarge)
_SIZE_IS_NOTHING = (TokenRejected, NoAccess, InMaintenance)
NOT_ANSWERED = "Outreach did not answer with this record, though it did with those around it"
SOME_NOT_ANSWERED = "Outreach did not answer with one record or more, nor tell which"


@dataclass(frozen=True, slots=True)
class ListingPage:
    """One page of a listing, its items as they came.

    unread: the records that Outreach did not answer with, each asked for alone.
    has_gap: what lies between two such records is not known, nor whether anything does.
    An empty page that is not the last means that a page is asked for again.
    """

    items: list[Any]
    is_last: bool
    unread: tuple[Unreadable, ...] = ()
    has_gap: bool = False


class _Stuck(Exception):
    """The listing cannot be read further: one record alone is not answered, nor with fewest fields."""

    def __init__(self, error: IntegrationError, query: Mapping[str, str]) -> None:
        super().__init__(str(error))
        self.error = error
        self.query = query


def pages(client: OutreachClient, endpoint: Endpoint, query: Mapping[str, str]) -> Iterator[ListingPage]:
    """Yield the pages of a listing until it ends; whoever gets no `is_last` page has half a list.

    A page that does not come, too late, too large or unreadable, is asked for again at half the size, down
    to one record, from its own cursor; afterwards the size grows again. A record that does not come alone
    is passed by asking for less of it, which gives its id and the way on. Where even that does not come,
    what lies behind it is read from the end of the listing backwards.
    Raises: UnexpectedReply for a link that leads elsewhere, in a circle, or on without end; the page
        that carries it is not used. Unreachable or UnreadableReply where nothing is answered at all.
        And everything `client.send` raises.
    """
    seen: set[str] = set()
    try:
        for page in _walk(client, endpoint, query, int(query["page[size]"])):
            seen.update(map(_get_key, page.items))
            yield page
        return
    except _Stuck as stuck:
        ends = [stuck]
    backward = {**query, "sort": "-createdAt"}
    if _is_answered(client, endpoint, backward):
        try:
            for page in _walk(client, endpoint, backward, 1):
                new = [item for item in page.items if _get_key(item) not in seen]
                yield ListingPage(new, page.is_last, page.unread)
            return  # it came this time: nothing is left out
        except _Stuck as stuck:
            ends.append(stuck)
    known = query if seen else backward
    if not _never_come(client, endpoint, [end.query for end in ends], known):
        raise ends[0].error
    yield ListingPage([], True, (Unreadable("", SOME_NOT_ANSWERED),), has_gap=True)


def _walk(
    client: OutreachClient, endpoint: Endpoint, query: Mapping[str, str], first_size: int
) -> Iterator[ListingPage]:
    """Yield the pages from where `query` begins. Raises: _Stuck where one record does not come."""
    query, cursors = dict(query), set[str]()
    size, failures, walked = PageSize(first_size, largest=int(query["page[size]"])), 0, 0
    while walked < MOST_PAGES:
        query["page[size]"] = str(size.now)
        unread: tuple[Unreadable, ...] = ()
        try:
            items, link = _ask(client, endpoint, query)
        except _SIZE_IS_NOTHING:
            raise
        except (Unreachable, UnreadableReply) as error:
            failures += 1
            if not client.pace.repeats:
                raise
            is_smaller = not isinstance(error, NoConnection) and size.halve()
            if is_smaller or failures < READ_TRIES:
                failures = 0 if is_smaller else failures
                if not (is_smaller and isinstance(error, _SIZE_MATTERS)):
                    client.pace.back_off(max(failures, 1))
                yield ListingPage([], is_last=False)
                continue
            if isinstance(error, NoConnection):
                raise
            unread, link = _pass_over(client, endpoint, query, error)
            items = []
        else:
            size.grow()
        failures, walked = 0, walked + 1
        if link is None:
            yield ListingPage(items, True, unread)
            return
        cursor = client.follow(endpoint, link)
        if cursor in cursors:
            raise _endless("links.next leads in a circle")
        cursors.add(cursor)
        yield ListingPage(items, False, unread)
        query["page[after]"] = cursor
    raise _endless(f"more than {MOST_PAGES} pages")


def _ask(client: OutreachClient, endpoint: Endpoint, query: Mapping[str, str]) -> tuple[list[Any], Any]:
    document = client.send(endpoint, query=query, tries=1).document
    return jsonapi.resources(document), jsonapi.next_link(document)


def _pass_over(
    client: OutreachClient, endpoint: Endpoint, query: Mapping[str, str], error: IntegrationError
) -> tuple[tuple[Unreadable, ...], Any]:
    """Return the one record that did not come, as one that was left out, and the link behind it."""
    kind = endpoint.resource_type
    bare = {**query, f"fields[{kind}]": _BARE_FIELDS[kind]}
    try:
        items, link = _ask(client, endpoint, bare)
    except _SIZE_IS_NOTHING:
        raise
    except (Unreachable, UnreadableReply):
        raise _Stuck(error, query) from None
    return tuple(Unreadable(_get_id(item, kind), f"{NOT_ANSWERED}. {error.message}") for item in items), link


def _never_come(
    client: OutreachClient, endpoint: Endpoint, queries: Sequence[Mapping[str, str]], known: Mapping[str, str]
) -> bool:
    """Return whether these pages of one do not come although a known one does, each time it is asked for.

    Otherwise nothing comes just now, or everything does again: an outage, and no odd record.
    """
    for query in [*queries, *queries]:
        if not _is_answered(client, endpoint, known) or _is_answered(client, endpoint, query):
            return False
    return _is_answered(client, endpoint, known)


def _is_answered(client: OutreachClient, endpoint: Endpoint, query: Mapping[str, str]) -> bool:
    try:
        _ask(client, endpoint, {**query, "page[size]": "1"})
    except _SIZE_IS_NOTHING:
        raise
    except (Unreachable, UnreadableReply):
        return False
    return True


def _get_id(item: Any, kind: str) -> str:
    try:
        return jsonapi.identity(item, kind)
    except FieldError:
        return ""


def _get_key(item: Any) -> str:
    return str(item.get("id")) if isinstance(item, dict) else ""


def _endless(why: str) -> UnexpectedReply:
    return UnexpectedReply(
        "Outreach’s list did not end and was not used. "
        "The portal tries again; tell the operator if it happens again.",
        detail=why,
    )
