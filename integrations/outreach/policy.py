"""Policy: says whether a call may leave with this body on this connection; asked before every byte."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from integrations.errors import PolicyViolation, ScopeMissing, UnexpectedReply, WritesNotAllowed
from integrations.outreach.allowed_calls import ENDPOINTS, Endpoint

MAX_PAGE_SIZE = 1000

_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
# One address: no comma and no '..', which list and range in Outreach's classic filter syntax.
_ONE_ADDRESS = re.compile(r"(?!.*\.\.)[^\s,@]+@[^\s,@]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SORTS = frozenset({"createdAt", "-createdAt"})


def check(
    endpoint: Endpoint,
    *,
    path_id: str | None,
    query: Mapping[str, str],
    body: Any,
    granted: Set[str] | None,
    switched_off: Set[str],
    writes_allowed: bool,
) -> None:
    """Return when the call may leave; never changes it.

    granted: None = Outreach did not say; reads pass, writes do not.
    Raises: PolicyViolation (our bug: nothing a person did makes this call right), ScopeMissing,
        WritesNotAllowed.
    """
    if not any(endpoint is known for known in ENDPOINTS):
        raise PolicyViolation("The call is not in the table of endpoints.")
    if endpoint.verb == "read":
        _check_read(endpoint, path_id, query, body)
    else:
        _check_write(endpoint, path_id, query, body)
    _check_permission(endpoint, granted, switched_off, writes_allowed)


def scope_used(endpoint: Endpoint, names: Set[str]) -> str:
    """Return under which permission the call leaves: the narrowest of `names` that opens it.

    names: what was granted, or asked for; where none of them opens the call, the table's own is named.
    """
    return next((scope for scope in reversed(endpoint.scopes) if scope in names), endpoint.scope)


def is_one_address(text: str) -> bool:
    """Tell whether `text` names one e-mail address and can mean nothing else to Outreach's filters."""
    return _ONE_ADDRESS.fullmatch(text) is not None


def _check_read(endpoint: Endpoint, path_id: str | None, query: Mapping[str, str], body: Any) -> None:
    if path_id is not None or body is not None:
        raise PolicyViolation(f"{endpoint.name} takes neither an id nor a body.")
    fields_key = f"fields[{endpoint.resource_type}]"
    common = {fields_key, "page[size]", "page[after]", "count", "sort", "newFilterSyntax"}
    for key, value in query.items():
        if key not in common and key not in endpoint.filters:
            raise PolicyViolation(f"{endpoint.name} does not take the query key {key!r}.")
        if type(key) is not str or type(value) is not str or not value:
            raise PolicyViolation(f"The query key {key!r} of {endpoint.name} needs a text.")
    fields = query.get(fields_key, "").split(",")
    if not set(fields) <= set(endpoint.fields_read):
        raise PolicyViolation(f"{endpoint.name} must name its fields, and only those of the table.")
    size = query.get("page[size]", "")
    if not _ID.fullmatch(size) or int(size) > MAX_PAGE_SIZE:
        raise PolicyViolation(f"{endpoint.name} needs a page size from 1 to {MAX_PAGE_SIZE}.")
    if query.get("count", "false") != "false" or query.get("newFilterSyntax", "true") != "true":
        raise PolicyViolation(f"{endpoint.name} asks for no count, and filters in the new syntax or the old.")
    if query.get("sort", "createdAt") not in _SORTS:
        raise PolicyViolation(f"{endpoint.name} cannot be sorted by {query['sort']!r}.")
    if endpoint.is_lookup:
        addresses = [query[key] for key in endpoint.filters if key in query]
        if len(addresses) != 1 or not is_one_address(addresses[0]):
            raise PolicyViolation(f"{endpoint.name} must name exactly one e-mail address.")


def _check_write(endpoint: Endpoint, path_id: str | None, query: Mapping[str, str], body: Any) -> None:
    if type(path_id) is not str or not _ID.fullmatch(path_id):
        raise PolicyViolation(f"{endpoint.name} needs an id made of digits.")
    if query:
        raise PolicyViolation(f"{endpoint.name} takes no query.")
    # Plain dicts and strings only: a subclass could show one content here and serialise another.
    if type(body) is not dict or set(body) != {"data"} or type(body["data"]) is not dict:
        raise PolicyViolation(f"The body of {endpoint.name} must hold data and nothing else.")
    resource = body["data"]
    if set(resource) != {"type", "id", "attributes"} or type(resource["attributes"]) is not dict:
        raise PolicyViolation(f"The body of {endpoint.name} must hold type, id and attributes only.")
    if type(resource["type"]) is not str or resource["type"] != endpoint.resource_type:
        raise PolicyViolation(f"{endpoint.name} writes a {endpoint.resource_type} only.")
    if type(resource["id"]) is not int or str(resource["id"]) != path_id:
        raise PolicyViolation(f"The body of {endpoint.name} names another object than its address.")
    attributes = resource["attributes"]
    if set(attributes) != set(endpoint.attributes_written):
        raise PolicyViolation(f"{endpoint.name} writes {', '.join(endpoint.attributes_written)} only.")
    for value in attributes.values():
        if type(value) is not str or not _is_encodable(value):
            raise PolicyViolation(f"{endpoint.name} writes text only.")


def _check_permission(
    endpoint: Endpoint, granted: Set[str] | None, switched_off: Set[str], writes_allowed: bool
) -> None:
    off = next((scope for scope in endpoint.scopes if scope in switched_off), None)
    if off is not None:
        raise ScopeMissing(
            f"The permission {off} is switched off here. Switch it on on the Outreach page.", scope=off
        )
    is_open = endpoint.verb == "read" if granted is None else not granted.isdisjoint(endpoint.scopes)
    if not is_open:
        raise ScopeMissing(
            f"Outreach did not grant the permission {endpoint.scope}. Reconnect and allow it.",
            scope=endpoint.scope,
        )
    if endpoint.verb == "write" and not writes_allowed:
        raise WritesNotAllowed(
            "Writing is switched off for this connection. Set it to live on the Outreach page to deliver."
        )


def check_next_link(url: Any, *, base_url: str, path: str) -> str:
    """Return the cursor of a "next page" link that points to where its page came from.

    Only the cursor is taken: the next request is our own query with it, so that a reply can choose
    neither the host our token goes to nor the fields and filters we ask for.
    Raises: UnexpectedReply, before any request is made.
    """
    if not isinstance(url, str) or len(url) > 16_384 or not url.isascii() or not url.isprintable():
        raise _bad_link("not an address")
    try:
        link, base = urlsplit(url), urlsplit(base_url)
        is_same_place = (
            link.scheme == base.scheme
            and link.hostname == base.hostname
            and (link.port or _DEFAULT_PORTS.get(link.scheme))
            == (base.port or _DEFAULT_PORTS.get(base.scheme))
            and link.path == base.path.rstrip("/") + path
        )
        has_stowaway = "@" in link.netloc or "\\" in url or bool(link.fragment)
        pairs = parse_qsl(link.query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise _bad_link("not an address") from None
    if not is_same_place or has_stowaway:
        raise _bad_link("points to another place")
    cursors = [value for key, value in pairs if key == "page[after]"]
    if len(cursors) != 1 or not cursors[0]:
        raise _bad_link("carries no cursor")
    return cursors[0]


def _bad_link(why: str) -> UnexpectedReply:
    return UnexpectedReply(
        "Outreach’s link to the next page leads elsewhere and was not followed. "
        "The portal tries again; tell the operator if it happens again.",
        detail=f"links.next {why}",
    )


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
