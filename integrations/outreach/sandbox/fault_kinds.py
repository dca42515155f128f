"""Fault kinds: one function for each fault that the sandbox can inject."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from email.utils import formatdate
from inspect import signature
from typing import Any, Protocol

from .clock import Clock, iso
from .errors import ApiError, invalid, missing_scope, not_authorized, not_found, rate_limited
from .http import Request, Response, Transmission

JSON_TEXT = "application/json"


class Rule(Protocol):
    """The part of a rule that a fault kind uses."""

    seed: int
    options: dict[str, Any]
    # What the rule remembers from one request to the next.
    memory: dict[str, Any]


# --- instead of handling the request ---


def _status(
    clock: Clock,
    status: int = 500,
    body: str = "",
    content_type: str = "text/html",
    headers: dict[str, str] | None = None,
) -> Response:
    response = Response.text(status, body, content_type)
    response.headers += list((headers or {}).items())
    return response


def _unauthorized(clock: Clock, body: str = "jwt") -> Response:
    if body == "text":
        return Response.text(401, "Invalid access token")
    document = {"error": "Invalid JWT token.", "description": "The JWT token could not be decoded."}
    return Response.json(401, document, JSON_TEXT)


def _missing_scope(clock: Clock, scope: str = "users.read") -> Response:
    raise missing_scope(scope)


def _forbidden(clock: Clock) -> Response:
    raise not_authorized()


def _not_found(clock: Clock, type: str = "mailbox", id: str = "1") -> Response:
    raise not_found(type, id)


def _invalid(
    clock: Clock,
    detail: str = "emailSignature is invalid.",
    pointer: str = "/data/attributes/emailSignature",
) -> Response:
    raise invalid(detail, pointer)


def _rate_limited(
    clock: Clock, retry_after: str = "epoch", seconds: float = 30, limit: int = 10_000
) -> Response:
    """429 with Retry-After spelled as one of RETRY_AFTER, `seconds` from now."""
    until = clock.now() + seconds
    response = Response.json(429, rate_limited(limit, iso(until)).document())
    spelled = RETRY_AFTER[retry_after](clock, seconds)
    response.headers += [
        ("X-RateLimit-Limit", str(limit)),
        ("X-RateLimit-Remaining", "0"),
        ("X-RateLimit-Reset", str(int(until))),
    ]
    if spelled is not None:
        response.headers.append(("Retry-After", spelled))
    return response


RETRY_AFTER: dict[str, Callable[[Clock, float], str | None]] = {
    "absent": lambda clock, seconds: None,
    "delta": lambda clock, seconds: str(int(seconds)),
    "epoch": lambda clock, seconds: str(int(clock.now() + seconds)),
    "http-date": lambda clock, seconds: formatdate(clock.now() + seconds, usegmt=True),
    "iso": lambda clock, seconds: iso(clock.now() + seconds),
    "past": lambda clock, seconds: str(int(clock.now() - 3600)),
    "negative": lambda clock, seconds: "-30",
    "year-9999": lambda clock, seconds: "9999-12-31T23:59:59.000Z",
    "garbage": lambda clock, seconds: "soon, \u00fc or later",
    "empty": lambda clock, seconds: "",
}


def _retry_later(clock: Clock) -> Response:
    return Response.text(429, "Retry later\n", "text/plain")


def _bad_gateway(clock: Clock) -> Response:
    return Response.text(502, "<html><body><h1>502 Bad Gateway</h1></body></html>", "text/html")


def _unavailable(clock: Clock, seconds: float = 30) -> Response:
    # On 503 Retry-After is an ISO 8601 time (Outreach's error page).
    error = ApiError(
        503,
        "scheduledServerMaintenance",
        "Scheduled Server Maintenance",
        "Outreach is down for scheduled maintenance.",
    )
    response = Response.json(503, error.document())
    response.headers.append(("Retry-After", iso(clock.now() + seconds)))
    return response


def _redirect(clock: Clock, location: str = "http://127.0.0.1:9/", status: int = 302) -> Response:
    return Response(status, content_type="", headers=[("Location", location)])


def _reset(clock: Clock) -> Response:
    return Response(500, transmission=Transmission(cut_after=0))


INSTEAD: dict[str, Callable[..., Response]] = {
    "status": _status,
    "unauthorized": _unauthorized,
    "missing_scope": _missing_scope,
    "forbidden": _forbidden,
    "not_found": _not_found,
    "invalid": _invalid,
    "rate_limited": _rate_limited,
    "retry_later": _retry_later,
    "bad_gateway": _bad_gateway,
    "unavailable": _unavailable,
    "redirect": _redirect,
    "reset": _reset,
}


# --- after the request was handled: bytes ---


def _lost(fault: Rule, request: Request, response: Response) -> None:
    """Handle the request, and send no reply."""
    response.transmission.cut_after = 0


def _cut(fault: Rule, request: Request, response: Response) -> None:
    response.transmission.cut_after = fault.options.get("bytes", 200)


def _slow(fault: Rule, request: Request, response: Response) -> None:
    response.transmission.delay_seconds += fault.options.get("seconds", 1.0)


def _drip(fault: Rule, request: Request, response: Response) -> None:
    response.transmission.drip = (fault.options.get("bytes", 1), fault.options.get("seconds", 0.05))


def _truncated_json(fault: Rule, request: Request, response: Response) -> None:
    """End the body in the middle of the JSON, with a correct length."""
    response.body = response.body[: len(response.body) // 2]


def _content_type(fault: Rule, request: Request, response: Response) -> None:
    response.content_type = fault.options.get("value", "text/html; charset=utf-8")


def _body(fault: Rule, request: Request, response: Response) -> None:
    """Replace the body with any bytes: a byte order mark, NaN, deep nesting, HTML with 200."""
    response.body = str(fault.options.get("value", "<html>Sign in</html>")).encode("utf-8", "surrogatepass")


def _huge(fault: Rule, request: Request, response: Response) -> None:
    """Put blanks before the document until it has `bytes` bytes."""
    response.body = response.body.rjust(fault.options.get("bytes", 10_000_000))


def _headers(fault: Rule, request: Request, response: Response) -> None:
    """Set the named headers to these values; None removes one."""
    values = {name.lower(): value for name, value in fault.options.get("values", {}).items()}
    kept = [(name, value) for name, value in response.headers if name.lower() not in values]
    response.headers = kept + [(name, str(value)) for name, value in values.items() if value is not None]


def _poisoned(fault: Rule, request: Request, response: Response) -> None:
    """Answer a page that holds this record with `status`; with `field`, only if it has that field."""
    if response.status != 200:
        return
    data = json.loads(response.body).get("data")
    field_name = fault.options.get("field")
    for record in data if isinstance(data, list) else [data]:
        is_it = str(record.get("id")) == str(fault.options["record"])
        if is_it and (field_name is None or field_name in record["attributes"]):
            response.status = fault.options.get("status", 500)
            response.content_type, response.body = "text/html", b"<html>no</html>"


AFTERWARDS: dict[str, Callable[[Rule, Request, Response], None]] = {
    "lost": _lost,
    "cut": _cut,
    "slow": _slow,
    "drip": _drip,
    "truncated_json": _truncated_json,
    "content_type": _content_type,
    "body": _body,
    "huge": _huge,
    "headers": _headers,
    "poisoned": _poisoned,
}


# --- after the request was handled: the document ---


def _next_link(fault: Rule, request: Request, document: dict[str, Any]) -> None:
    """Let links.next point `to`: other-host, https, userinfo, loopback, other-path, itself, first, or a URL."""
    links = document.setdefault("links", {})
    here = links.get("first", "")
    scheme, _, rest = here.partition("://")
    host, _, path = rest.partition("/")
    itself = f"{scheme}://{host}{request.path}" + (f"?{request.query}" if request.query else "")
    to = fault.options.get("to", "other-host")
    links["next"] = {
        "other-host": f"https://collector.example/{path}",
        "https": f"https://{rest}",
        "userinfo": f"{scheme}://{host}@collector.example/{path}",
        "loopback": f"http://localhost:9/{path}",
        "other-path": f"{scheme}://{host}/api/v2/webhooks",
        "itself": itself,
        "first": here,
    }.get(to, to)


def _shuffle(fault: Rule, request: Request, document: dict[str, Any]) -> None:
    random.Random(fault.seed).shuffle(document["data"])  # noqa: S311 - repeatable, not secret


def _duplicate_page(fault: Rule, request: Request, document: dict[str, Any]) -> None:
    """Repeat the records of the page before on this page."""
    earlier = fault.memory.get("data", document["data"])
    fault.memory["data"] = document["data"]
    document["data"] = [*earlier, *document["data"]]


def _empty_page(fault: Rule, request: Request, document: dict[str, Any]) -> None:
    """Return a page without records, with a link to a next one."""
    document["data"] = []


def _empty_collection(fault: Rule, request: Request, document: dict[str, Any]) -> None:
    document["data"] = []
    document.pop("links", None)


def _set_field(fault: Rule, request: Request, document: dict[str, Any]) -> None:
    """Set `field` of the record `record` (of all, if not given) to `value`.

    field: an attribute, or `id`, `type`, `attributes`, `relationships`, `relationships.<name>`.
    """
    for place, name in _places(fault, document):
        place[name] = fault.options.get("value")


def _drop_field(fault: Rule, request: Request, document: dict[str, Any]) -> None:
    for place, name in _places(fault, document):
        place.pop(name, None)


def _places(fault: Rule, document: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    wanted, field_name = fault.options.get("record"), str(fault.options["field"])
    data: Any = document["data"]
    records = data if isinstance(data, list) else [data]
    chosen = [record for record in records if wanted is None or str(record.get("id")) == str(wanted)]
    if field_name in ("id", "type", "attributes", "relationships", "links"):
        return [(record, field_name) for record in chosen]
    if field_name.startswith("relationships."):
        return [(record["relationships"], field_name.partition(".")[2]) for record in chosen]
    return [(record["attributes"], field_name) for record in chosen]


def _set_key(fault: Rule, request: Request, document: dict[str, Any]) -> None:
    """Set a `key` of the document itself to `value`: for token responses, `data`, `meta`."""
    document[str(fault.options["key"])] = fault.options.get("value")


def _drop_key(fault: Rule, request: Request, document: dict[str, Any]) -> None:
    document.pop(str(fault.options["key"]), None)


DOCUMENT_EDITS: dict[str, Callable[[Rule, Request, dict[str, Any]], None]] = {
    "next_link": _next_link,
    "shuffle": _shuffle,
    "duplicate_page": _duplicate_page,
    "empty_page": _empty_page,
    "empty_collection": _empty_collection,
    "set_field": _set_field,
    "drop_field": _drop_field,
    "set_key": _set_key,
    "drop_key": _drop_key,
}

# What each kind may be told.
OPTIONS: dict[str, set[str]] = {
    **{kind: set(signature(make).parameters) - {"clock"} for kind, make in INSTEAD.items()},
    "lost": set(),
    "cut": {"bytes"},
    "slow": {"seconds"},
    "drip": {"bytes", "seconds"},
    "truncated_json": set(),
    "content_type": {"value"},
    "body": {"value"},
    "huge": {"bytes"},
    "headers": {"values"},
    "poisoned": {"record", "field", "status"},
    "next_link": {"to"},
    "shuffle": set(),
    "duplicate_page": set(),
    "empty_page": set(),
    "empty_collection": set(),
    "set_field": {"record", "field", "value"},
    "drop_field": {"record", "field"},
    "set_key": {"key", "value"},
    "drop_key": {"key"},
}
