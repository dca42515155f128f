"""OAuth: trades a code or a refresh token for a pair of tokens, and revokes one.

Source: https://developers.outreach.io/api/oauth, read 2026-08-22.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

from integrations.errors import (
    ClientMisconfigured,
    ConnectionLost,
    IntegrationError,
    RateLimited,
    UnexpectedReply,
    Unreachable,
)
from integrations.interfaces import CallRecord, Recorder
from integrations.outreach.allowed_calls import REVOKE_PATH, TOKEN_PATH
from integrations.outreach.client import Transport
from integrations.outreach.jsonapi import parse_document
from integrations.outreach.replies import Answer

from . import rate_limits

CALL_SECONDS = 15.0
LARGEST_REPLY_BYTES = 1024 * 1024
LONGEST_LIFE_SECONDS = 30 * 24 * 3600

Result = TypeVar("Result")

_TOKEN = re.compile(r"[\x21-\x7e]{8,16384}", re.ASCII)
_ERROR_CODE = re.compile(r"[a-z_]{1,40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TokenReply:
    """A pair of tokens as Outreach issued it; its repr shows neither.

    expires_in_seconds: life of the access token from its issue, 1 to 30 days' worth.
    scope: the granted scopes as text; None where the reply did not say.
    created_at: issue in epoch seconds by Outreach's clock; None where the reply did not say.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in_seconds: int
    scope: str | None
    created_at: int | None


class OAuthClient:
    """Talks to Outreach's token and revocation addresses for one registered application.

    Its repr shows no secret. Nothing here repeats a call: the caller holds the lock and decides.
    """

    def __init__(
        self,
        *,
        base_url: str,
        client_id: str,
        client_secret: str,
        record: Recorder | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._client_id = client_id
        self._client_secret = client_secret
        self._record = record
        self._now = now
        self._transport = Transport(max_connections=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every idle connection."""
        self._transport.close()

    def exchange_code(self, code: str, redirect_uri: str, code_verifier: str = "") -> TokenReply:
        """Return the tokens for an authorisation code, which is spent by this.

        redirect_uri: byte for byte the one the code was asked with. code_verifier: PKCE's; '' sends none.
        Raises: ConnectionLost (invalid_grant), ClientMisconfigured (invalid_client), RateLimited,
            Unreachable, UnexpectedReply.
        """
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if code_verifier:
            form["code_verifier"] = code_verifier
        return self._tokens("exchange_code", form, kept_refresh_token="")

    def refresh(self, refresh_token: str, redirect_uri: str) -> TokenReply:
        """Return a new pair; store it before using it, as the old one may have ended with this call.

        Where the reply names no new refresh token, the old one stays valid (RFC 6749, section 6).
        Raises: as exchange_code.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "redirect_uri": redirect_uri}
        return self._tokens("refresh_token", form, kept_refresh_token=refresh_token)

    def revoke(self, token: str) -> bool:
        """Tell whether Outreach confirmed that `token` is revoked; False where it has no such address.

        Raises: Unreachable, RateLimited (worth another try), ClientMisconfigured.
        """
        return self._call("revoke_token", REVOKE_PATH, {"token": token}, _confirmed)

    def _tokens(self, name: str, form: Mapping[str, str], *, kept_refresh_token: str) -> TokenReply:
        def read(answer: Answer) -> TokenReply:
            if answer.status != 200:
                raise _failure(answer)
            return _token_reply(parse_document(answer.body), kept_refresh_token)

        return self._call(name, TOKEN_PATH, form, read)

    def _call(
        self, name: str, path: str, form: Mapping[str, str], read: Callable[[Answer], Result]
    ) -> Result:
        started, status, outcome, problem = time.monotonic(), 0, "failed", ""
        try:
            answer = self._transport.exchange(
                "POST",
                self._base_url + path,
                headers={"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"},
                content=urlencode(
                    {**form, "client_id": self._client_id, "client_secret": self._client_secret}
                ).encode(),
                max_bytes=LARGEST_REPLY_BYTES,
                seconds=CALL_SECONDS,
            )
            status = answer.status
            if status == 429:
                # One token per user and application in 60 seconds; the reply is the plain text "Retry later".
                raise RateLimited(
                    "Outreach issues one token a minute. No action needed: the portal tries again.",
                    retry_after_seconds=rate_limits.wait_seconds(answer.headers, now=self._now()),
                    detail="HTTP 429",
                )
            result = read(answer)
            outcome = "answered"
            return result
        except IntegrationError as error:
            problem = error.message
            raise
        finally:
            if self._record is not None:
                self._record(
                    CallRecord(
                        endpoint=name,
                        scope="",
                        method="POST",
                        verb="token",
                        status=status,
                        outcome=outcome,
                        fields=(),
                        object_id="",
                        item_count=0,
                        duration_ms=round((time.monotonic() - started) * 1000),
                        error=problem,
                    )
                )


def _confirmed(answer: Answer) -> bool:
    if answer.status == 200:
        return True
    failure = _failure(answer)
    if isinstance(failure, (Unreachable, ClientMisconfigured)):
        raise failure
    return False


def _failure(answer: Answer) -> IntegrationError:
    """Return what a reply other than 200 and 429 stands for; only the two named codes are final.

    The codes are Doorkeeper's; Outreach publishes no body for its 400s.
    """
    code = _error_code(answer)
    detail = f"HTTP {answer.status} {code}".strip()
    if answer.status >= 500 or answer.status in (408, 425):
        return Unreachable(
            "Outreach is not answering. No action needed: the portal tries again.", detail=detail
        )
    if code == "invalid_grant":
        return ConnectionLost(
            "Outreach no longer accepts our access. Reconnect the account on the Outreach page.",
            detail=detail,
        )
    if code == "invalid_client":
        return ClientMisconfigured(
            "Outreach did not accept this portal’s client id or secret. "
            "The operator has to correct OUTREACH_CLIENT_ID or OUTREACH_CLIENT_SECRET.",
            detail=detail,
        )
    return _unexpected(detail)


def _error_code(answer: Answer) -> str:
    try:
        code = parse_document(answer.body).get("error")
    except UnexpectedReply:
        return ""
    return code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""


def _token_reply(document: Mapping[str, Any], kept_refresh_token: str) -> TokenReply:
    expires_in, scope, created_at = (document.get(key) for key in ("expires_in", "scope", "created_at"))
    if type(expires_in) is not int or not 1 <= expires_in <= LONGEST_LIFE_SECONDS:
        raise _unexpected("expires_in is not a usable number of seconds")
    if str(document.get("token_type") or "bearer").lower() != "bearer":
        raise _unexpected("token_type is not bearer")
    return TokenReply(
        access_token=_token(document.get("access_token"), "access_token"),
        refresh_token=_token(document.get("refresh_token") or kept_refresh_token, "refresh_token"),
        expires_in_seconds=expires_in,
        scope=scope if isinstance(scope, str) else None,
        created_at=created_at if type(created_at) is int else None,
    )


def _token(value: Any, name: str) -> str:
    # Printable ASCII only: the token becomes a header line.
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise _unexpected(f"{name} is not a token")
    return value


def _unexpected(detail: str) -> UnexpectedReply:
    return UnexpectedReply(
        "Outreach answered the token request in an unknown way. Try again; tell the operator if it happens again.",
        detail=detail,
    )
