"""One item of a reply as one record: Outreach's names on the one side, `integrations.connector`'s on the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
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
    Unreadable,
)
from integrations.outreach import jsonapi
from integrations.outreach.endpoints import CUSTOM_FIELDS
from integrations.outreach.jsonapi import FieldError
from integrations.outreach.listing import ListingPage

Record = TypeVar("Record", PersonRecord, TeamRecord, MailboxRecord)

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


def read_page(
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


def person(item: dict[str, Any], remote_id: str) -> PersonRecord:
    """Return a user as a person. Raises: FieldError, as everything here."""
    attributes = jsonapi.attributes_of(item)
    phone, bridge, extension = (
        jsonapi.text(attributes, name, LONGEST_TEXT)
        for name in ("phoneNumber", "bridgePhone", "bridgePhoneExtension")
    )
    # The extension belongs to the bridge number, often a private one: it counts where both are one number.
    has_extension = bool(extension and phone) and _digits(phone) == _digits(bridge)
    return PersonRecord(
        remote_id=remote_id,
        email=_address(attributes),
        first_name=jsonapi.text(attributes, "firstName", LONGEST_TEXT),
        last_name=jsonapi.text(attributes, "lastName", LONGEST_TEXT),
        name=jsonapi.text(attributes, "name", LONGEST_NAME),
        title=jsonapi.text(attributes, "title", LONGEST_TEXT),
        phone=phone,
        phone_extension=extension if has_extension else "",
        custom1=jsonapi.text(attributes, "custom1", LONGEST_TEXT),
        custom2=jsonapi.text(attributes, "custom2", LONGEST_TEXT),
        custom3=jsonapi.text(attributes, "custom3", LONGEST_TEXT),
        custom4=jsonapi.text(attributes, "custom4", LONGEST_TEXT),
        custom5=jsonapi.text(attributes, "custom5", LONGEST_TEXT),
        is_locked=bool(jsonapi.flag(attributes, "locked")),
        updated_at=jsonapi.instant(attributes, "updatedAt"),
        team_ids=jsonapi.to_many(item, "teams", "team"),
    )


def team(item: dict[str, Any], remote_id: str) -> TeamRecord:
    """Return a team with its members, where the reply lists them all."""
    name = jsonapi.text(jsonapi.attributes_of(item), "name", LONGEST_TEXT)
    return TeamRecord(remote_id, name, jsonapi.to_many(item, "users", "user"))


def mailbox(item: dict[str, Any], remote_id: str) -> MailboxRecord:
    """Return a mailbox with the signature it holds, to the byte."""
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
    email = jsonapi.text(attributes, "email", LONGEST_TEXT)
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
    guid = jsonapi.text(attributes, "userGuid", LONGEST_KEY) if "userGuid" in attributes else ""
    domain = _address(attributes).rpartition("@")[2].lower()
    return created_at, int(remote_id), guid or f"user-{remote_id}", domain


def is_live(item: Any) -> bool:
    """Tell whether a prospect is still there; a deleted one stays readable for a while."""
    return type(item) is dict and not jsonapi.attributes_of(item).get("trashedAt")


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
