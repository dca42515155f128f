"""Relationships: a record's references to others, as JSON text: an id, several ids, or a link to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

from .directory import Directory
from .schema import Relationship, Resource
from .settings import Settings

# The collection each target type lives in, and the filter that leads back; where the sandbox holds
# nothing of a type, only the link is used.
PLURALS = {
    "batch": "batches",
    "call": "calls",
    "contentCategory": "contentCategories",
    "emailAddress": "emailAddresses",
    "favorite": "favorites",
    "mailAlias": "mailAliases",
    "mailbox": "mailboxes",
    "mailing": "mailings",
    "opportunity": "opportunities",
    "opportunityProspectRole": "opportunityProspectRoles",
    "phoneNumber": "phoneNumbers",
    "recipient": "recipients",
    "sequenceState": "sequenceStates",
    "task": "tasks",
    "team": "teams",
    "user": "users",
}
# The name of the inverse relationship, where that is not the type's own name.
WAYS_BACK = {("user", "teams"): "users", ("team", "users"): "teams"}
# The record's field that lists the members of a relationship the sandbox holds.
MEMBERS = {
    ("user", "teams"): "team_ids",
    ("user", "mailboxes"): "mailbox_ids",
    ("team", "users"): "user_ids",
}
# A relationship to the creator of a record: everything was made by the first administrator.
FIRST_ADMIN = ("creator", "updater")


def get_writer(
    resource: Resource, relationship: Relationship, *, directory: Directory, settings: Settings, base_url: str
) -> Callable[[Any], str]:
    """Return the function that writes one relationship of a record as JSON text."""
    quote = '"' if settings.ids_as_strings else ""
    lead, end = f'{{"type":"{relationship.target}","id":{quote}', f"{quote}}}"
    if relationship.cardinality == "one":

        def write_one(record: Any) -> str:
            target = _one(relationship, record, directory)
            return '{"data":null}' if target is None else f'{{"data":{lead}{target}{end}}}'

        return write_one
    # amp-labs/connectors, providers/outreach/test: …/mailings?filter%5Bprospect%5D%5Bid%5D=23
    way_back = WAYS_BACK.get((resource.type, relationship.name), resource.type)
    collection_url = f"{base_url}/api/v2/{PLURALS[relationship.target]}"
    links = f'"links":{{"related":"{collection_url}?{quote_plus(f"filter[{way_back}][id]")}='
    is_link = relationship.cardinality == "link"
    place = MEMBERS.get((resource.type, relationship.name))
    most = settings.embed_limit

    def write_many(record: Any) -> str:
        ids = getattr(record, place) if place else ()
        if is_link or len(ids) > most:
            return f'{{{links}{record.id}"}}}}'
        data = ",".join([f"{lead}{each}{end}" for each in ids])
        return f'{{"data":[{data}],{links}{record.id}"}},"meta":{{"count":{len(ids)}}}}}'

    return write_many


def _one(relationship: Relationship, record: Any, directory: Directory) -> int | None:
    if relationship.name in FIRST_ADMIN:
        return 1 if 1 in directory.users else None
    if relationship.name == "mailbox":
        return record.mailbox_ids[0] if record.mailbox_ids else None
    number: int | None = getattr(record, f"{relationship.name}_id", None)
    return number
