"""Session retention: removes expired sessions, what background tasks left, and rows of Django admin and old workers."""

from __future__ import annotations

from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django_q.models import Failure, OrmQ

from portal.batches import get_limit, remove_rows
from portal.models import WorkerMachine

FRESH = timedelta(hours=1)  # a session's row may be written a moment after the note of who it belongs to
QUEUE_DAYS = 7
MACHINE_DAYS = 30


def remove_expired_sessions(*, writes: bool = True) -> dict[str, int]:
    """Remove expired rows and return how many of each kind; without `writes`, only count. Live sessions stay.

    Successes of background tasks are bounded by `save_limit`, failures by nothing but this.
    """
    return {
        "notes of sessions": remove_rows(get_ended_sessions(), writes=writes),
        "sessions": remove_rows(get_expired_sessions(), writes=writes),
        "failed tasks": remove_rows(get_old_failures(), writes=writes),
        "forgotten tasks": remove_rows(get_forgotten_tasks(), writes=writes),
        "entries of Django admin": remove_rows(get_old_admin_entries(), writes=writes),
        "workers that are gone": remove_rows(get_old_machines(), writes=writes),
    }


def get_expired_sessions() -> QuerySet[Session]:
    return Session.objects.filter(expire_date__lt=timezone.now())


def get_ended_sessions() -> QuerySet[UserSession]:
    now = timezone.now()
    live = Session.objects.filter(session_key=OuterRef("session_key"), expire_date__gte=now)
    return UserSession.objects.filter(~Exists(live), created_at__lt=now - FRESH)


def get_old_failures() -> QuerySet[Failure]:
    return Failure.objects.filter(stopped__lt=get_limit(settings.SYNC_KEEP_DAYS))


def get_forgotten_tasks() -> QuerySet[OrmQ]:
    """Return tasks that no worker took for a week: what they were to do is owed by rows, and queued by sweeps."""
    return OrmQ.objects.filter(lock__lt=timezone.now() - timedelta(days=QUEUE_DAYS))


def get_old_admin_entries() -> QuerySet[LogEntry]:
    """Return entries of Django admin's own history; what was done stays in the ledger."""
    return LogEntry.objects.filter(action_time__lt=get_limit(settings.DECIDED_KEEP_DAYS))


def get_old_machines() -> QuerySet[WorkerMachine]:
    return WorkerMachine.objects.filter(seen_at__lt=timezone.now() - timedelta(days=MACHINE_DAYS))
