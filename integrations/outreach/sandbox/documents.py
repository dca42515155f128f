"""Documents: records as JSON:API resource objects in bytes, with a cache."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from json.encoder import encode_basestring as encode_string
from operator import attrgetter
from typing import Any

from .directory import Directory
from .records import FIELD_NAMES, Record
from .relationships import get_writer
from .schema import RESOURCES, Attribute
from .settings import Settings

# Leaves the default payload on 2026-10-01 (Outreach's deprecation notice); named, it still comes.
ONLY_WHEN_NAMED = ("contactHistogram",)
encode: Callable[[Any], str] = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
# Pieces are cached for this many fieldsets per collection; a client uses two or three.
KEPT_FIELDSETS = 8


@cache
def reader(plural: str, name: str) -> Callable[[Any], Any]:
    """Return the function that reads attribute `name` from a record."""
    attribute = RESOURCES[plural].attributes[name]
    empty = attribute.empty
    if _is_own(plural, attribute):
        return attrgetter(attribute.field)
    return lambda record: record.more.get(name, empty)


class Documents:
    """Turns the directory's records into resource objects under one base URL."""

    def __init__(self, directory: Directory, settings: Settings, base_url: Callable[[], str]) -> None:
        self.directory = directory
        self.settings = settings
        self.base_url = base_url
        self._getters: dict[tuple[Any, ...], Callable[[Any], bytes]] = {}
        self._lock = threading.Lock()

    def piece(
        self,
        plural: str,
        record: Record,
        fieldset: tuple[str, ...] | None,
        may_write: Callable[[Any], bool] | None = None,
    ) -> bytes:
        """Return one resource object as JSON bytes.

        fieldset: names of attributes and relationships, or None for all.
        may_write: what meta.canWrite and canDelete say of a record; None leaves meta out.
        """
        piece = self._kept(plural, fieldset)(record)
        if may_write is None:
            return piece
        allowed = may_write(record)
        meta = encode({"canWrite": allowed, "canDelete": allowed})
        return piece[:-1] + f',"meta":{meta}}}'.encode()

    def page(
        self,
        plural: str,
        records: list[Any],
        fieldset: tuple[str, ...] | None,
        may_write: Callable[[Any], bool] | None = None,
    ) -> bytes:
        """Return the array of resource objects as JSON bytes."""
        if may_write is None:
            pieces: Iterable[bytes] = map(self._kept(plural, fieldset), records)
        else:
            pieces = (self.piece(plural, record, fieldset, may_write) for record in records)
        return b"[" + b",".join(pieces) + b"]"

    def _kept(self, plural: str, fieldset: tuple[str, ...] | None) -> Callable[[Any], bytes]:
        settings = self.settings
        key = (plural, fieldset, settings.embed_limit, settings.ids_as_strings, self.base_url())
        with self._lock:
            get = self._getters.get(key)
            if get is None:
                get = self._getters[key] = self._getter(plural, fieldset)
            while len(self._getters) > KEPT_FIELDSETS:
                del self._getters[next(iter(self._getters))]
        return get

    def _getter(self, plural: str, fieldset: tuple[str, ...] | None) -> Callable[[Any], bytes]:
        """Return the function that finds a record's piece among those already written, or writes it."""
        kept: dict[int, tuple[Any, bytes]] = {}
        write = self._builder(plural, fieldset)

        def get(record: Any) -> bytes:
            held = kept.get(record.id)
            # Records are replaced when they change, so the same object means the same JSON.
            if held is not None and held[0] is record:
                return held[1]
            made = write(record).encode()
            kept[record.id] = (record, made)
            return made

        return get

    def _builder(self, plural: str, fieldset: tuple[str, ...] | None) -> Callable[[Any], str]:
        """Return the function that writes one record as JSON text.

        It writes text and builds no document, and writes attributes without a field of their own only
        once, because a page of records that are not cached yet takes the longest.
        """
        resource = RESOURCES[plural]
        shown = [
            (name, f"{encode(name)}:", attribute)
            for name, attribute in resource.attributes.items()
            if self._is_shown(attribute, fieldset)
        ]
        own = [(lead, reader(plural, name)) for name, lead, attribute in shown if _is_own(plural, attribute)]
        other = [
            (name, lead + encode(attribute.empty), lead)
            for name, lead, attribute in shown
            if not _is_own(plural, attribute)
        ]
        others_empty = [empty for _, empty, _ in other]
        base_url, settings = self.base_url(), self.settings
        relationships = [
            (
                f"{encode(name)}:",
                get_writer(resource, each, directory=self.directory, settings=settings, base_url=base_url),
            )
            for name, each in resource.relationships.items()
            if fieldset is None or name in fieldset
        ]
        quote = '"' if settings.ids_as_strings else ""
        # Ids are JSON integers in every recorded reply (Hull, amp-labs).
        head = f'{{"type":"{resource.type}","id":{quote}'
        root = f'{{"self":"{base_url}/api/v2/{plural}/'

        def write(record: Any) -> str:
            attributes = [lead + text(read(record)) for lead, read in own]
            more = record.more
            if more:
                attributes += [
                    lead + text(more[name]) if name in more else empty for name, empty, lead in other
                ]
            else:
                attributes += others_empty
            related = ",".join([lead + relate(record) for lead, relate in relationships])
            return (
                f'{head}{record.id}{quote},"attributes":{{{",".join(attributes)}}},'
                f'"relationships":{{{related}}},"links":{root}{record.id}"}}}}'
            )

        return write

    @staticmethod
    def _is_shown(attribute: Attribute, fieldset: tuple[str, ...] | None) -> bool:
        if attribute.write_only:
            return False
        if fieldset is None:
            return attribute.name not in ONLY_WHEN_NAMED
        return attribute.name in fieldset


def _is_own(plural: str, attribute: Attribute) -> bool:
    """Whether records have a field for it, rather than an entry in `more`."""
    return attribute.field in FIELD_NAMES[plural] or attribute.name == "name"


def text(value: Any) -> str:
    """Return `value` as JSON text; the common kinds without the encoder's set-up."""
    if value is None:
        return "null"
    if type(value) is str:
        return encode_string(value)
    return encode(value)


def collection(data: bytes, links: Mapping[str, str], meta: Mapping[str, Any] | None) -> bytes:
    """Return a collection document around an already encoded `data` array."""
    parts = [b'{"data":', data]
    if links:
        parts += [b',"links":', encode(dict(links)).encode()]
    if meta is not None:
        parts += [b',"meta":', encode(dict(meta)).encode()]
    return b"".join([*parts, b"}"])
