"""Transport: calls identity providers by https, at public IP addresses only, within limits of time and size.

Redirects are not followed. SSO_PRIVATE_HOSTS names hosts that may be private.
"""

from __future__ import annotations

import json
from typing import Any

import requests
from django.conf import settings

from portal import outgoing
from portal.deadline import get_seconds_left, within
from portal.outgoing import (
    CONNECT_SECONDS,
    FAILURES,
    READ_SECONDS,
    GuardedAdapter,
    describe_failure,
    is_acceptable,
)

LONGEST_SECONDS = 15.0
LARGEST_BYTES = 1_000_000
CHECK_ADDRESS = "The identity provider cannot be used: {}. Check its address."


class ProviderUnreachable(requests.RequestException):
    """The identity provider was not reached, or its answer not read completely; the message says why.

    cause: a few words for the log.
    """

    def __init__(self, message: str, *, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


class _Adapter(GuardedAdapter):
    """Reads an answer completely, within the limits."""

    def __init__(self) -> None:
        super().__init__(settings.SSO_PRIVATE_HOSTS)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if not is_acceptable(request.url or ""):
            raise ProviderUnreachable(
                "The identity provider must be reached by https.", cause="address is not https"
            )
        kwargs |= {"timeout": (CONNECT_SECONDS, READ_SECONDS), "stream": True, "proxies": {}}
        try:
            with within(LONGEST_SECONDS):
                response = super().send(request, **kwargs)
                response._content = _read(response)
        except ProviderUnreachable:
            raise
        except FAILURES as error:
            why, cause = describe_failure(error)
            # Not chained: the library's words hold the whole address, and what was sent.
            raise ProviderUnreachable(CHECK_ADDRESS.format(why), cause=cause) from None
        return response


def _read(response: requests.Response) -> bytes:
    """Return the body. Raises ProviderUnreachable where it is a redirect or too large."""
    with response:
        if response.is_redirect:
            raise ProviderUnreachable(
                "The identity provider answered with a redirect, which is not followed.", cause="redirect"
            )
        body = bytearray()
        for part in response.iter_content(16_384):
            get_seconds_left()
            body += part
            if len(body) > LARGEST_BYTES:
                raise ProviderUnreachable(
                    "The identity provider's answer was too large.", cause="answer too large"
                )
    return bytes(body)


def make_session() -> requests.Session:
    """Return a session that connects only to allowed addresses, without proxies of the environment."""
    session = outgoing.make_session(_Adapter())
    session.headers["Accept-Encoding"] = "gzip"
    return session


def call(method: str, url: str, **sent: Any) -> requests.Response:
    """Return the answer, whatever its status. Raises ProviderUnreachable, and nothing else."""
    try:
        with make_session() as session:
            return session.request(method, url, **sent)
    except ProviderUnreachable:
        raise
    except (requests.RequestException, ValueError) as error:  # an address that the library cannot write
        raise ProviderUnreachable(
            CHECK_ADDRESS.format("it cannot be called"), cause=f"not reached ({type(error).__name__})"
        ) from None


def read_document(reply: requests.Response) -> dict[str, Any]:
    """Return the JSON object in an answer; {} where there is none, whatever was sent instead."""
    try:
        found = json.loads(reply.content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
