"""Reauthentication: before irreversible actions, a person must have confirmed their login within five minutes.

A view asks for it with the decorator `recently_authenticated`. A login counts, and so does allauth's page that asks
for the password or MFA again. The time of a single sign-on is the one its provider signed; without one it does not
count. There is no setting that turns this off.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.signals import authentication_step_completed
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import PermissionDenied
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode

from .models import Domain

RECENT_SECONDS = 5 * 60

_AT = "authenticated_at"
_INTERRUPTED = "interrupted_to_confirm"
_SECRET_WORDS = ("csrf", "password", "secret", "token", "key", "code")  # such fields are typed anew


@receiver(user_logged_in)
def remember_login(request: HttpRequest, **kwargs: Any) -> None:
    """Note in the session when its person completed the login."""
    request.session[_AT] = float(getattr(request, "proved_at", time.time()))


@receiver(authentication_step_completed)
def remember_confirmation(
    request: HttpRequest, *, reauthenticated: bool = False, at: float | None = None, **kwargs: Any
) -> None:
    """Note in the session when its person last confirmed who they are, and show a message.

    at: where an identity provider says when it was.
    """
    if not reauthenticated:
        return
    request.session[_AT] = time.time() if at is None else max(at, request.session.get(_AT, 0.0))
    interrupted = request.session.get(_INTERRUPTED)
    if interrupted and not interrupted["told"]:
        request.session[_INTERRUPTED] = interrupted | {"told": True}
        messages.info(
            request, "You have confirmed that it is you. Nothing was done yet: press the button again."
        )


def is_recent(request: HttpRequest) -> bool:
    """Return whether this session's person logged in, or confirmed it, within the last five minutes."""
    at = request.session.get(_AT)
    return isinstance(at, float) and 0 <= time.time() - at < RECENT_SECONDS


def recently_authenticated(
    *, returns_to: str = "", reading: bool = False
) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Let a view act only for somebody who confirmed who they are within five minutes; ask others first.

    Stands below `portal.access.require`, so that only those are asked who may do it at all:

        @require(Permission.CONNECT)
        @recently_authenticated(returns_to="integrations:outreach")
        @require_POST
        def connect(request, domain): ...

    returns_to: the name of the page with the button, of the same domain; the view's own address where
    not given. reading: ask before GET as well, as a download needs. Nothing is done meanwhile: the person
    returns to that page, is told to press again, and finds their input by `get_typed`.
    """

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            is_reading = request.method in ("GET", "HEAD", "OPTIONS")
            if is_recent(request) or (is_reading and not reading):
                return view(request, *args, **kwargs)
            domain = next((value for value in args if isinstance(value, Domain)), None)
            back = reverse(returns_to, args=[domain.name] if domain else []) if returns_to else ""
            return ask_again(request, back=back or (request.get_full_path() if is_reading else request.path))

        guarded.needs_recent_authentication = True  # type: ignore[attr-defined]  # the tests list these views
        return guarded

    return decorate


def ask_again(request: HttpRequest, *, back: str) -> HttpResponseBase:
    """Send the person to confirm who they are, and then to `back`, one of our own paths."""
    fields = {
        name: values
        for name, values in request.POST.lists()
        if not any(word in name for word in _SECRET_WORDS)
        and not any("PRIVATE KEY" in value for value in values)  # pasted where a certificate was asked for
    }
    if request.method == "POST" or back != request.get_full_path():
        request.session[_INTERRUPTED] = {"path": back, "fields": fields, "told": False}
    methods = get_adapter().get_reauthentication_methods(request.user)
    if not methods:
        raise PermissionDenied(
            "This action asks you to confirm who you are. Sign out, sign in again, and repeat it."
        )
    target = f"{methods[0]['url']}?{urlencode({REDIRECT_FIELD_NAME: back})}"
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": target})
    return HttpResponseRedirect(target)


def get_typed(request: HttpRequest) -> dict[str, str]:
    """Return, once, what the person had typed into this page's form before they were asked; else {}.

    A form takes it as `initial`. Fields with names of secrets are not kept.
    """
    interrupted = request.session.get(_INTERRUPTED)
    if request.method != "GET" or not interrupted or interrupted["path"] != request.path:
        return {}
    del request.session[_INTERRUPTED]
    return {name: values[-1] for name, values in interrupted["fields"].items()}
