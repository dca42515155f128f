"""Connector to Outreach: fulfils `integrations.connector` by calls; `records` reads what they answer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from integrations.connector import (
    AccountIdentity,
    AssumptionCheck,
    MailboxRecord,
    Page,
    PersonRecord,
    ProspectRecord,
    TeamRecord,
)
from integrations.errors import ScopeMissing, UnreadableRecord
from integrations.outreach import jsonapi, prospects, records
from integrations.outreach.allowed_calls import (
    FIND_PROSPECT,
    LIST_MAILBOXES,
    LIST_TEAMS,
    LIST_USERS,
    WRITE_SIGNATURE,
    Endpoint,
)
from integrations.outreach.assumption_report import make_report
from integrations.outreach.assumptions import check_assumptions
from integrations.outreach.client import OutreachClient
from integrations.outreach.jsonapi import FieldError

from .pagination import ListingPage, pages
from .replies import NotUnderstood, misfit

MOST_PEOPLE_PER_READ = 150

_PEOPLE_FIELDS = tuple(name for name in LIST_USERS.fields_read if name not in ("userGuid", "createdAt"))
_IDENTITY_FIELDS = ("email", "userGuid", "createdAt")


class OutreachConnector:
    """Implements `integrations.connector.Connector` for Outreach.

    page_size: 500 by measurement; a page that does not come is halved.
    """

    def __init__(self, client: OutreachClient, *, page_size: int = 500) -> None:
        self._client = client
        self._page_size = page_size
        self._takes_relationships = True

    def identify_account(self) -> AccountIdentity:
        """Return the organisation the access belongs to: that of its oldest user.

        Outreach documents no call that names the organisation, and users cannot be deleted, so the
        oldest one stands for it. Some pages come unsorted, so the oldest is picked here once more.
        """
        query = {"page[size]": "25", "sort": "createdAt", "fields[user]": ",".join(_IDENTITY_FIELDS)}
        listing = pages(self._client, LIST_USERS, {**query, "count": "false"})
        items = next((page.items for page in listing if page.items), [])
        try:
            users = [records.oldest_first(item) for item in items]
        except FieldError as error:
            raise misfit(f"user {error}") from error
        if not users:
            raise misfit("no user is visible to the account that connected")
        _, _, key, label = min(users)
        return AccountIdentity(key, label)

    def list_people(self, *, updated_since: datetime | None = None) -> Iterator[Page[PersonRecord]]:
        """Yield pages of people; with `updated_since`, only those changed at or after it."""
        for page in self._listing(LIST_USERS, _PEOPLE_FIELDS, _since(updated_since)):
            yield records.read_page(page, records.person, "user", updated_since)

    def list_teams(self) -> Iterator[Page[TeamRecord]]:
        """Yield pages of all teams; whether a new member changes `updatedAt` is not documented."""
        for page in self._listing(LIST_TEAMS, LIST_TEAMS.fields_read, {}):
            yield records.read_page(page, records.team, "team", None)

    def list_mailboxes(self, *, updated_since: datetime | None = None) -> Iterator[Page[MailboxRecord]]:
        """Yield pages of mailboxes with the signature each holds."""
        for page in self._listing(LIST_MAILBOXES, LIST_MAILBOXES.fields_read, _since(updated_since)):
            yield records.read_page(page, records.mailbox, "mailbox", updated_since)

    def read_mailboxes(self, person_ids: Sequence[str]) -> list[MailboxRecord]:
        """Return the mailboxes of at most 150 people as they are now, in one call where it fits.

        Raises: UnexpectedReply when any of them cannot be read whole.
        """
        if not person_ids:
            return []
        if len(person_ids) > MOST_PEOPLE_PER_READ:
            raise ValueError(f"at most {MOST_PEOPLE_PER_READ} people at once")
        wanted = set(person_ids)
        found: dict[str, MailboxRecord] = {}
        filters = {"filter[userId]": ",".join(sorted(wanted, key=int))}
        for listing in self._listing(LIST_MAILBOXES, LIST_MAILBOXES.fields_read, filters):
            page = records.read_page(listing, records.mailbox, "mailbox", None)
            if page.unreadable:
                odd = misfit(f"mailbox {page.unreadable[0].remote_id}: {page.unreadable[0].reason}")
                raise UnreadableRecord(odd.message, detail=odd.detail)
            found.update((record.remote_id, record) for record in page.records if record.person_id in wanted)
        return list(found.values())

    def write_signature(self, mailbox_id: str, html: str) -> MailboxRecord:
        """Replace the signature of one mailbox and return the mailbox as the reply shows it.

        html: '' clears it. Safe to call from several threads at once.
        Raises: Refused, NotFound, Rejected for this mailbox alone; UnexpectedReply when the write may
            have been done and the reply does not show it.
        """
        number = int(mailbox_id) if mailbox_id.isdecimal() else 0
        body = {"data": {"type": "mailbox", "id": number, "attributes": {"emailSignature": html}}}
        reply = self._client.send(WRITE_SIGNATURE, path_id=mailbox_id, body=body)
        item = jsonapi.resource(reply.document)
        try:
            record = records.mailbox(records.Values(item), jsonapi.identity(item, "mailbox"))
        except FieldError as error:
            raise misfit(f"mailbox {mailbox_id}: {error}") from error
        if record.remote_id != mailbox_id:
            raise misfit(f"asked for mailbox {mailbox_id}, answered with {record.remote_id}")
        return record

    def check_assumptions(
        self, *, requested: Collection[str], granted: Collection[str] | None, now: datetime
    ) -> AssumptionCheck:
        """Return what at most ten reads show; for a client that repeats nothing, so that a read is one call."""
        result = check_assumptions(self._client, requested=requested, granted=granted, now=now)
        return AssumptionCheck(result.findings, make_report(result, made_at=now))

    def learn_how_to_find(self) -> str:
        return prospects.learn_how_to_find(self._client)

    def find_prospect(
        self, email: str, *, asked: Collection[str] = (), how: str = prospects.WAYS_TO_FIND[0]
    ) -> ProspectRecord | None:
        return prospects.find_prospect(self._client, email, asked=asked, how=how)

    def is_granted(self, scope: str) -> bool:
        """Tell by the smallest read under `scope` whether Outreach opens it; for a grant that is not known.

        For `mailboxes.all` a True shows reading only: there is no write that changes nothing.
        Raises: AccountRestricted where the permission is there and the account's own profile is narrower.
        """
        try:
            if scope == FIND_PROSPECT.scope:
                prospects.find(self._client, prospects.NOBODY, ("emails",), "plain")
                return True
            endpoint = next(one for one in (LIST_USERS, LIST_TEAMS, LIST_MAILBOXES) if scope in one.scopes)
            fields = {f"fields[{endpoint.resource_type}]": endpoint.fields_read[0]}
            self._client.send(endpoint, query={"page[size]": "1", "count": "false", **fields})
        except ScopeMissing:
            return False
        return True

    def _listing(
        self, endpoint: Endpoint, fields: tuple[str, ...], filters: Mapping[str, str]
    ) -> Iterator[ListingPage]:
        """Yield the pages of a listing; relationships are asked for by name until Outreach refuses that.

        JSON:API lets a fieldset name relationships, Outreach's pages do not say. Once refused, the
        attributes alone are named, and whatever relationships still come are read.
        """
        query = {"page[size]": str(self._page_size), "count": "false", "sort": "createdAt", **filters}
        key = f"fields[{endpoint.resource_type}]"
        has_begun = False
        if self._takes_relationships:
            try:
                for page in pages(self._client, endpoint, {**query, key: ",".join(fields)}):
                    has_begun |= bool(page.items)
                    yield page
                return
            except NotUnderstood:
                if has_begun:
                    raise
                self._takes_relationships = False
        plain = records.drop_relationships(fields)
        yield from pages(self._client, endpoint, {**query, key: ",".join(plain)})


def _since(updated_since: datetime | None) -> dict[str, str]:
    if updated_since is None:
        return {}
    moment = updated_since.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"newFilterSyntax": "true", "filter[updatedAt][gte]": moment}
