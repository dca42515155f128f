"""Records: translate one item of a reply into a record of `integrations.connector`."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from integrations.connector import (
    LONGEST_KEY,
    LONGEST_NAME,
    LONGEST_TEXT,
    MailboxRecord,
    Page,
    PersonRecord,
    ProspectRecord,
    TeamRecord,
    UnknownValue,
    Unreadable,
)
from integrations.outreach import jsonapi
from integrations.outreach.allowed_calls import CUSTOM_FIELDS
from integrations.outreach.jsonapi import FieldError

from .pagination import ListingPage

Record = TypeVar("Record", PersonRecord, TeamRecord, MailboxRecord)
Answer = TypeVar("Answer", bool, datetime)

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
    **{name: name for name in CUSTOM_FIELDS},
}
PROSPECT_LINKS = {"owner": "user", "stage": "stage", "persona": "persona", "account": "account"}
_RELATIONSHIPS = frozenset({"teams", "users", "user", *PROSPECT_LINKS})


def read_page(
    page: ListingPage,
    read: Callable[[Values, str], Record],
    resource_type: str,
    updated_since: datetime | None,
) -> Page[Record]:
    """Return the page as records; one that does not fit is rejected, and of two with one id the last counts."""
    records: dict[str, Record] = {}
    unreadable = list(page.unread)
    unknown: dict[str, list[UnknownValue]] = {}
    for item in page.items:
        remote_id = ""
        try:
            remote_id = jsonapi.identity(item, resource_type)
            values = Values(item)
            record = read(values, remote_id)
        except FieldError as error:
            unreadable.append(Unreadable(remote_id, str(error)))
            continue
        updated_at = getattr(record, "updated_at", None)
        # The bounds of a date filter are sometimes ignored.
        if updated_since is None or updated_at is None or updated_at >= updated_since:
            records[remote_id] = record
            unknown[remote_id] = values.unknown
    counted = Counter(itertools.chain.from_iterable(unknown.values()))
    return Page(tuple(records.values()), tuple(unreadable), page.is_last, counted, page.has_gap)


class Values:
    """One item's values. What identity or safety hangs on is read by `jsonapi`, which raises FieldError.

    Everything else is read here: a value that is absent or does not fit is None, and noted in `unknown`.
    """

    __slots__ = ("attributes", "item", "unknown")

    def __init__(self, item: dict[str, Any]) -> None:
        self.item = item
        self.attributes = jsonapi.attributes_of(item)
        self.unknown: list[UnknownValue] = []

    def text(self, name: str, longest: int = LONGEST_TEXT) -> str | None:
        try:
            return jsonapi.text(self.attributes, name, longest)
        except FieldError:
            self._note(name, was_sent=name in self.attributes)
            return None

    def flag(self, name: str) -> bool | None:
        return self._answer(jsonapi.flag, name)

    def instant(self, name: str) -> datetime | None:
        return self._answer(jsonapi.instant, name)

    def to_many(self, name: str, resource_type: str) -> frozenset[str] | None:
        """Return ids, or None. That no complete list came is in order, and not noted."""
        try:
            return jsonapi.to_many(self.item, name, resource_type)
        except FieldError:
            self._note(name, was_sent=True)
            return None

    def _answer(self, read: Callable[[dict[str, Any], str], Answer | None], name: str) -> Answer | None:
        """Return what `read` says; null is no answer."""
        try:
            value = read(self.attributes, name)
        except FieldError:
            self._note(name, was_sent=True)
            return None
        if value is None:
            self._note(name, was_sent=False)
        return value

    def _note(self, name: str, *, was_sent: bool) -> None:
        self.unknown.append(UnknownValue(name, was_sent))


def person(values: Values, remote_id: str) -> PersonRecord:
    """Return a user as a person. Raises: FieldError, as everything here."""
    phone = values.text("phoneNumber")
    return PersonRecord(
        remote_id=remote_id,
        email=_address(values.attributes),
        first_name=values.text("firstName"),
        last_name=values.text("lastName"),
        name=values.text("name", LONGEST_NAME),
        title=values.text("title"),
        phone=phone,
        phone_region=values.text("phoneCountryCode"),
        phone_extension=_extension(phone, values.text("bridgePhone"), values.text("bridgePhoneExtension")),
        custom1=values.text("custom1"),
        custom2=values.text("custom2"),
        custom3=values.text("custom3"),
        custom4=values.text("custom4"),
        custom5=values.text("custom5"),
        is_locked=values.flag("locked"),
        updated_at=values.instant("updatedAt"),
        team_ids=values.to_many("teams", "team"),
    )


def _extension(phone: str | None, bridge: str | None, extension: str | None) -> str | None:
    """Return the extension of `phone`. It belongs to the bridge number, often a private one, and counts
    where both are one number."""
    if phone == "" or bridge == "" or extension == "":
        return ""
    if phone is None or bridge is None or extension is None:
        return None
    return extension if _digits(phone) == _digits(bridge) else ""


def team(values: Values, remote_id: str) -> TeamRecord:
    """Return a team with its members, where the reply lists them all."""
    return TeamRecord(remote_id, values.text("name"), values.to_many("users", "user"))


def mailbox(values: Values, remote_id: str) -> MailboxRecord:
    """Return a mailbox with the signature it holds, to the byte."""
    return MailboxRecord(
        remote_id=remote_id,
        email=_address(values.attributes),
        person_id=_owner(values),
        signature_html=jsonapi.markup(values.attributes, "emailSignature"),
        is_editable=values.flag("editable"),
        is_send_disabled=values.flag("sendDisabled"),
        updated_at=values.instant("updatedAt"),
    )


def _owner(values: Values) -> str:
    """Return whose mailbox it is, '' for nobody's; two that differ count as none, so that no signature is misplaced."""
    value = values.attributes.get("userId")
    by_attribute = "" if value is None else jsonapi.id_text(value, "userId")
    by_relationship = jsonapi.to_one(values.item, "user", "user")
    if by_relationship is None and "userId" not in values.attributes:
        raise FieldError("userId", "is absent, and the user relationship too")
    if by_attribute and by_relationship and by_attribute != by_relationship:
        raise FieldError("userId", "and the user relationship name different people")
    return by_attribute or by_relationship or ""


def _address(attributes: dict[str, Any]) -> str:
    email = jsonapi.text(attributes, "email", LONGEST_TEXT, is_escaped=False)
    if "@" not in email or " " in email:
        raise FieldError("email", "is not an address")
    return email


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text, flags=re.ASCII)


def oldest_first(item: Any) -> tuple[datetime, int, str, str]:
    """Return age, id, key and mail domain of a user; the smallest of several is the oldest."""
    remote_id = jsonapi.identity(item, "user")
    attributes = jsonapi.attributes_of(item)
    created_at = jsonapi.instant(attributes, "createdAt") or datetime.max.replace(tzinfo=UTC)
    guid = (
        jsonapi.text(attributes, "userGuid", LONGEST_KEY, is_escaped=False)
        if "userGuid" in attributes
        else ""
    )
    domain = _address(attributes).rpartition("@")[2].lower()
    return created_at, int(remote_id), guid or f"user-{remote_id}", domain


def is_live(item: Any) -> bool:
    """Tell whether a prospect is still there; a deleted one stays readable for a while."""
    return type(item) is dict and not jsonapi.attributes_of(item).get("trashedAt")


def drop_relationships(fields: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in fields if name not in _RELATIONSHIPS)


def get_prospect_fields(asked: Collection[str]) -> tuple[str, ...]:
    """Return what a look-up names for attributes in our words: these, the addresses, and whether it is deleted.

    Raises: ValueError for a word nobody knows here.
    """
    ours = {**{ours: theirs for theirs, ours in _PROSPECT_ATTRIBUTES.items()}, "tags": "tags"}
    ours |= {name: name for name in PROSPECT_LINKS}
    if unknown := set(asked) - set(ours):
        raise ValueError(f"no attribute of a prospect: {', '.join(sorted(unknown))}")
    return ("emails", "trashedAt", *(theirs for name, theirs in ours.items() if name in asked))


def prospect(item: dict[str, Any]) -> ProspectRecord:
    """Return a prospect with those of its attributes that came, in our words."""
    attributes = jsonapi.attributes_of(item)
    values = {
        ours: _plain(attributes, theirs)
        for theirs, ours in _PROSPECT_ATTRIBUTES.items()
        if theirs in attributes
    }
    ids = {name: jsonapi.to_one(item, name, kind) or "" for name, kind in PROSPECT_LINKS.items()}
    return ProspectRecord(
        remote_id=jsonapi.identity(item, "prospect"),
        emails=jsonapi.texts(attributes, "emails"),
        attributes=values,
        tags=jsonapi.texts(attributes, "tags") if "tags" in attributes else (),
        owner_id=ids["owner"],
        stage_id=ids["stage"],
        persona_id=ids["persona"],
        account_id=ids["account"],
    )


def _plain(attributes: dict[str, Any], name: str) -> str:
    """Return a text or a number as text; '' for null or nothing."""
    value = attributes.get(name)
    if type(value) in (int, float):
        return f"{value:.15g}"
    return "" if value is None else jsonapi.text(attributes, name)
