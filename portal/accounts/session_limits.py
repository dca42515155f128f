"""Session limits: a session ends twelve hours after its login or two hours after its last page."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponseBase

LONGEST_SECONDS = 12 * 60 * 60
IDLE_SECONDS = 2 * 60 * 60
NOTE_EVERY_SECONDS = 60  # a write to the session a minute is enough to know when it was last used

_BEGAN = "logged_in_at"
_SEEN = "seen_at"


@receiver(user_logged_in)
def begin(request: HttpRequest, **kwargs: Any) -> None:
    """Note in the session when its limits began to count."""
    request.session[_BEGAN] = request.session[_SEEN] = time.time()


def end_old_sessions(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Log out sessions past either limit, and note the time of use of the others."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.user.is_authenticated:
            now = time.time()
            began, seen = request.session.get(_BEGAN, 0), request.session.get(_SEEN, 0)
            if now - began > LONGEST_SECONDS or now - seen > IDLE_SECONDS:
                logout(request)
            elif now - seen > NOTE_EVERY_SECONDS:
                request.session[_SEEN] = now
        return get_response(request)

    return middleware
