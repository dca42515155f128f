"""Outreach's words to the records of `integrations.connector`, and back for the one attribute we write."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from integrations.connector import (
    AccountIdentity,
    MailboxRecord,
    Page,
    PersonRecord,
    ProspectRecord,
    TeamRecord,
    Unreadable,
)
from integrations.errors import ScopeMissing, UnexpectedReply
from integrations.outreach import jsonapi
from integrations.outreach.client import OutreachClient
from integrations.outreach.endpoints import (
    FIND_PROSPECT,
    LIST_MAILBOXES,
    LIST_TEAMS,
    LIST_USERS,
    WRITE_SIGNATURE,
    Endpoint,
)
from integrations.outreach.jsonapi import FieldError
from integrations.outreach.listing import ListingPage, pages
from integrations.outreach.policy import is_one_address
from integrations.outreach.statuses import NotUnderstood

MOST_PEOPLE_PER_READ = 100

Record = TypeVar("Record", PersonRecord, TeamRecord, MailboxRecord)

_RELATIONSHIPS = frozenset({"teams", "users", "user"})
_PEOPLE_FIELDS = tuple(name for name in LIST_USERS.fields_read if name not in ("userGuid", "createdAt"))
_IDENTITY_FIELDS = ("email", "userGuid", "createdAt")
# Outreach's name -> ours. Score and engagedScore are numbers; they travel as text like the rest.
_PROSPECT_ATTRIBUTES = {
    "title": "title",
    "occupation": "occupation",
    "company": "company",
    "region": "region",
    "addressCity": "city",
    "addressState": "state",
    "addressCountry": "country",
    "timeZone": "time_zone",
    "source": "source",
    "campaignName": "campaign",
    "eventName": "event",
    "externalSource": "external_source",
    "score": "score",
    "engagedScore": "engaged_score",
}
_PROSPECT_LINKS = {"owner": "user", "stage": "stage", "persona": "persona", "account": "account"}


class OutreachConnector:
    """Implements `integrations.connector.Connector` for Outreach.

    page_size: 500 by measurement; a page that Outreach finds too heavy is halved by the client.
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
        page = next(pages(self._client, LIST_USERS, {**query, "count": "false"}))
        try:
            users = [_oldest_first(item) for item in page.items]
        except FieldError as error:
            raise _unexpected(f"user {error}") from error
        if not users:
            raise _unexpected("no user is visible to the account that connected")
        _, _, key, label = min(users)
        return AccountIdentity(key, label)

    def list_people(self, *, updated_since: datetime | None = None) -> Iterator[Page[PersonRecord]]:
        """Yield pages of people; with `updated_since`, only those changed at or after it."""
        for page in self._listing(LIST_USERS, _PEOPLE_FIELDS, _since(updated_since)):
            yield _read_page(page, _person, "user", updated_since)

    def list_teams(self) -> Iterator[Page[TeamRecord]]:
        """Yield pages of all teams; whether a new member changes `updatedAt` is not documented."""
        for page in self._listing(LIST_TEAMS, LIST_TEAMS.fields_read, {}):
            yield _read_page(page, _team, "team", None)

    def list_mailboxes(self, *, updated_since: datetime | None = None) -> Iterator[Page[MailboxRecord]]:
        """Yield pages of mailboxes with the signature each holds."""
        for page in self._listing(LIST_MAILBOXES, LIST_MAILBOXES.fields_read, _since(updated_since)):
            yield _read_page(page, _mailbox, "mailbox", updated_since)

    def read_mailboxes(self, person_ids: Sequence[str]) -> list[MailboxRecord]:
        """Return the mailboxes of at most 100 people as they are now, in one call where it fits.

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
            page = _read_page(listing, _mailbox, "mailbox", None)
            if page.unreadable:
                raise _unexpected(f"mailbox {page.unreadable[0].remote_id}: {page.unreadable[0].reason}")
            found.update((record.remote_id, record) for record in page.records if record.person_id in wanted)
        return list(found.values())

    def write_signature(self, mailbox_id: str, html: str) -> MailboxRecord:
        """Replace the signature of one mailbox and return the mailbox as the reply shows it.

        html: '' clears it. Safe to call from several threads at once.
        Raises: Refused, NotFound, Rejected for this mailbox alone; UnexpectedReply when the write may
            have been done and the reply does not show it.
        """
        attributes = {"emailSignature": html}
        body = {
            "data": {
                "type": "mailbox",
                "id": int(mailbox_id) if mailbox_id.isdecimal() else 0,
                "attributes": attributes,
            }
        }
        reply = self._client.send(WRITE_SIGNATURE, path_id=mailbox_id, body=body)
        item = jsonapi.resource(reply.document)
        try:
            record = _mailbox(item, jsonapi.identity(item, "mailbox"))
        except FieldError as error:
            raise _unexpected(f"mailbox {mailbox_id}: {error}") from error
        if record.remote_id != mailbox_id:
            raise _unexpected(f"asked for mailbox {mailbox_id}, answered with {record.remote_id}")
        return record

    def find_prospect(self, email: str) -> ProspectRecord | None:
        """Return the prospect with this address, or None; also None, without a call, for no address.

        Only a live prospect that names the address itself counts, whatever else the filter let through.
        """
        address = email.strip().lower()
        if not is_one_address(address):
            return None
        try:
            items = self._prospects({"filter[emails][]": address, "newFilterSyntax": "true"})
        except NotUnderstood:
            # The array form is documented for filters in general, and `emails` not named among them.
            items = self._prospects({"filter[emails]": address})
        try:
            found = [_prospect(item) for item in items if _is_live(item)]
        except FieldError as error:
            raise _unexpected(f"prospect {error}") from error
        named = [record for record in found if address in map(str.lower, record.emails)]
        return min(named, key=lambda record: int(record.remote_id), default=None)

    def is_granted(self, scope: str) -> bool:
        """Tell by the smallest read under `scope` whether Outreach opens it; for a grant that is not known.

        For `mailboxes.all` a True shows reading only: there is no write that changes nothing.
        Raises: AccountRestricted where the permission is there and the account's own profile is narrower.
        """
        try:
            if scope == FIND_PROSPECT.scope:
                # RFC 2606: no address ends in `.invalid`, so that nobody's record is read by asking.
                self._prospects({"filter[emails]": "nobody@countersign.invalid"})
                return True
            endpoint = next(one for one in (LIST_USERS, LIST_TEAMS, LIST_MAILBOXES) if one.scope == scope)
            fields = {f"fields[{endpoint.resource_type}]": endpoint.fields_read[0]}
            self._client.send(endpoint, query={"page[size]": "1", "count": "false", **fields})
        except ScopeMissing:
            return False
        return True

    def _prospects(self, filters: Mapping[str, str]) -> list[Any]:
        fields = ",".join(FIND_PROSPECT.fields_read)
        query = {"page[size]": "2", "count": "false", "fields[prospect]": fields, **filters}
        return jsonapi.resources(self._client.send(FIND_PROSPECT, query=query).document)

    def _listing(
        self, endpoint: Endpoint, fields: tuple[str, ...], filters: Mapping[str, str]
    ) -> Iterator[ListingPage]:
        """Yield the pages of a listing; relationships are asked for by name until Outreach refuses that.

        JSON:API lets a fieldset name relationships, Outreach's pages do not say. Once refused, the
        attributes alone are named, and whatever relationships still come are read.
        """
        query = {"page[size]": str(self._page_size), "count": "false", "sort": "createdAt", **filters}
        key = f"fields[{endpoint.resource_type}]"
        if self._takes_relationships:
            listing = pages(self._client, endpoint, {**query, key: ",".join(fields)})
            try:
                first = next(listing)
            except NotUnderstood:
                self._takes_relationships = False
            else:
                yield first
                yield from listing
                return
        plain = ",".join(name for name in fields if name not in _RELATIONSHIPS)
        yield from pages(self._client, endpoint, {**query, key: plain})


def _since(updated_since: datetime | None) -> dict[str, str]:
    if updated_since is None:
        return {}
    moment = updated_since.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"newFilterSyntax": "true", "filter[updatedAt][gte]": moment}


def _read_page(
    page: ListingPage,
    read: Callable[[dict[str, Any], str], Record],
    resource_type: str,
    updated_since: datetime | None,
) -> Page[Record]:
    """Return the page as records; what does not fit is set aside, and of two with one id the last counts."""
    records: dict[str, Record] = {}
    unreadable: list[Unreadable] = []
    for item in page.items:
        remote_id = ""
        try:
            remote_id = jsonapi.identity(item, resource_type)
            record = read(item, remote_id)
        except FieldError as error:
            unreadable.append(Unreadable(remote_id, str(error)))
            continue
        updated_at = getattr(record, "updated_at", None)
        # The bounds of a date filter are sometimes ignored.
        if updated_since is None or updated_at is None or updated_at >= updated_since:
            records[remote_id] = record
    return Page(tuple(records.values()), tuple(unreadable), page.is_last)


def _person(item: dict[str, Any], remote_id: str) -> PersonRecord:
    attributes = jsonapi.attributes_of(item)
    phone, bridge, extension = (
        jsonapi.text(attributes, name) for name in ("phoneNumber", "bridgePhone", "bridgePhoneExtension")
    )
    # The extension belongs to the bridge number, often a private one: it counts where both are one number.
    has_extension = bool(extension and phone) and _digits(phone) == _digits(bridge)
    return PersonRecord(
        remote_id=remote_id,
        email=_address(attributes),
        first_name=jsonapi.text(attributes, "firstName"),
        last_name=jsonapi.text(attributes, "lastName"),
        name=jsonapi.text(attributes, "name"),
        title=jsonapi.text(attributes, "title"),
        phone=phone,
        phone_extension=extension if has_extension else "",
        custom1=jsonapi.text(attributes, "custom1"),
        custom2=jsonapi.text(attributes, "custom2"),
        custom3=jsonapi.text(attributes, "custom3"),
        custom4=jsonapi.text(attributes, "custom4"),
        custom5=jsonapi.text(attributes, "custom5"),
        is_locked=bool(jsonapi.flag(attributes, "locked")),
        updated_at=jsonapi.instant(attributes, "updatedAt"),
        team_ids=jsonapi.to_many(item, "teams", "team"),
    )


def _team(item: dict[str, Any], remote_id: str) -> TeamRecord:
    name = jsonapi.text(jsonapi.attributes_of(item), "name")
    return TeamRecord(remote_id, name, jsonapi.to_many(item, "users", "user"))


def _mailbox(item: dict[str, Any], remote_id: str) -> MailboxRecord:
    attributes = jsonapi.attributes_of(item)
    return MailboxRecord(
        remote_id=remote_id,
        email=_address(attributes),
        person_id=_owner(item, attributes),
        signature_html=jsonapi.markup(attributes, "emailSignature"),
        is_editable=jsonapi.flag(attributes, "editable"),
        is_send_disabled=bool(jsonapi.flag(attributes, "sendDisabled")),
        updated_at=jsonapi.instant(attributes, "updatedAt"),
    )


def _owner(item: dict[str, Any], attributes: Mapping[str, Any]) -> str:
    """Return whose mailbox it is; two answers that differ are none, or a signature could go astray."""
    value = attributes.get("userId")
    by_attribute = "" if value is None else jsonapi.id_text(value, "userId")
    by_relationship = jsonapi.to_one(item, "user", "user") or ""
    if by_attribute and by_relationship and by_attribute != by_relationship:
        raise FieldError("userId", "and the user relationship name different people")
    return by_attribute or by_relationship


def _address(attributes: dict[str, Any]) -> str:
    email = jsonapi.text(attributes, "email")
    if "@" not in email or " " in email:
        raise FieldError("email", "is not an address")
    return email


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text, flags=re.ASCII)


def _oldest_first(item: Any) -> tuple[datetime, int, str, str]:
    remote_id = jsonapi.identity(item, "user")
    attributes = jsonapi.attributes_of(item)
    created_at = jsonapi.instant(attributes, "createdAt") or datetime.max.replace(tzinfo=UTC)
    guid = jsonapi.text(attributes, "userGuid") if "userGuid" in attributes else ""
    domain = _address(attributes).rpartition("@")[2].lower()
    return created_at, int(remote_id), guid or f"user-{remote_id}", domain


def _is_live(item: Any) -> bool:
    return type(item) is dict and not jsonapi.attributes_of(item).get("trashedAt")


def _prospect(item: dict[str, Any]) -> ProspectRecord:
    attributes = jsonapi.attributes_of(item)
    values = {ours: _plain(attributes, theirs) for theirs, ours in _PROSPECT_ATTRIBUTES.items()}
    ids = {name: jsonapi.to_one(item, name, kind) or "" for name, kind in _PROSPECT_LINKS.items()}
    return ProspectRecord(
        remote_id=jsonapi.identity(item, "prospect"),
        emails=jsonapi.texts(attributes, "emails"),
        attributes=values,
        tags=jsonapi.texts(attributes, "tags"),
        owner_id=ids["owner"],
        stage_id=ids["stage"],
        persona_id=ids["persona"],
        account_id=ids["account"],
        is_opted_out=bool(jsonapi.flag(attributes, "optedOut")),
    )


def _plain(attributes: dict[str, Any], name: str) -> str:
    """Return a text or a number as text; '' for null or nothing."""
    value = attributes.get(name)
    if type(value) in (int, float):
        return f"{value:.15g}"
    return "" if value is None else jsonapi.text(attributes, name)


def _unexpected(detail: str) -> UnexpectedReply:
    return UnexpectedReply(
        "Outreach’s reply does not fit what we asked for. Try again; tell the operator if it stays.",
        detail=detail,
    )
