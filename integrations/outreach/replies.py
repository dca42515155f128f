"""Replies: reads what Outreach answered, or raises what its status and error document mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.errors import (
    AccountRestricted,
    IntegrationError,
    NotFound,
    RateLimited,
    Refused,
    Rejected,
    ScopeMissing,
    UnexpectedReply,
    Unreachable,
    UnreadableReply,
)
from integrations.interfaces import Budget

from . import jsonapi, rate_limits
from .allowed_calls import Endpoint

# Statuses of Outreach's own that say something of one object. As HTML they come from a gateway before it,
# which knows nothing of the object. (413 is the gateway's own word for a body that is too large.)
PAGES_OF_GATEWAYS = (403, 404, 409, 410, 422)

MEDIA_TYPE = "application/vnd.api+json"
LONGEST_WAIT_IN_PLACE_SECONDS = 5.0

# What Outreach calls a 403, by its cause.
FORBIDDEN_CODES = {"scope": "unauthorizedOauthScope", "account": "unauthorizedRequest"}

_ADDRESS = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+")
# Long and with a digit in it: tokens are, Outreach's error ids and attribute names are not.
_SECRET = re.compile(r"(?=\S*[0-9])[A-Za-z0-9+/_.=-]{16,}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_POINTER = re.compile(r"/data/attributes/([A-Za-z][A-Za-z0-9]{0,60})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status: the body whole, within its bounds."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """A usable answer of the API: status 200 and one sound JSON:API document."""

    document: dict[str, Any]
    headers: Mapping[str, str]


class TokenRejected(Unreachable):
    """401: the client renews once, and only a second one reaches the caller.

    Not ConnectionLost: only the token endpoint's `invalid_grant` says that access has ended, and the
    tokens must not be erased for a fault of Outreach's gateway.
    """


class NotUnderstood(UnexpectedReply):
    """400: Outreach does not take this form of the request; another form may do."""


class TooSlow(Unreachable):
    """No whole answer within our limit or the gateway's (502, 504): a smaller page may come in time.

    Source of 502: estuary/connectors, source-outreach.
    """


class NoAccess(Unreachable):
    """No token could be had just now, so that nothing was asked for: asking for less does not help."""


class NoConnection(Unreachable):
    """Nobody was there to take the request; what was asked for does not matter."""


class InMaintenance(Unreachable):
    """503 with a Retry-After beyond what is worth waiting for in place."""


def error_for(endpoint: Endpoint, status: int, body: bytes, *, scope: str) -> IntegrationError:
    """Return the error that a reply other than 200 and 429 stands for.

    scope: the permission under which the call left.
    Its detail holds status, error id, pointer and the redacted words of the reply.
    Source: https://developers.outreach.io/api/making-requests, read 2026-08-22.
    """
    first = _first_error(body)
    detail = _detail(status, first)
    is_write = endpoint.verb == "write"
    if status == 401:
        return TokenRejected(
            "Outreach did not accept an access token that it had only just issued. "
            "The portal tries again; reconnect on the Outreach page if it happens again.",
            detail=detail,
        )
    if status in PAGES_OF_GATEWAYS and body.lstrip()[:1] == b"<":
        return UnreadableReply(
            "A web page came instead of Outreach’s answer and was not used. "
            "The portal tries again; tell the operator if it happens again.",
            detail=detail,
        )
    if status == 403:
        return _forbidden(endpoint, scope, first, detail)
    if status in (408, 425) or status >= 500:
        kind = TooSlow if status in (408, 502, 504) else Unreachable
        return kind("Outreach is not answering. No action needed: the portal tries again.", detail=detail)
    if status == 400:
        return NotUnderstood(
            "Outreach did not understand our request. The portal tries again; tell the operator if it happens again.",
            detail=detail,
        )
    if is_write and status in (404, 410):
        return NotFound(
            "The mailbox is not in Outreach any more. The next sync removes it here.", detail=detail
        )
    if is_write and status in (409, 413, 422):
        return Rejected(
            "Outreach did not accept the signature. Change the template or the mailbox and deliver again.",
            field=_field(first),
            detail=detail,
        )
    return UnexpectedReply(
        "Outreach answered in an unknown way, and the answer was not used. "
        "The portal tries again; tell the operator if it happens again.",
        detail=detail,
    )


def _forbidden(endpoint: Endpoint, scope: str, first: dict[str, Any], detail: str) -> IntegrationError:
    if first.get("id") == FORBIDDEN_CODES["scope"]:
        return ScopeMissing(
            f"Outreach did not grant the permission {scope}. Reconnect and allow it.",
            scope=scope,
            detail=detail,
        )
    if endpoint.verb == "write":
        return Refused(
            "Outreach does not let the connected account change this mailbox. "
            "Allow it in the account’s governance profile, or reconnect as an Outreach admin.",
            detail=detail,
        )
    return AccountRestricted(
        f"The account that connected Outreach may not see its {endpoint.resource_type} records. "
        "Widen its governance profile in Outreach, or reconnect as an Outreach admin.",
        detail=detail,
    )


def redact(text: Any) -> str:
    """Return at most 200 characters of a reply's words: one line, no address, nothing shaped like a token."""
    if not isinstance(text, str):
        return ""
    line = _CONTROLS.sub(" ", text[:1000])
    return _SECRET.sub("[removed]", _ADDRESS.sub("[address]", line)).strip()[:200]


def _first_error(body: bytes) -> dict[str, Any]:
    """Return the first error object of the reply, or {} where there is none to read."""
    try:
        document = jsonapi.parse_document(body)
    except UnexpectedReply:
        return {}
    errors = document.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return errors[0]
    # The gateway before the API answers in OAuth's form: {"error": ..., "description": ...}.
    return {"title": document.get("error")}


def _detail(status: int, first: dict[str, Any]) -> str:
    words = [redact(first.get(key)) for key in ("id", "title", "detail", "details")]
    return " · ".join(dict.fromkeys(part for part in (f"HTTP {status}", *words, _pointer(first)) if part))


def _pointer(first: dict[str, Any]) -> str:
    source = first.get("source")
    return redact(source.get("pointer")) if isinstance(source, dict) else ""


def _field(first: dict[str, Any]) -> str:
    match = _POINTER.fullmatch(_pointer(first))
    return match.group(1) if match else ""


def read_reply(endpoint: Endpoint, answer: Answer, *, scope: str, budget: Budget, now: float) -> Reply:
    """Return what Outreach answered to one call; `budget` learns what the answer says of the allowance.

    Raises: what the answer means, as a member of `integrations.errors`.
    """
    untold = rate_limits.WRITE_WAIT_SECONDS if endpoint.verb == "write" else rate_limits.DEFAULT_WAIT_SECONDS
    is_limited = answer.status == 429
    wait = rate_limits.wait_seconds(answer.headers, now=now, untold=untold) if is_limited else None
    allowance = rate_limits.allowance(answer.headers, now=now)
    if allowance is not None:
        limit, remaining, resets_in = allowance
        # A used-up allowance counts for as long as the 429 says, and not for the rest of an hour.
        budget.learn(limit, remaining, resets_in if remaining or wait is None else wait)
    if answer.status == 200:
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type not in (MEDIA_TYPE, "application/json"):
            raise unusable("not JSON:API")
        document = jsonapi.parse_document(answer.body)
        (jsonapi.resources if endpoint.verb == "read" else jsonapi.resource)(document)
        return Reply(document, answer.headers)
    if wait is not None:
        budget.blocked(wait)
        raise RateLimited(
            f"Outreach asks us to wait {rate_limits.say_wait(wait)}. "
            "No action needed: the portal waits and tries again.",
            retry_after_seconds=wait,
            detail="HTTP 429",
        )
    error = error_for(endpoint, answer.status, answer.body, scope=scope)
    headers = answer.headers
    pause = rate_limits.seconds_until(headers.get("Retry-After"), now=now, date=headers.get("Date"))
    if answer.status == 503 and pause is not None and pause > LONGEST_WAIT_IN_PLACE_SECONDS:
        raise InMaintenance(error.message, detail=error.detail)
    raise error


def unusable(why: str, kind: type[UnreadableReply] = UnreadableReply) -> UnreadableReply:
    return kind(
        "Outreach’s reply is not valid and was not used. "
        "The portal tries again; tell the operator if it happens again.",
        detail=why,
    )


def misfit(detail: str) -> UnexpectedReply:
    return UnexpectedReply(
        "Outreach’s reply does not match the request. The portal tries again; tell the operator if it happens again.",
        detail=detail,
    )
