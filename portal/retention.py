"""Retention: removes expired sessions and old failures of background tasks; commands and schedules call it."""

from __future__ import annotations

from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django_q.models import Failure

from .batches import get_limit, remove_rows

FRESH = timedelta(hours=1)  # a session's row may be written a moment after the note of who it belongs to


def remove_expired_sessions(*, writes: bool = True) -> dict[str, int]:
    """Remove expired rows and return how many of each kind; without `writes`, only count. Live sessions stay.

    Successes of background tasks are bounded by `save_limit`, failures by nothing but this.
    """
    now = timezone.now()
    expired = Session.objects.filter(expire_date__lt=now)
    live = Session.objects.filter(session_key=OuterRef("session_key"), expire_date__gte=now)
    over = UserSession.objects.filter(~Exists(live), created_at__lt=now - FRESH)
    failures = Failure.objects.filter(stopped__lt=get_limit(settings.SYNC_KEEP_DAYS))
    return {
        "notes of sessions": remove_rows(over, writes=writes),
        "sessions": remove_rows(expired, writes=writes),
        "failed tasks": remove_rows(failures, writes=writes),
    }
