"""Writes: POST, PATCH and DELETE, checked against the documented attributes, then done to the directory."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from .directory import Directory
from .errors import NotInSources, bad_parameters, invalid, not_authorized, not_found
from .http import Request
from .records import FIELD_NAMES
from .schema import Attribute, Resource
from .settings import Settings

# The attributes that the sandbox requires of a new record.
REQUIRED = {
    "user": ("email", "firstName", "lastName"),
    "team": ("name",),
    "mailbox": ("email",),
    "prospect": (),
}
KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "instant": (str,),
    "date": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "strings": (list,),
    "array": (list,),
    "object": (dict,),
}


class Writes:
    def __init__(self, directory: Directory, settings: Settings) -> None:
        self.directory = directory
        self.settings = settings

    def update(self, resource: Resource, record_id: int, request: Request, actor_id: int) -> Any:
        """Set the attributes that the body names, and no others."""
        data = _data(request)
        record = self.directory.table(resource.plural).get(record_id)
        if record is None:
            raise not_found(resource.type, str(record_id))
        # "type and id are required and must match the URL"; the status for a mismatch is not published.
        if data.get("type") != resource.type or str(data.get("id", "")) != str(record_id):
            raise bad_parameters("The body's type and id must match the URL.")
        self._check_permission(resource, record, actor_id)
        values = self._attributes(resource, data)
        if resource.type == "user" and "email" in values:
            raise NotInSources("a change of user.email, which is documented as not updatable")
        return self._apply(resource, record_id, values)

    def create(self, resource: Resource, request: Request, actor_id: int) -> Any:
        """Add a record with the attributes that the body names."""
        data = _data(request)
        if data.get("type") != resource.type or "id" in data:
            raise bad_parameters(f"The body's type must be {resource.type}, without an id.")
        relationships = data.get("relationships") or {}
        owner_id = actor_id
        if resource.type == "mailbox" and "user" in relationships:
            owner_id = _related_id(relationships.pop("user"))
        if relationships:
            raise NotInSources("relationships in a body")
        values = self._attributes(resource, data)
        for name in REQUIRED[resource.type]:
            if not values.get(name):
                raise invalid(f"{name} can't be blank.", f"/data/attributes/{name}")
        own = _by_place(resource, values)
        if resource.type == "mailbox":
            if owner_id not in self.directory.users:
                raise not_found("user", str(owner_id))
            return self.directory.add_mailbox(owner_id, own.pop("email"), **own)
        if resource.type == "prospect":
            own = {"emails": (), "first_name": "", "last_name": ""} | own
        return self.directory.table(resource.plural).create(**own)

    def delete(self, resource: Resource, record_id: int, actor_id: int) -> None:
        """Remove the record, if the token's scope allows it."""
        record = self.directory.table(resource.plural).get(record_id)
        if record is None:
            raise not_found(resource.type, str(record_id))
        self._check_permission(resource, record, actor_id)
        remove = {
            "team": self.directory.remove_team,
            "mailbox": self.directory.remove_mailbox,
            "prospect": self.directory.prospects.remove,
        }[resource.type]
        remove(record_id)

    def may_write(self, resource: Resource, record: Any, actor_id: int) -> bool:
        """Return whether the user may write: an admin everything, others only their own mailbox.

        Nobody may write a mailbox that is not editable.
        """
        actor = self.directory.users.get(actor_id)
        if actor is None:
            return False
        if resource.type == "mailbox":
            return bool(record.editable and (actor.is_admin or record.user_id == actor_id))
        return actor.is_admin

    def _check_permission(self, resource: Resource, record: Any, actor_id: int) -> None:
        if not self.may_write(resource, record, actor_id):
            raise not_authorized()

    def _attributes(self, resource: Resource, data: dict[str, Any]) -> dict[str, Any]:
        """Return the body's attributes, checked; write-only ones are checked and then forgotten."""
        given = data.get("attributes", {})
        if not isinstance(given, dict):
            raise bad_parameters("attributes is not an object.")
        values = {}
        for name, value in given.items():
            attribute = resource.attributes.get(name)
            if attribute is None:
                raise bad_parameters(f"'{name}' is not an attribute of {resource.type}.")
            if attribute.read_only:
                raise NotInSources(f"a write to the read-only attribute {name}")
            _check_value(attribute, value)
            if not attribute.write_only:
                values[name] = tuple(value) if isinstance(value, list) else value
        if data.get("relationships") and "id" in data:
            raise NotInSources("relationships in a body")
        self._check_prospect_emails(resource, data, values)
        return values

    def _check_prospect_emails(
        self, resource: Resource, data: dict[str, Any], values: dict[str, Any]
    ) -> None:
        for email in values.get("emails", ()) if resource.type == "prospect" else ():
            others = [
                each for each in self.directory.prospects.ids_with(email) if str(each) != str(data.get("id"))
            ]
            if others:
                # product-os/jellyfish, a recorded reply.
                raise invalid("Contacts email hash has already been taken.", "/data")

    def _apply(self, resource: Resource, record_id: int, values: dict[str, Any]) -> Any:
        if "emailSignature" in values:
            values["emailSignature"] = normalise(values["emailSignature"], self.settings.signature_normaliser)
        own = _by_place(resource, values)
        return self.directory.update(resource.plural, record_id, **own)


def _by_place(resource: Resource, values: dict[str, Any]) -> dict[str, Any]:
    """The values by their field's name, or by their wire name where a record keeps them in `more`."""
    places = {name: resource.attributes[name].field for name in values}
    known = FIELD_NAMES[resource.plural]
    return {place if place in known else name: values[name] for name, place in places.items()}


def normalise(html: str | None, how: str | None) -> str | None:
    """Return the signature as this Outreach stores it; whether the real one rewrites HTML is unknown."""
    if html is None or how is None:
        return html
    if how == "wrap":
        return html if html.startswith('<div class="signature">') else f'<div class="signature">{html}</div>'
    if how == "quotes":
        return re.sub(r"='([^'\"]*)'", r'="\1"', html)
    return html.strip()


def _data(request: Request) -> dict[str, Any]:
    try:
        document = json.loads(request.body, parse_constant=_no_constant)
        # Python accepts a lone surrogate in JSON, but it cannot be encoded in a reply.
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise bad_parameters("The body is not JSON.") from None
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        raise bad_parameters("The body has no data object.")
    return data


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _related_id(relationship: Any) -> int:
    try:
        return int(relationship["data"]["id"])
    except (TypeError, KeyError, ValueError):
        raise bad_parameters("The relationship has no data with an id.") from None


def _check_value(attribute: Attribute, value: Any) -> None:
    """Raise 422 unless `value` is null or of the published kind and length."""
    pointer = f"/data/attributes/{attribute.name}"
    if value is None:
        return
    is_kind = isinstance(value, KINDS[attribute.kind])
    # bool is an int in Python, not in JSON Schema.
    if not is_kind or (isinstance(value, bool) and attribute.kind != "boolean"):
        raise invalid(f"{attribute.name} is invalid.", pointer)
    if attribute.kind == "strings" and not all(isinstance(item, str) for item in value):
        raise invalid(f"{attribute.name} is invalid.", pointer)
    if attribute.kind == "instant" and not _is_instant(value):
        raise invalid(f"{attribute.name} is invalid.", pointer)
    if attribute.max_length is not None and isinstance(value, str):
        # 65,535 is the size of a MySQL TEXT column, which counts bytes.
        length = len(value.encode()) if attribute.max_length == 65_535 else len(value)
        if length > attribute.max_length:
            raise invalid(
                f"{attribute.name} is too long (maximum is {attribute.max_length} characters).", pointer
            )


def _is_instant(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
