"""Records as JSON:API resource objects, in bytes, with a cache: a page is a join of ready pieces."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode

from .directory import FIELD_NAMES, Directory, Record
from .schema import RESOURCES, Attribute, Relationship, Resource
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
# What the collection at the other end calls the way back, where that is not the type's own name.
WAYS_BACK = {("user", "teams"): "users", ("team", "users"): "teams"}
# A relationship to the creator of a record: everything was made by the first administrator.
FIRST_ADMIN = ("creator", "updater")
# Leaves the default payload on 2026-10-01 (Outreach's deprecation notice); named, it still comes.
ONLY_WHEN_NAMED = ("contactHistogram",)
encode: Callable[[Any], str] = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
# Pieces are kept for this many fieldsets per collection; a client has two or three.
KEPT_FIELDSETS = 8


@cache
def reader(plural: str, name: str) -> Callable[[Any], Any]:
    """Return the function that reads attribute `name` from a record."""
    attribute = RESOURCES[plural].attributes[name]
    place, empty = attribute.field, attribute.empty
    if place in FIELD_NAMES[plural] or name == "name":
        return lambda record: getattr(record, place)
    return lambda record: record.more.get(name, empty)


class Documents:
    """Turns the directory's records into resource objects under one base URL."""

    def __init__(self, directory: Directory, settings: Settings, base_url: Callable[[], str]) -> None:
        self.directory = directory
        self.settings = settings
        self.base_url = base_url
        self._pieces: dict[tuple[Any, ...], dict[int, tuple[Record, bytes]]] = {}
        self._lock = threading.Lock()

    def piece(
        self, plural: str, record: Record, fieldset: tuple[str, ...] | None, authorized: bool | None = None
    ) -> bytes:
        """Return one resource object as JSON bytes.

        fieldset: names of attributes and relationships, or None for all.
        authorized: what meta.canWrite and canDelete say; None leaves meta out.
        """
        return self._kept(plural, fieldset, authorized)(record)

    def page(
        self,
        plural: str,
        records: list[Any],
        fieldset: tuple[str, ...] | None,
        authorized: bool | None = None,
    ) -> bytes:
        """Return the array of resource objects as JSON bytes."""
        return b"[" + b",".join(map(self._kept(plural, fieldset, authorized), records)) + b"]"

    def _kept(
        self, plural: str, fieldset: tuple[str, ...] | None, authorized: bool | None
    ) -> Callable[[Any], bytes]:
        settings = self.settings
        key = (plural, fieldset, authorized, settings.embed_limit, settings.ids_as_strings, self.base_url())
        with self._lock:
            kept = self._pieces.setdefault(key, {})
            while len(self._pieces) > KEPT_FIELDSETS:
                del self._pieces[next(iter(self._pieces))]
        build = self._builder(plural, fieldset, authorized)

        def get(record: Any) -> bytes:
            held = kept.get(record.id)
            # Records are replaced when they change, so the same object means the same JSON.
            if held is not None and held[0] is record:
                return held[1]
            made = encode(build(record)).encode()
            kept[record.id] = (record, made)
            return made

        return get

    def _builder(
        self, plural: str, fieldset: tuple[str, ...] | None, authorized: bool | None
    ) -> Callable[[Any], dict[str, Any]]:
        resource = RESOURCES[plural]
        readers = [
            (name, reader(plural, name))
            for name, attribute in resource.attributes.items()
            if self._is_shown(attribute, fieldset)
        ]
        relationships = [
            each for name, each in resource.relationships.items() if fieldset is None or name in fieldset
        ]
        root = f"{self.base_url()}/api/v2/{plural}"
        kind = resource.type

        def build(record: Any) -> dict[str, Any]:
            document: dict[str, Any] = {
                "type": kind,
                "id": self._id(record.id),
                "attributes": {name: read(record) for name, read in readers},
                "relationships": {
                    each.name: self._relationship(resource, each, record) for each in relationships
                },
                "links": {"self": f"{root}/{record.id}"},
            }
            if authorized is not None:
                document["meta"] = {"canWrite": authorized, "canDelete": authorized}
            return document

        return build

    @staticmethod
    def _is_shown(attribute: Attribute, fieldset: tuple[str, ...] | None) -> bool:
        if attribute.write_only:
            return False
        if fieldset is None:
            return attribute.name not in ONLY_WHEN_NAMED
        return attribute.name in fieldset

    def _id(self, number: int) -> int | str:
        # Ids are JSON integers in every recorded reply (Hull, amp-labs).
        return str(number) if self.settings.ids_as_strings else number

    def _relationship(self, resource: Resource, relationship: Relationship, record: Any) -> dict[str, Any]:
        if relationship.cardinality == "one":
            target = self._one(relationship, record)
            if target is None:
                return {"data": None}
            return {"data": {"type": relationship.target, "id": self._id(target)}}
        # amp-labs/connectors, providers/outreach/test: …/mailings?filter%5Bprospect%5D%5Bid%5D=23
        way_back = WAYS_BACK.get((resource.type, relationship.name), resource.type)
        query = urlencode({f"filter[{way_back}][id]": record.id})
        related = f"{self.base_url()}/api/v2/{PLURALS[relationship.target]}?{query}"
        ids = self._many(resource, relationship, record)
        if relationship.cardinality == "link" or len(ids) > self.settings.embed_limit:
            return {"links": {"related": related}}
        return {
            "data": [{"type": relationship.target, "id": self._id(each)} for each in ids],
            "links": {"related": related},
            "meta": {"count": len(ids)},
        }

    def _one(self, relationship: Relationship, record: Any) -> int | None:
        if relationship.name in FIRST_ADMIN:
            return 1 if 1 in self.directory.users else None
        if relationship.name == "mailbox":
            return record.mailbox_ids[0] if record.mailbox_ids else None
        number: int | None = getattr(record, f"{relationship.name}_id", None)
        return number

    @staticmethod
    def _many(resource: Resource, relationship: Relationship, record: Any) -> tuple[int, ...]:
        place = {
            ("user", "teams"): "team_ids",
            ("user", "mailboxes"): "mailbox_ids",
            ("team", "users"): "user_ids",
        }.get((resource.type, relationship.name))
        return getattr(record, place) if place else ()


def collection(data: bytes, links: Mapping[str, str], meta: Mapping[str, Any] | None) -> bytes:
    """Return a collection document around an already encoded `data` array."""
    parts = [b'{"data":', data]
    if links:
        parts += [b',"links":', encode(dict(links)).encode()]
    if meta is not None:
        parts += [b',"meta":', encode(dict(meta)).encode()]
    return b"".join([*parts, b"}"])
