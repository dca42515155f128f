"""Expired sessions and old failures go; whoever is logged in stays so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.utils import timezone
from django_q.models import Failure, OrmQ, Task

from portal.batches import remove_rows
from portal.models import Invitation, WorkerMachine
from portal.tasks import remove_closed_invitations, remove_expired_sessions

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


def test_tasks_that_no_worker_took_for_a_week_go_and_younger_ones_stay():
    for key, days in (("old", 8), ("young", 6)):
        OrmQ.objects.create(key=key, payload="x", lock=timezone.now() - timedelta(days=days))

    remove_expired_sessions()

    assert list(OrmQ.objects.values_list("key", flat=True)) == ["young"]


def test_old_entries_of_django_admin_and_workers_that_are_gone_go(owner):
    now = timezone.now()
    for days in (366, 364):
        entry = LogEntry.objects.create(user=owner, action_flag=2, change_message="x")
        LogEntry.objects.filter(pk=entry.pk).update(action_time=now - timedelta(days=days))
    for name, days in (("gone", 31), ("late", 29)):
        WorkerMachine.objects.create(name=name, process=1, seen_at=now - timedelta(days=days))

    remove_expired_sessions()

    assert LogEntry.objects.count() == 1
    assert list(WorkerMachine.objects.values_list("name", flat=True)) == ["late"]


def test_closed_invitations_go_and_open_ones_stay(domain, owner):
    now = timezone.now()
    closed, open_until = now - timedelta(days=366), now + timedelta(days=1)
    for number, columns in enumerate(
        (
            {"accepted_at": closed, "expires_at": closed},
            {"withdrawn_at": closed, "expires_at": closed},
            {"expires_at": closed},
            {"accepted_at": now, "expires_at": open_until},
            {"expires_at": open_until},
        )
    ):
        Invitation.objects.create(
            domain=domain,
            email=f"p{number}@acme.example",
            token_sha256=str(number),
            invited_by=owner,
            **columns,
        )

    remove_closed_invitations()

    left = Invitation.objects.order_by("email").values_list("email", flat=True)
    assert list(left) == ["p3@acme.example", "p4@acme.example"]


def test_a_removal_that_is_killed_goes_on_and_each_batch_is_a_transaction_of_its_own(owner, monkeypatch):
    monkeypatch.setattr("portal.batches.BATCH", 2)
    expired = timezone.now() - timedelta(days=1)
    Session.objects.bulk_create(
        Session(session_key=f"s{n}", session_data="", expire_date=expired) for n in range(5)
    )
    real, calls = QuerySet.delete, iter(range(9))

    class Killed(BaseException):
        pass

    def delete(rows):
        if next(calls) == 1:
            raise Killed
        return real(rows)

    with monkeypatch.context() as patched:
        patched.setattr(QuerySet, "delete", delete)
        with pytest.raises(Killed):
            remove_rows(Session.objects.all())
    assert Session.objects.count() == 3

    assert remove_rows(Session.objects.all()) == 3


def test_more_rows_than_a_batch_holds_all_go(owner):
    expired = timezone.now() - timedelta(days=1)
    Session.objects.bulk_create(
        Session(session_key=f"s{n}", session_data="", expire_date=expired) for n in range(1201)
    )

    remove_expired_sessions()

    assert Session.objects.count() == 0
