"""Decision API: answers mail gateways and add-ins, and serves its OpenAPI document.

No login, cookie or session: an API key authenticates. Tests compare answers with `openapi.json`.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseFailure
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from signatures.audiences.mail_addresses import is_address
from signatures.decisions.api_keys import TooMany, count_request, find_key
from signatures.decisions.decide import Decided, decide, find_sender
from signatures.decisions.strict_json import Unreadable, read_texts
from signatures.models import Decision

MAX_BODY_BYTES = 4096
MAX_ADDRESS_LENGTH = 320
RETRY_AFTER_SECONDS = 30
DOCUMENT = Path(__file__).resolve().parent.parent / "openapi.json"


@csrf_exempt
@login_not_required
def decisions(request: HttpRequest) -> HttpResponse:
    """Answer which banner a recipient gets from a sender, or with a problem document."""
    try:
        return _decide(request)
    except DatabaseFailure:
        return _problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The portal’s database does not respond. Send the message without a banner, and try again for the next.",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )


def _decide(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _problem(HTTPStatus.METHOD_NOT_ALLOWED, "Use POST.", headers={"Allow": "POST"})
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    key = find_key(text.strip()) if scheme.lower() == "bearer" and text.isascii() else None
    if key is None:
        return _problem(
            HTTPStatus.UNAUTHORIZED,
            "Send an active API key as “Authorization: Bearer …”.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    try:
        count_request(key)
    except TooMany as error:
        return _problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"The key exceeded its rate limit. Try again in {error.retry_after_seconds} s.",
            headers={"Retry-After": str(error.retry_after_seconds)},
        )
    if request.content_type != "application/json":
        return _problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the request as application/json.")
    body = request.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        return _problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A request has at most {MAX_BODY_BYTES} bytes.")
    try:
        asked = _read_question(body)
    except Unreadable as error:
        return _problem(HTTPStatus.BAD_REQUEST, error.message, field=error.field)
    sender = find_sender(key.domain, asked["sender"])
    if sender is None:
        return _problem(HTTPStatus.NOT_FOUND, "No sender in this key’s domain has this address.")
    decided = decide(key.domain, sender, asked["recipient"], way=Decision.Way.API, at=timezone.now())
    return _answer(HTTPStatus.OK, _describe(decided), "application/json")


@login_not_required
def openapi(request: HttpRequest) -> HttpResponse:
    """Return the OpenAPI document of the decision API."""
    if request.method not in ("GET", "HEAD"):
        return _problem(HTTPStatus.METHOD_NOT_ALLOWED, "Use GET.", headers={"Allow": "GET, HEAD"})
    response = HttpResponse(DOCUMENT.read_bytes(), content_type="application/json")
    response["Cache-Control"] = "public, max-age=300"
    return response


def _read_question(body: bytes) -> dict[str, str]:
    asked = read_texts(body, names=("sender", "recipient"), max_length=MAX_ADDRESS_LENGTH)
    for name, value in asked.items():
        if not is_address(value):
            raise Unreadable(f"{name} must be one e-mail address, such as kim@example.com.", field=name)
    return asked


def _describe(decided: Decided) -> dict[str, Any]:
    shown = decided.banner
    return {
        "banner": shown
        and {
            "image_url": shown.image_url,
            "image_url_2x": shown.image_url_2x,
            "click_url": shown.click_url,
            "alt": shown.alt,
            "width": shown.width,
            "height": shown.height,
            "html": shown.html,
        },
        "reason": decided.why.value,
        "not_known": decided.gap.value or None,
        "expires_at": decided.good_until.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def _problem(
    status: HTTPStatus, detail: str, *, field: str = "", headers: dict[str, str] | None = None
) -> HttpResponse:
    """Return a problem document (RFC 9457); `errors` names the invalid member."""
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
    }
    if status is HTTPStatus.BAD_REQUEST:
        pointer = "#/" + field.replace("~", "~0").replace("/", "~1") if field else "#"
        problem["errors"] = [{"pointer": pointer, "detail": detail}]
    response = _answer(status, problem, "application/problem+json")
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def _answer(status: HTTPStatus, document: dict[str, Any], content_type: str) -> HttpResponse:
    response = HttpResponse(
        json.dumps(document, ensure_ascii=False), content_type=content_type, status=status.value
    )
    response["Cache-Control"] = "no-store"
    return response
