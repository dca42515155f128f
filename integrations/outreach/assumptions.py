"""Assumptions about Outreach: what this code relies on, compared with what at most ten reads show. Writes nothing.

Nobody documents all of it, and the sandbox is a second reading of the same pages. So the live API is asked, and
what it shows is put beside what is assumed: by name, so that a report says which one does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from integrations.connector import Finding, Verdict
from integrations.errors import UnexpectedReply

from . import jsonapi, policy, rate_limits
from .allowed_calls import LIST_MAILBOXES, LIST_TEAMS, LIST_USERS
from .assumption_reads import PAGE_SIZE, RELATIONSHIPS, Exchange, Reader, get_header, since_filter
from .client import OutreachClient
from .prospects import NOBODY
from .replies import MEDIA_TYPE, NotUnderstood
from .value_shapes import (
    ABSENT,
    FLAG,
    INSTANT,
    NEEDED_FLAG,
    NEEDED_TEXT,
    NUMBER,
    TEXT,
    Kind,
    count_shapes,
    describe_form,
    describe_key,
    describe_shape,
    get_attribute,
    get_instant,
    get_most_common,
    get_object,
    get_owner,
    is_id,
    matches_kind,
)

CLOCKS_AGREE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Result:
    """What the reads showed: a finding for each assumption, and the exchanges for the report."""

    findings: tuple[Finding, ...]
    exchanges: tuple[Exchange, ...]

    @property
    def differing(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.verdict is Verdict.DIFFERS]


_ATTRIBUTES: Mapping[str, Mapping[str, Kind]] = {
    "user": {
        "email": NEEDED_TEXT,
        "locked": NEEDED_FLAG,
        **{
            name: TEXT
            for name in LIST_USERS.fields_read
            if name not in ("email", "locked", "createdAt", "updatedAt", "teams")
        },
        "createdAt": INSTANT,
        "updatedAt": INSTANT,
    },
    "team": {"name": TEXT},
    "mailbox": {
        "email": NEEDED_TEXT,
        "emailSignature": TEXT,
        "userId": NUMBER,
        "editable": FLAG,
        "sendDisabled": FLAG,
        "updatedAt": INSTANT,
    },
}
_MEANING_NEEDED = "Records without it are rejected: these people get no signature."
_MEANING_OPTIONAL = "The stored value stays, and new people have none; signatures are made without it."


def check_assumptions(
    client: OutreachClient, *, requested: Collection[str], granted: Collection[str] | None, now: datetime
) -> Result:
    """Return what at most ten reads show of each assumption.

    client: one that repeats nothing, so that a read is one call.
    granted: what the token's answer said; None where it said nothing.
    Raises: ConnectionLost, ClientMisconfigured and RateLimited, which leave nothing to look at now.
    """
    reader = Reader(client)
    users = reader.read(LIST_USERS)
    cursor, next_link = _check_next_link(client.base_url, users)
    more = reader.read_where(LIST_USERS, {"page[after]": cursor} if cursor else None)
    known = [*users.items, *more.items]
    tomorrow = reader.read_where(LIST_USERS, since_filter(now + timedelta(days=1)))
    latest = max(filter(None, (get_instant(item, "updatedAt") for item in known)), default=None)
    lately = reader.read_where(LIST_USERS, since_filter(latest) if latest else None)
    teams, mailboxes = reader.read(LIST_TEAMS), reader.read(LIST_MAILBOXES)
    owner = next(filter(None, (get_owner(item) for item in mailboxes.items)), "")
    owned = reader.read_where(LIST_MAILBOXES, {"filter[userId]": owner} if owner else None)
    in_array = reader.find(**{"newFilterSyntax": "true", "filter[emails][]": NOBODY})
    plainly = reader.find(**{"filter[emails]": NOBODY})
    findings = [
        *_media(reader.exchanges),
        *_identities([users, more, teams, mailboxes]),
        *_attributes("user", known, users),
        *_attributes("team", teams.items, teams),
        *_attributes("mailbox", mailboxes.items, mailboxes),
        _fieldset(reader.exchanges),
        _fieldset_relationships(reader),
        *(
            _relationship(kind, name, items)
            for (kind, name), items in zip(RELATIONSHIPS, (known, teams.items, mailboxes.items), strict=True)
        ),
        next_link,
        _next_page(users, more),
        _order(users, more),
        _nothing_later(tomorrow),
        _nothing_earlier(lately, latest),
        _owner_filter(owned, owner),
        _lookup("prospect.array_filter", "filter[emails][] finds by one address", in_array),
        _lookup("prospect.plain_filter", "filter[emails] finds by one address", plainly),
        *_rate_limits(users, now),
        _clock(users, now),
        _scopes(requested, granted),
    ]
    return Result(tuple(findings), tuple(reader.exchanges))


def _media(exchanges: Sequence[Exchange]) -> Iterator[Finding]:
    seen = sorted({get_header(one, "Content-Type").partition(";")[0] for one in exchanges if one.reply})
    odd = [one.problem for one in exchanges if "not JSON:API" in one.problem]
    refused = NotUnderstood.__name__  # a form that Outreach does not take has a finding of its own
    problems = sorted(
        {one.problem for one in exchanges if one.problem and not one.problem.startswith(refused)}
    )
    yield _finding(
        "media_type",
        f"replies are {MEDIA_TYPE}",
        None if not (seen or odd) else not odd and set(seen) <= {MEDIA_TYPE, "application/json"},
        ", ".join([*seen, *sorted(set(odd))]) or "no usable reply",
        "Replies of another kind are not read at all.",
    )
    yield _finding(
        "answers",
        "each small read is answered",
        not problems,
        ", ".join(problems) or f"{len(exchanges)} reads answered",
        "What was not answered could not be checked; see the ledger for the reply.",
    )


def _identities(exchanges: Sequence[Exchange]) -> Iterator[Finding]:
    items = [(one.endpoint.resource_type, item) for one in exchanges for item in one.items]
    odd = [describe_shape(item.get("id")) for _, item in items if not is_id(item.get("id"))]
    yield _finding(
        "id",
        "ids are positive integers, or text of digits",
        not odd if items else None,
        f"{len(odd)} of {len(items)} are {get_most_common(odd)}"
        if odd
        else get_most_common([describe_shape(item.get("id")) for _, item in items]),
        "A record without such an id is rejected, and nobody is removed while one comes.",
    )
    strange = [describe_shape(item.get("type")) for kind, item in items if item.get("type") != kind]
    yield _finding(
        "type",
        "each record names its type in the singular",
        not strange if items else None,
        f"{len(strange)} of {len(items)} name another" if strange else f"{len(items)} records",
        "A record of another type is rejected.",
    )


def _attributes(kind: str, items: Sequence[Mapping[str, Any]], source: Exchange) -> Iterator[Finding]:
    for name, wanted in _ATTRIBUTES[kind].items():
        values = [get_attribute(item, name) for item in items]
        shapes = ["absent" if value is ABSENT else describe_shape(value) for value in values]
        fits = [matches_kind(wanted, value) for value in values]
        is_unseen = not values or (all(value is None for value in values) and not wanted.is_needed)
        yield _finding(
            f"{kind}.{name}",
            wanted.words,
            None if is_unseen else all(fits),
            count_shapes(shapes) or source.problem or "no record",
            _MEANING_NEEDED if wanted.is_needed else _MEANING_OPTIONAL,
        )


def _fieldset(exchanges: Sequence[Exchange]) -> Finding:
    extra: set[str] = set()
    for one in exchanges:
        asked = set(one.query.get(f"fields[{one.endpoint.resource_type}]", "").split(","))
        for item in one.items:
            extra |= set(get_object(item, "attributes")) - asked
    seen = any(one.items for one in exchanges)
    return _finding(
        "fieldset",
        "only the attributes that were named come",
        not extra if seen else None,
        f"{len(extra)} more: {', '.join(sorted(map(describe_key, extra))[:8])}" if extra else "no other",
        "More personal data travels than the portal asks for. It is not kept.",
    )


def _fieldset_relationships(reader: Reader) -> Finding:
    return _finding(
        "fieldset_relationships",
        "a list of fields may name relationships",
        reader.takes_relationships,
        {True: "accepted", False: "refused with 400", None: "no reply"}[reader.takes_relationships],
        "Attributes alone are named then, and whatever relationships still come are read.",
    )


def _relationship(kind: str, name: str, items: Sequence[Mapping[str, Any]]) -> Finding:
    found = [get_object(item, "relationships").get(name, ABSENT) for item in items]
    data = [one["data"] for one in found if isinstance(one, Mapping) and "data" in one]
    is_many = name != "user"
    return _finding(
        f"{kind}.{name}",
        "the relationship comes with its data",
        all(isinstance(one, list if is_many else (dict, type(None))) for one in data)
        and len(data) == len(found)
        if found
        else None,
        f"with data in {len(data)} of {len(found)} records" if found else "no record",
        "Membership is read from the other side as well; without either, people are in no group of theirs."
        if is_many
        else "The owner is read from userId as well; without either the mailbox is rejected.",
    )


def _check_next_link(base_url: str, page: Exchange) -> tuple[str, Finding]:
    """Return the cursor of the next page, '' for none, and what its link shows."""
    assumed = "links.next leads to the same host and path, with page[after]"
    meaning = (
        "A link that leads elsewhere is not followed, so that no token goes there: lists end as unreadable."
    )
    link = None
    try:
        if page.reply is None:
            return "", _finding("next_link", assumed, None, page.problem, meaning)
        link = jsonapi.next_link(page.reply.document)
        if link is None:
            seen = f"none after {len(page.items)} records"
            is_full = len(page.items) >= PAGE_SIZE
            return "", _finding(
                "next_link", assumed, None, seen + (", a full page" if is_full else ""), meaning
            )
        cursor = policy.check_next_link(link, base_url=base_url, path=page.endpoint.path)
    except UnexpectedReply as error:
        host = re.match(r"[a-z]+://([^/?#]{1,80})", link) if isinstance(link, str) else None
        seen = f"host {host[1].rpartition('@')[2]}" if host else describe_shape(link)
        return "", _finding("next_link", assumed, False, f"{seen}: {error.detail}", meaning)
    return cursor, _finding("next_link", assumed, True, f"a cursor of {len(cursor)} characters", meaning)


def _next_page(first: Exchange, second: Exchange) -> Finding:
    ids, more = ({str(item.get("id")) for item in page.items} for page in (first, second))
    return _finding(
        "next_page",
        "the next page holds other records",
        None if second.reply is None else bool(more) and not ids & more,
        second.problem or f"{len(more)} records, {len(ids & more)} of them seen before",
        "A list that repeats or ends early is read as it comes; nobody is removed by a list that runs in a circle.",
    )


def _order(first: Exchange, second: Exchange) -> Finding:
    moments = [
        moment
        for page in (first, second)
        for item in page.items
        if (moment := get_instant(item, "createdAt"))
    ]
    return _finding(
        "sort",
        "sort=createdAt puts the oldest first",
        moments == sorted(moments) if len(moments) > 1 else None,
        f"{len(moments)} records, {'in' if moments == sorted(moments) else 'out of'} order",
        "The organisation is identified by its oldest user among the first 25; another may be mistaken for it.",
    )


def _nothing_later(page: Exchange) -> Finding:
    return _finding(
        "updated_filter.future",
        "filter[updatedAt][gte] of tomorrow finds nobody",
        None if page.reply is None else not page.items,
        page.problem or f"{len(page.items)} records",
        "A sync of changes reads everybody each time: correct, but with as many calls as a full sync.",
    )


def _nothing_earlier(page: Exchange, since: datetime | None) -> Finding:
    moments = [get_instant(item, "updatedAt") for item in page.items]
    is_bounded = all(moment is not None and since is not None and moment >= since for moment in moments)
    return _finding(
        "updated_filter.since",
        "filter[updatedAt][gte] finds what changed at that instant or later, and nothing older",
        None if page.reply is None or since is None else bool(moments) and is_bounded,
        page.problem or f"{len(moments)} records, {'none' if is_bounded else 'some'} older",
        "What is older is dropped here; where what changed is missing, it arrives with the daily full sync.",
    )


def _owner_filter(page: Exchange, owner: str) -> Finding:
    owners = {get_owner(item) for item in page.items}
    return _finding(
        "owner_filter",
        "filter[userId] finds the mailboxes of one person",
        None if page.reply is None else owners == {owner},
        page.problem or f"mailboxes: {len(page.items)}, owners: {len(owners)}",
        "Others are left out here; a read before writing costs more, and fails where the person's own is missing.",
    )


def _lookup(name: str, assumed: str, page: Exchange) -> Finding:
    is_refused = page.problem.startswith(NotUnderstood.__name__)
    return _finding(
        name,
        f"{assumed}, and nobody by an address that nobody has",
        False if is_refused else None if page.reply is None else not page.items,
        page.problem or f"{len(page.items)} records",
        "The other form is used. Where neither finds by address, no audience that asks about prospects shows.",
    )


def _rate_limits(page: Exchange, now: datetime) -> Iterator[Finding]:
    meaning = (
        "The allowance is then counted by the setting OUTREACH_HOURLY_CALLS alone, and a 429 is waited out."
    )
    forms = {
        "limit": ("a whole number", r"[0-9]{1,9}"),
        "remaining": ("a whole number, or two of which the first counts", r"[0-9]{1,9}(, ?[0-9]{1,9})?"),
    }
    for name, (words, form) in forms.items():
        value = get_header(page, f"X-RateLimit-{name.title()}")
        fits = re.fullmatch(form, value, re.ASCII) is not None
        yield _finding(
            f"rate_limit.{name}",
            f"X-RateLimit-{name.title()} is {words}",
            None if page.reply is None else fits,
            describe_form(value),
            meaning,
        )
    value = get_header(page, "X-RateLimit-Reset")
    seconds = rate_limits.seconds_until(value, now=now.timestamp(), date=get_header(page, "Date") or None)
    yield _finding(
        "rate_limit.reset",
        "X-RateLimit-Reset is an instant within the hour: epoch seconds, seconds, an HTTP date or ISO 8601",
        None
        if page.reply is None
        else seconds is not None and seconds <= rate_limits.LONGEST_WAIT_SECONDS + 60,
        describe_form(value) + (f", in {seconds:.0f} s" if seconds is not None else ""),
        meaning,
    )


def _clock(page: Exchange, now: datetime) -> Finding:
    skew = rate_limits.clock_skew(page.reply.headers, now=now.timestamp()) if page.reply else None
    return _finding(
        "clock",
        f"Outreach's clock and ours differ by less than {CLOCKS_AGREE_SECONDS:.0f} seconds",
        None if page.reply is None else skew is not None and abs(skew) < CLOCKS_AGREE_SECONDS,
        "no Date in the reply"
        if skew is None
        else f"ours is {abs(skew):.0f} s {'ahead' if skew >= 0 else 'behind'}",
        "Tokens may be renewed too late or too early. Set this machine's clock by a time server.",
    )


def _scopes(requested: Collection[str], granted: Collection[str] | None) -> Finding:
    missing, extra = set(requested) - set(granted or ()), set(granted or ()) - set(requested)
    parts = [f"granted: {', '.join(sorted(granted or ())) or 'none'}"]
    parts += [f"missing: {', '.join(sorted(missing))}"] if missing and granted is not None else []
    parts += [f"not requested: {', '.join(sorted(extra))}"] if extra else []
    return _finding(
        "token.scopes",
        "the token's answer names exactly the permissions that were asked for",
        granted is not None and not missing and not extra,
        "the answer named none" if granted is None else "; ".join(parts),
        "Missing permissions are off here until they are granted; additional ones are never used.",
    )


def _finding(name: str, assumed: str, holds: bool | None, seen: str, meaning: str) -> Finding:
    verdict = Verdict.UNSEEN if holds is None else Verdict.HOLDS if holds else Verdict.DIFFERS
    return Finding(name, assumed, verdict, seen, "" if verdict is Verdict.HOLDS else meaning)
