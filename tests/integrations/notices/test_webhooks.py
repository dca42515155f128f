"""Notices by webhook and Slack: signed, once, retried a bounded number of times, and to the right domain alone."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import connection as database
from django.utils import timezone

from integrations.checks import check_notice_addresses
from integrations.models import (
    Audience,
    CallBudget,
    Connection,
    ConnectionState,
    LedgerEntry,
    Notice,
    NoticeChannels,
)
from integrations.notices import sending
from integrations.notices.channel_settings import remove_address, renew_secret, set_address
from integrations.notices.channels import list_channels, sign
from integrations.notices.sending import MOST_TRIES, send_notice
from integrations.notices.watch import watch_connections
from signatures.models import DeliveryRun, DeliveryRunState

DOCS = Path(__file__).resolve().parents[3] / "docs/notices.md"
MINUTES = timedelta(minutes=1)
DAY = timedelta(days=1)


def look() -> int:
    """One round of the schedule with its tasks; how many messages were accepted."""
    return sum(send_notice(notice_id) for notice_id in watch_connections())


def set_state(connection: Connection, state: ConnectionState, **columns: Any) -> None:
    Connection.objects.filter(pk=connection.pk).update(state=state, **columns)


@pytest.fixture
def secret(domain, other_domain, receiver) -> str:
    """The secret of the domain's webhook; another domain has a webhook of its own at the same receiver."""
    set_address(other_domain, Audience.WEBHOOK, f"{receiver.url}/theirs", actor="x@bystander.example")
    return set_address(domain, Audience.WEBHOOK, f"{receiver.url}/hook", actor="dana@acme.example")


@pytest.fixture
def lost(connection, owner) -> Connection:
    set_state(connection, ConnectionState.LOST, state_reason="Outreach no longer accepts our access.")
    return connection


def run_docs_example() -> Any:
    """The lines of Python that the docs give to receivers, run; their function."""
    [lines] = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(lines, names)  # noqa: S102 - our own docs
    return names["is_genuine"]


def test_a_webhook_hears_of_opening_reminder_and_end_once_each_and_another_domain_s_nothing(
    lost, domain, receiver, secret
):
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        look()
        look()
        [opened] = receiver.received
        clock.shift(7 * DAY)
        look()
        look()
        clock.shift(DAY)
        set_state(lost, ConnectionState.ACTIVE, refreshed_at=timezone.now())
        look()
        look()

    assert {one.path for one in receiver.received} == {"/hook"}
    bodies = receiver.take()
    assert [body["event"] for body in bodies] == ["notice.opened", "notice.reminder", "notice.resolved"]
    assert len({body["id"] for body in bodies}) == 3
    assert len({body["notice"] for body in bodies}) == 1
    assert bodies[0] == {
        "id": bodies[0]["id"],
        "event": "notice.opened",
        "notice": bodies[0]["notice"],
        "kind": "lost",
        "title": "Outreach no longer accepts our access",
        "domain": domain.name,
        "subject": None,
        "sentence": "Outreach no longer accepts our access.",
        "what_to_do": bodies[0]["what_to_do"],
        "url": bodies[0]["url"],
        "opened_at": now.isoformat(),
        "resolved_at": None,
    }
    assert bodies[2]["resolved_at"] == (now + 8 * DAY).isoformat()
    assert opened.headers["Content-Type"] == "application/json"


def test_the_lines_of_the_docs_verify_a_message_and_refuse_a_changed_or_old_one(lost, receiver, secret):
    look()
    is_genuine = run_docs_example()
    [opened] = receiver.received
    header = opened.headers["X-Countersign-Signature"]

    assert is_genuine(secret, header, opened.body)
    assert not is_genuine(secret, header, opened.body + b" ")
    assert not is_genuine("another", header, opened.body)
    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        assert not is_genuine(secret, header, opened.body)


def test_slack_gets_a_text_with_its_three_characters_escaped(connection, domain, owner, receiver):
    set_address(domain, Audience.SLACK, f"{receiver.url}/services/T0/B0/x", actor="dana@acme.example")
    DeliveryRun.objects.create(
        domain=domain, connection=connection, state=DeliveryRunState.HALTED, cause="10 <b> & more refused."
    )

    look()

    [body] = receiver.take()
    assert list(body) == ["text"]
    assert body["text"].startswith(
        f"*{domain.name}: A delivery stopped: action needed*\n10 &lt;b&gt; &amp; more"
    )


def test_a_failing_webhook_is_tried_eight_times_and_then_with_the_reminder_while_mail_goes_at_once(
    lost, receiver, secret
):
    receiver.statuses = [503] * 100
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        for _ in range(6 * 24):  # six days
            look()
            clock.shift(60 * MINUTES)
        assert len(receiver.received) == MOST_TRIES
        assert len({body["id"] for body in receiver.take()}) == 1
        notice = Notice.objects.get(audience=Audience.WEBHOOK)
        assert (notice.answer, notice.failures, notice.sent_at) == ("HTTP 503", MOST_TRIES, None)

        receiver.statuses = []
        clock.shift(2 * DAY)
        look()

    assert [body["event"] for body in receiver.take()] == ["notice.opened"]
    assert len([one for one in mail.outbox if "Reminder" in one.body]) == 1
    notice.refresh_from_db()
    assert (notice.answer, notice.failures) == ("HTTP 200", 0)


def test_a_worker_killed_between_sending_and_noting_sends_the_same_id_again(
    lost, receiver, secret, monkeypatch
):
    class Killed(BaseException):
        pass

    def die(*args: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(sending, "_note_sent", die)
        notice = next(
            pk for pk in watch_connections() if Notice.objects.get(pk=pk).audience == Audience.WEBHOOK
        )
        with pytest.raises(Killed):
            send_notice(notice)
    assert send_notice(notice) is False  # somebody is at it, as far as anybody knows
    with time_machine.travel(timezone.now() + 11 * MINUTES):
        assert send_notice(notice) is True
        assert send_notice(notice) is False

    first, again = receiver.take()
    assert first["id"] == again["id"]


def test_a_second_worker_that_comes_while_a_message_is_under_way_sends_nothing(
    lost, receiver, secret, monkeypatch
):
    real, others = sending.send, []

    def send(channel, message):
        others.append(send_notice(notice))
        others.append(watch_connections())
        return real(channel, message)

    notice = next(pk for pk in watch_connections() if Notice.objects.get(pk=pk).audience == Audience.WEBHOOK)
    monkeypatch.setattr(sending, "send", send)

    assert send_notice(notice) is True

    assert others[0] is False and notice not in others[1]
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("columns", "problems"),
    [
        ({}, 0),
        ({"NOTICE_WEBHOOK_URL": "https://alerts.acme.example/", "NOTICE_WEBHOOK_SECRET": "s"}, 0),
        ({"NOTICE_WEBHOOK_URL": "https://alerts.acme.example/"}, 1),
        ({"NOTICE_SLACK_URL": "http://hooks.slack.example/x"}, 1),
    ],
)
def test_a_check_names_addresses_of_the_installation_that_cannot_be_used(settings, columns, problems):
    for name, value in columns.items():
        setattr(settings, name, value)

    found = check_notice_addresses()

    assert [problem.id for problem in found] == ["integrations.E002"] * problems
    assert "hooks.slack.example" not in str(found)


def test_what_was_never_told_is_not_told_to_be_over_and_an_old_end_is_not_told_either(lost, receiver, secret):
    receiver.statuses = [500]
    look()
    set_state(lost, ConnectionState.ACTIVE, refreshed_at=timezone.now())
    receiver.take()
    look()
    assert receiver.take() == []

    set_state(lost, ConnectionState.LOST)
    now = timezone.now()
    with time_machine.travel(now + DAY, tick=False) as clock:
        look()
        set_state(lost, ConnectionState.ACTIVE, refreshed_at=timezone.now())
        watch_connections()
        clock.shift(3 * DAY)
        look()
    assert [body["event"] for body in receiver.take()] == ["notice.opened"]


def test_a_redirect_is_not_followed(lost, receiver, secret):
    receiver.statuses, receiver.location = [307], f"{receiver.url}/elsewhere"

    look()

    assert [one.path for one in receiver.received] == ["/hook"]
    assert Notice.objects.get(audience=Audience.WEBHOOK).answer == "HTTP 307"


def test_a_private_network_is_not_called_unless_its_host_is_named(lost, domain, receiver, settings):
    settings.DEBUG = False
    set_address(domain, Audience.WEBHOOK, receiver.url.replace("http", "https"), actor="dana@acme.example")
    answers = []
    for named in ([], ["127.0.0.1"]):
        settings.NOTICE_PRIVATE_HOSTS = named
        Notice.objects.all().delete()
        look()
        answers.append(Notice.objects.get(audience=Audience.WEBHOOK).answer)

    assert answers == [
        "Not reached: its host name leads to a private network.",
        "Not reached: no TLS connection could be made.",  # it was called; the receiver speaks no TLS
    ]
    assert receiver.received == []


def test_addresses_and_secret_are_in_no_row_log_or_ledger_entry_in_the_clear(
    lost, domain, receiver, secret, caplog
):
    set_address(domain, Audience.SLACK, f"{receiver.url}/services/T0/B0/hidden", actor="dana@acme.example")
    receiver.statuses = [404] * 10
    look()
    renew_secret(domain, actor="dana@acme.example")

    details = " ".join(LedgerEntry.objects.values_list("detail", flat=True))
    with database.cursor() as cursor:
        cursor.execute("SELECT * FROM integrations_noticechannels")
        stored = str(cursor.fetchall())
    answers = " ".join(Notice.objects.values_list("answer", flat=True))
    for hidden in ("hidden", "/hook", secret):
        assert hidden not in details + stored + answers + caplog.text
    assert "notices: slack set, at 127.0.0.1" in details
    assert "notices: webhook secret renewed" in details
    assert repr(list_channels(domain)[0]).count(secret) == 0


def test_sealed_columns_open_in_their_own_place_alone(domain, other_domain, receiver, secret):
    row = NoticeChannels.objects.get(domain=other_domain)
    NoticeChannels.objects.filter(domain=domain).update(webhook_url_sealed=row.webhook_url_sealed)

    assert list_channels(domain)[0].url == ""


def test_a_removed_address_hears_nothing_more_not_even_the_end(lost, domain, receiver, secret):
    look()
    receiver.take()

    remove_address(domain, Audience.WEBHOOK, actor="dana@acme.example")
    look()
    set_state(lost, ConnectionState.ACTIVE, refreshed_at=timezone.now())
    look()

    assert receiver.received == []
    assert "resolved" in mail.outbox[-1].subject


def test_what_only_a_live_connection_shows_is_not_over_while_it_is_lost(connection, domain, receiver, secret):
    CallBudget.objects.update_or_create(
        connection=connection,
        defaults={"used": 9_000, "limit": 10_000, "window_ends_at": timezone.now() + timedelta(minutes=30)},
    )
    look()
    set_state(connection, ConnectionState.LOST)
    look()
    kinds = [(body["event"], body["kind"]) for body in receiver.take()]
    assert kinds == [("notice.opened", "calls"), ("notice.opened", "lost")]

    set_state(connection, ConnectionState.ACTIVE, refreshed_at=timezone.now())
    CallBudget.objects.update(used=10)
    look()
    assert {body["kind"] for body in receiver.take()} == {"calls", "lost"}
    CallBudget.objects.update(used=9_900)  # at most one message a day
    look()
    assert receiver.take() == []


def test_signatures_of_different_instants_differ():
    assert sign("s", b"{}", at=1) == "t=1,v1=" + sign("s", b"{}", at=1).partition("v1=")[2]
    assert sign("s", b"{}", at=1).partition("v1=")[2] != sign("s", b"{}", at=2).partition("v1=")[2]
