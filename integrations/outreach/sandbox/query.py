"""Query: reads a listing's query string as Outreach documents it: filters, sort, fieldsets, cursors.

Source: Outreach's "Making requests" and "Pagination" pages (harvest 2026-08-13).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .documents import reader
from .errors import NotInSources, bad_parameters
from .schema import RESOURCES, Attribute, Resource
from .settings import Settings

PARAMETER = re.compile(r"(\w+)((?:\[\w*\])*)")
Test = Callable[[Any], bool]
# Relationship filters the sandbox can answer, and the record's field that holds the id.
RELATIONSHIP_FIELDS = {
    ("users", "teams"): "team_ids",
    ("users", "profile"): "profile_id",
    ("teams", "users"): "user_ids",
    ("mailboxes", "user"): "user_id",
    ("prospects", "stage"): "stage_id",
    ("prospects", "persona"): "persona_id",
    ("prospects", "owner"): "owner_id",
    ("prospects", "account"): "account_id",
}


@dataclass
class Query:
    """What one GET asks for."""

    fieldset: tuple[str, ...] | None = None
    size: int = 50
    after: dict[str, Any] | None = None
    before: dict[str, Any] | None = None
    # (attribute, descending) in order of weight; empty means by id.
    sort: tuple[tuple[str, bool], ...] = ()
    sort_text: str = "id"
    tests: list[Test] = field(default_factory=list)
    # An address that every match must have, so that a look-up need not read the whole table.
    email: str | None = None
    owner: int | None = None
    with_count: bool = False
    with_authorization: bool = False
    ignores_upper_bounds: bool = False


def read_query(plural: str, parameters: list[tuple[str, str]], settings: Settings, *, single: bool) -> Query:
    """Return the query, or raise ApiError for what Outreach would refuse or never described."""
    resource = RESOURCES[plural]
    query = Query(size=settings.default_page_size, ignores_upper_bounds=settings.ignore_upper_bounds)
    new_syntax = ("newFilterSyntax", "true") in parameters
    lists: dict[str, list[str]] = {}
    for name, value in parameters:
        match = PARAMETER.fullmatch(name)
        if match is None:
            raise bad_parameters(f"The parameter {name!r} is not understood.")
        base, path = match[1], tuple(re.findall(r"\[(\w*)\]", match[2]))
        if base == "fields" and len(path) == 1:
            if path[0] == resource.type:
                query.fieldset = _fieldset(resource, value, settings)
        elif base == "provideAuthorizationMeta" and not path:
            query.with_authorization = value == "true"
        elif base == "include":
            raise NotInSources("include, which may need the other resource's scope")
        elif single:
            raise bad_parameters(f"The parameter {name!r} is not understood here.")
        elif base == "page" and len(path) == 1:
            _page(query, path[0], value, settings)
        elif base == "filter" and path and path[0] in settings.ignored_filters:
            continue
        elif base == "filter" and path:
            if path[0] == "q":
                raise NotInSources("filter[q], the prefix search")
            if new_syntax and path[1:] == ("",):
                lists.setdefault(path[0], []).append(value)
            else:
                _filter(query, plural, path, value, new_syntax)
        elif base == "sort" and not path:
            query.sort, query.sort_text = _sort(resource, value), value
        elif base == "count" and not path:
            query.with_count = value == "true"
        elif base == "newFilterSyntax" and not path:
            continue
        else:
            raise bad_parameters(f"The parameter {name!r} is not understood.")
    for attribute, values in lists.items():
        if attribute == "emails" and not settings.array_filter_on_emails:
            raise bad_parameters("emails does not take an array filter.")
        _equals_any(query, plural, attribute, values)
    _check_cursor(query, resource)
    return query


def _fieldset(resource: Resource, value: str, settings: Settings) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
    for name in names:
        if name in resource.attributes:
            continue
        if name in resource.relationships and settings.fieldset_relationships == "accept":
            continue
        raise bad_parameters(f"'{name}' is not a field of {resource.type}.")
    return names


def _page(query: Query, name: str, value: str, settings: Settings) -> None:
    if name == "size":
        if not value.isascii() or not value.isdigit() or not 1 <= int(value[:9]) <= settings.max_page_size:
            raise bad_parameters(f"page[size] is between 1 and {settings.max_page_size}.")
        query.size = int(value)
    elif name == "after":
        query.after = decode_cursor(value)
    elif name == "before":
        query.before = decode_cursor(value)
    elif name in ("limit", "offset"):
        raise NotInSources("the deprecated offset paging")
    else:
        raise bad_parameters(f"page[{name}] is not understood.")


def _sort(resource: Resource, value: str) -> tuple[tuple[str, bool], ...]:
    order = []
    for part in value.split(","):
        name = part.removeprefix("-")
        attribute = resource.attributes.get(name)
        if attribute is None or not attribute.sortable:
            raise bad_parameters(f"'{name}' is not a sortable attribute of {resource.type}.")
        order.append((name, part.startswith("-")))
    return tuple(order)


def _filter(query: Query, plural: str, path: tuple[str, ...], value: str, new_syntax: bool) -> None:
    resource = RESOURCES[plural]
    if path[0] in resource.relationships:
        _relationship_filter(query, plural, path, value)
    elif new_syntax and len(path) == 2 and path[1] in ("gte", "lte"):
        attribute = _filterable(resource, path[0])
        low, high = (value, None) if path[1] == "gte" else (None, value)
        _add_range(query, plural, attribute, low, high)
    elif len(path) == 1 and not new_syntax:
        _classic(query, plural, _filterable(resource, path[0]), value)
    else:
        raise bad_parameters(f"The filter {'.'.join(path)} is not understood.")


def _filterable(resource: Resource, name: str) -> Attribute:
    attribute = resource.attributes.get(name)
    if attribute is None or not attribute.filterable:
        raise bad_parameters(f"'{name}' is not a filterable attribute of {resource.type}.")
    return attribute


def _classic(query: Query, plural: str, attribute: Attribute, value: str) -> None:
    """value, a,b,c, x..y, neginf..x, x..inf, __null__ or __notnull__."""
    read = reader(plural, attribute.name)
    if value == "__null__":
        query.tests.append(lambda record: read(record) in (None, (), ""))
    elif value == "__notnull__":
        query.tests.append(lambda record: read(record) not in (None, (), ""))
    elif ".." in value:
        low, _, high = value.partition("..")
        bounds = (None if low == "neginf" else low, None if high == "inf" else high)
        _add_range(query, plural, attribute, *bounds)
    else:
        _equals_any(query, plural, attribute.name, value.split(","))


def _equals_any(query: Query, plural: str, name: str, values: list[str]) -> None:
    attribute = _filterable(RESOURCES[plural], name)
    wanted = {_value(attribute, value) for value in values}
    read = reader(plural, name)
    if attribute.kind == "strings":
        if len(values) == 1:
            query.email = values[0]
        query.tests.append(lambda record: not wanted.isdisjoint(read(record)))
    else:
        query.tests.append(lambda record: read(record) in wanted)


def _relationship_filter(query: Query, plural: str, path: tuple[str, ...], value: str) -> None:
    relationship = RESOURCES[plural].relationships[path[0]]
    if len(path) not in (2, 3) or path[1] not in relationship.filterable or path[2:] not in ((), ("",)):
        raise bad_parameters(f"The filter on {path[0]} is not understood.")
    place = RELATIONSHIP_FIELDS.get((plural, path[0]))
    if place is None or path[1] != "id":
        raise NotInSources(f"the filter {path[0]}.{path[1]}, of which the sandbox holds nothing")
    wanted = {_integer(part) for part in value.split(",")}
    if place == "user_id" and len(wanted) == 1:
        query.owner = next(iter(wanted))
    if place.endswith("_ids"):
        query.tests.append(lambda record: not wanted.isdisjoint(getattr(record, place)))
    else:
        query.tests.append(lambda record: getattr(record, place) in wanted)


def _add_range(query: Query, plural: str, attribute: Attribute, low: str | None, high: str | None) -> None:
    if attribute.kind == "strings":
        raise bad_parameters(f"'{attribute.name}' holds several values and has no range.")
    bounds = [None if bound is None else _value(attribute, bound) for bound in (low, high)]
    if query.ignores_upper_bounds:
        bounds[1] = None
    query.tests.append(_between(reader(plural, attribute.name), *bounds))


def _between(read: Callable[[Any], Any], low: Any, high: Any) -> Test:
    def test(record: Any) -> bool:
        value = read(record)
        return value is not None and (low is None or value >= low) and (high is None or value <= high)

    return test


def _value(attribute: Attribute, text: str) -> Any:
    """Return the filter's text as a value of the attribute's kind."""
    if attribute.kind == "boolean":
        if text not in ("true", "false"):
            raise bad_parameters(f"'{text}' is neither true nor false.")
        return text == "true"
    if attribute.kind == "integer":
        return _integer(text)
    if attribute.kind == "number":
        try:
            return float(text)
        except ValueError:
            raise bad_parameters(f"'{text}' is not a number.") from None
    return _instant(text) if attribute.kind == "instant" else text


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise bad_parameters(f"'{text}' is not an integer.")
    return int(text)


def _instant(text: str) -> str:
    """An instant or a date in the form records keep, so that text comparison is time comparison."""
    try:
        moment = datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise bad_parameters(f"'{text}' is not a date.") from None
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def encode_cursor(resource: Resource, query: Query, record: Any) -> str:
    """A cursor in the form airbytehq/airbyte #70223 shows."""
    document = {
        "cn": resource.controller,
        "sp": query.sort_text,
        "sv": [reader(resource.plural, name)(record) for name, _ in query.sort],
        "id": record.id,
        "v": 1,
    }
    return base64.b64encode(json.dumps(document, separators=(",", ":")).encode()).decode()


def decode_cursor(text: str) -> dict[str, Any]:
    try:
        document = json.loads(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise bad_parameters("The page cursor cannot be read.") from None
    if not isinstance(document, dict) or not isinstance(document.get("id"), int):
        raise bad_parameters("The page cursor cannot be read.")
    return document


def _check_cursor(query: Query, resource: Resource) -> None:
    for cursor in (query.after, query.before):
        if cursor is None:
            continue
        values = cursor.get("sv")
        if (
            cursor.get("cn") != resource.controller
            or cursor.get("sp") != query.sort_text
            or not isinstance(values, list)
            or len(values) != len(query.sort)
            or not all(value is None or isinstance(value, (str, int, float)) for value in values)
        ):
            raise bad_parameters("The page cursor does not belong to this listing.")
    if query.after is not None and query.before is not None:
        raise bad_parameters("page[after] and page[before] exclude each other.")
