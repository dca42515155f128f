"""Expired sessions and old failures go; whoever is logged in stays so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.utils import timezone
from django_q.models import Failure, Task

from portal.tasks import remove_expired_sessions

pytestmark = pytest.mark.django_db


def test_expired_sessions_go_with_their_notes_and_live_ones_stay(owner):
    now = timezone.now()
    for key, expires_at in (("over", now - timedelta(seconds=1)), ("live", now + timedelta(minutes=1))):
        Session.objects.create(session_key=key, session_data="", expire_date=expires_at)
    for key in ("over", "live", "ended"):
        UserSession.objects.create(user=owner, session_key=key, ip="203.0.113.7", user_agent="test")
    UserSession.objects.update(created_at=now - timedelta(days=1))
    UserSession.objects.create(user=owner, session_key="begins", ip="203.0.113.7", user_agent="test")

    remove_expired_sessions()

    assert list(Session.objects.values_list("session_key", flat=True)) == ["live"]
    assert sorted(UserSession.objects.values_list("session_key", flat=True)) == ["begins", "live"]


def test_old_failures_of_tasks_go_and_successes_are_left_to_their_limit():
    old, young = timezone.now() - timedelta(days=90, minutes=1), timezone.now() - timedelta(days=89)
    for id, stopped, success in (("a", old, False), ("b", young, False), ("c", old, True)):
        Task.objects.create(id=id, name=id, func="f", started=stopped, stopped=stopped, success=success)

    remove_expired_sessions()

    assert list(Failure.objects.values_list("id", flat=True)) == ["b"]
    assert sorted(Task.objects.values_list("id", flat=True)) == ["b", "c"]


def test_more_rows_than_a_batch_holds_all_go(owner):
    expired = timezone.now() - timedelta(days=1)
    Session.objects.bulk_create(
        Session(session_key=f"s{n}", session_data="", expire_date=expired) for n in range(1201)
    )

    remove_expired_sessions()

    assert Session.objects.count() == 0
