"""Refusals: explain a refused sign-in to the person, and log its cause for the operator."""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

ASK = "Ask an owner of the domain."

log = logging.getLogger("portal.sso")


class Refusal(Exception):
    """A sign-in is refused, and nothing changed.

    title and message: words for the person. cause: a few words for the log, without tokens, addresses or
    unchecked external text.
    """

    def __init__(self, title: str, message: str, *, cause: str) -> None:
        super().__init__(title)
        self.title, self.message, self.cause = title, message, cause


def refuse(request: HttpRequest, refusal: Refusal, *, domain: str, status: int = 403) -> HttpResponse:
    """Return the page that tells the person. domain: the name of one that exists here."""
    log.warning("single sign-on for %s refused: %s", domain, refusal.cause)
    return close(render(request, "portal/sso_refused.html", {"refusal": refusal}, status=status))


def close(response: HttpResponse) -> HttpResponse:
    """Return the response with headers against caching and referrers."""
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response
