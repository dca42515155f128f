"""A mail when a connection needs a person: once, again after a week or a recovery, and never lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from integrations import tasks
from integrations.errors import ConnectionLost
from integrations.models import Connection, ConnectionState, LedgerEntry, Notice, NoticeKind
from integrations.notices.connection_troubles import list_troubles
from integrations.notices.sending import send_notice
from integrations.notices.watch import watch_connections
from portal.models import Role, User
from signatures.models import DeliveryRun, DeliveryRunState
from tests.support.token_renewal import age, read_one

pytestmark = pytest.mark.usefixtures("unchanged_bystander")

DAY = timedelta(days=1)


def pass_five_minutes() -> list[tuple[str, ...]]:
    """One round of the schedule, with its tasks carried out; to whom mails went in it."""
    mail.outbox.clear()
    for notice_id in watch_connections():
        tasks.send_notice(notice_id=notice_id)
    return [tuple(message.to) for message in mail.outbox]


def set_columns(connection: Connection, **columns: object) -> None:
    Connection.objects.filter(pk=connection.pk).update(**columns)


@pytest.fixture
def lost(connection) -> Connection:
    set_columns(connection, state=ConnectionState.LOST, state_reason="Outreach no longer accepts our access.")
    connection.refresh_from_db()
    return connection


@pytest.fixture
def staff(db) -> User:
    return User.objects.create_user("operator@portal.example", "correct horse", is_staff=True)


def test_a_lost_connection_is_told_to_every_owner_once(lost, domain, owner, make_member, staff):
    make_member(domain, Role.OWNER, "second@acme.example")
    make_member(domain, Role.ADMIN)
    gone = make_member(domain, Role.OWNER, "gone@acme.example")
    User.objects.filter(pk=gone.pk).update(is_active=False)

    rounds = [pass_five_minutes() for _ in range(4)]

    assert rounds == [[(owner.email, "second@acme.example")], [], [], []]
    assert LedgerEntry.objects.filter(domain=domain, action="message sent").count() == 1


def test_the_mail_says_what_to_do_with_a_link_and_holds_no_secret(lost, domain, settings):
    pass_five_minutes()

    [message] = mail.outbox
    page = settings.PUBLIC_URL + reverse("integrations:outreach", args=[domain.name])
    assert message.subject == "acme.example: Outreach no longer accepts our access"
    assert (
        f"Connect again on the Outreach page. Every setting is kept, and signatures stay as they are.\n{page}"
        in (message.body)
    )
    assert "Outreach no longer accepts our access." in message.body
    assert "&" not in message.body and "sandbox-" not in message.body
    assert settings.OUTREACH_CLIENT_SECRET not in message.body


def test_it_is_told_again_after_a_week_once_it_is_over_and_when_it_comes_back(lost, connect, domain, owner):
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        assert len(pass_five_minutes()) == 1
        clock.shift(6 * DAY + timedelta(hours=23))
        assert pass_five_minutes() == []
        clock.shift(timedelta(hours=2))
        assert len(pass_five_minutes()) == 1
        assert mail.outbox[0].body.startswith("Reminder")
        assert pass_five_minutes() == []

        set_columns(lost, state=ConnectionState.ACTIVE, refreshed_at=timezone.now())
        assert len(pass_five_minutes()) == 1
        assert mail.outbox[0].subject == ("acme.example: resolved: Outreach no longer accepts our access")
        assert pass_five_minutes() == []
        set_columns(lost, state=ConnectionState.LOST)
        assert len(pass_five_minutes()) == 1

    assert list(Notice.objects.order_by("id").values_list("times_sent", flat=True)) == [2, 1]
    assert Notice.objects.filter(ended_at=None).count() == 1


def test_a_mail_that_no_server_takes_is_tried_again_later_and_later(lost, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9  # nobody listens
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        assert pass_five_minutes() == []
        notice = Notice.objects.get()
        assert (notice.sent_at, notice.failures, notice.not_before) == (None, 1, now + timedelta(minutes=5))
        assert watch_connections() == []
        clock.shift(timedelta(minutes=5))
        assert pass_five_minutes() == []
        notice.refresh_from_db()
        assert (notice.failures, notice.not_before) == (2, timezone.now() + timedelta(minutes=10))

        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        clock.shift(timedelta(minutes=10))
        assert len(pass_five_minutes()) == 1

    notice.refresh_from_db()
    assert (notice.times_sent, notice.failures, notice.not_before) == (1, 0, None)


def test_the_same_task_twice_sends_one_mail_and_a_killed_one_is_made_good(lost):
    [notice_id] = watch_connections()

    sent = [send_notice(notice_id), send_notice(notice_id)]
    assert (sent, len(mail.outbox)) == ([True, False], 1)

    # Killed between claiming and sending: nobody else takes it meanwhile, and then somebody does.
    Notice.objects.update(sent_at=None, not_before=timezone.now() + timedelta(minutes=10))
    assert (pass_five_minutes(), send_notice(notice_id)) == ([], False)
    Notice.objects.update(not_before=timezone.now())
    assert len(pass_five_minutes()) == 1


def test_a_wrong_client_secret_is_told_to_owners_and_staff_once(sandbox, connection, owner, staff, settings):
    settings.OUTREACH_CLIENT_SECRET = "not-the-secret"
    age(connection, hours=21)
    tasks.refresh_tokens()
    connection.refresh_from_db()
    assert connection.state == ConnectionState.MISCONFIGURED

    rounds = [pass_five_minutes() for _ in range(3)]

    assert [sorted(each) for each in rounds] == [sorted([(owner.email,), (staff.email,)]), [], []]


def test_an_ended_grant_is_told_once(sandbox, connection, owner):
    sandbox.oauth.revoke_all()
    age(connection)
    with pytest.raises(ConnectionLost):
        read_one(connection)

    assert [pass_five_minutes() for _ in range(3)] == [[(owner.email,)], [], []]


def test_an_access_that_lapses_within_three_days_is_told(connection, owner):
    now = timezone.now()
    for age_days, kinds in ((10.9, []), (11.1, [NoticeKind.LAPSING])):
        set_columns(connection, refreshed_at=now - timedelta(days=age_days))
        connection.refresh_from_db()
        assert [trouble.kind for trouble in list_troubles(connection, at=now)] == kinds

    assert pass_five_minutes() == [(owner.email,)]
    assert "could not be refreshed since" in mail.outbox[0].body


def test_a_halted_delivery_is_told_with_the_address_of_its_page(connection, domain, owner, settings):
    run = DeliveryRun.objects.create(
        domain=domain, connection=connection, state=DeliveryRunState.HALTED, cause="10 in a row were refused."
    )

    assert pass_five_minutes() == [(owner.email,)]

    page = reverse("signatures:delivery_run", args=[domain.name, run.pk])
    assert f"{settings.PUBLIC_URL}{page}\n" in mail.outbox[0].body
    assert "10 in a row were refused." in mail.outbox[0].body


def test_a_connection_that_left_is_told_nobody_any_more(lost):
    watch_connections()
    set_columns(lost, state=ConnectionState.DISCONNECTED)

    assert pass_five_minutes() == []
    assert Notice.objects.filter(ended_at=None).count() == 0


def test_a_trouble_that_is_over_before_the_mail_goes_is_not_told(lost):
    [notice_id] = watch_connections()
    set_columns(lost, state=ConnectionState.ACTIVE)

    assert (send_notice(notice_id), mail.outbox) == (False, [])


def test_the_schedule_queues_one_task_for_each_mail(lost, django_capture_on_commit_callbacks, monkeypatch):
    queued = []
    monkeypatch.setattr("portal.background.async_task", lambda task, **ids: queued.append((task, ids)))

    with django_capture_on_commit_callbacks(execute=True):
        tasks.watch_connections()

    assert queued == [("integrations.tasks.send_notice", {"notice_id": Notice.objects.get().pk})]
