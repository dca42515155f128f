"""Notices of the installation: dead workers, full disks, a broken ledger and mails that are stuck, to operators."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.core.management import call_command
from django.utils import timezone

from integrations.ledger.chain import get_chain
from integrations.models import Audience, ChainCheck, Notice, NoticeKind
from integrations.notices.channel_settings import set_address
from integrations.notices.watch import watch_installation
from portal.models import Role, User, WorkerMachine
from portal.worker.machines import measure_disk, note_machine
from tests.support.notice_receiver import receiving

pytestmark = pytest.mark.django_db

GONE = timedelta(hours=1)


@pytest.fixture
def staff() -> User:
    return User.objects.create_user("operator@portal.example", is_staff=True)


@pytest.fixture
def receiver(settings):
    settings.DEBUG = True  # plain http to this machine
    with receiving() as running:
        settings.NOTICE_WEBHOOK_URL, settings.NOTICE_WEBHOOK_SECRET = f"{running.url}/ops", "s" * 40
        settings.NOTICE_SLACK_URL = f"{running.url}/slack"
        yield running


def add_machine(
    name: str, process: int, *, seen: timedelta = timedelta(0), free: int | None = 50_000
) -> None:
    WorkerMachine.objects.create(name=name, process=process, seen_at=timezone.now() - seen, disk_free_mb=free)


def look() -> list[str]:
    """What `sendnotices` mails: the subjects."""
    mail.outbox.clear()
    call_command("sendnotices", verbosity=0)
    return [message.subject for message in mail.outbox]


def list_open() -> set[tuple[str, str]]:
    return set(Notice.objects.filter(ended_at=None).values_list("kind", "subject"))


def test_a_dead_worker_is_told_to_staff_and_the_installation_s_webhooks_until_it_is_back(
    staff, domain, owner, receiver
):
    set_address(domain, Audience.WEBHOOK, f"{receiver.url}/domain", actor=owner.email)
    add_machine("node-1", 7)
    add_machine("node-2", 9, seen=GONE)

    [subject] = look()
    assert subject.endswith(": A background worker is not running")
    assert [message.to for message in mail.outbox] == [[staff.email]]
    assert "node-2" in mail.outbox[0].body and "Others take over" in mail.outbox[0].body
    assert sorted(one.path for one in receiver.received) == ["/ops", "/slack"]
    assert [one.json["subject"] for one in receiver.received if one.path == "/ops"] == ["node-2"]
    assert look() == []

    add_machine("node-2", 10)  # started again: another process of the same machine
    [subject] = look()
    assert "resolved" in subject
    assert sorted(one.path for one in receiver.received) == ["/ops", "/ops", "/slack", "/slack"]
    assert list_open() == set()


def test_a_machine_short_of_disk_is_told_and_others_are_not(staff, settings):
    add_machine("node-1", 7, free=settings.DISK_LOW_MB)
    add_machine("node-2", 9, free=settings.DISK_LOW_MB - 1)
    add_machine("node-3", 9, free=None)

    look()

    assert list_open() == {("disk", "node-2")}
    assert "1,023 MB are free on node-2" in mail.outbox[0].body


def test_the_supervisor_notes_free_space_where_events_and_temporary_files_are(settings, tmp_path):
    settings.SPOOL_FOLDER = str(tmp_path / "not" / "made" / "yet")
    free = measure_disk()

    note_machine(is_busy=False, memory_mb=1)

    assert free is not None and free > 0
    assert WorkerMachine.objects.get().disk_free_mb is not None


def test_a_broken_chain_is_told_to_its_owners_and_staff_and_over_with_the_next_intact_check(
    staff, domain, other_domain, owner, make_member, write_entry
):
    make_member(other_domain, Role.OWNER)
    for each in (domain, other_domain):
        write_entry(each)
    chain, theirs = get_chain(domain), get_chain(other_domain)
    columns = {"entries": 1, "count": 1, "digest": "0" * 64}
    ChainCheck.objects.create(chain=theirs, is_intact=True, **columns)
    ChainCheck.objects.create(chain=chain, is_intact=False, finding="Entry 1 was changed.", **columns)

    look()

    assert sorted(message.to[0] for message in mail.outbox) == sorted([owner.email, staff.email])
    assert "Entry 1 was changed." in mail.outbox[0].body
    ChainCheck.objects.create(chain=chain, is_intact=True, **columns)
    assert len(look()) == 2
    assert list_open() == set()


def test_stuck_mails_are_told_by_webhook_though_mail_does_not_work(staff, receiver, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9  # nobody listens
    add_machine("node-2", 9, seen=GONE)
    look()
    receiver.received.clear()
    Notice.objects.filter(audience=Audience.STAFF).update(failures=3)

    look()

    [told] = [one.json for one in receiver.received if one.path == "/ops"]
    assert (told["kind"], told["sentence"]) == (
        NoticeKind.MAILS,
        "1 e-mail was not sent for a quarter of an hour or more.",
    )


def test_two_watches_at_once_open_one_notice(staff):
    add_machine("node-2", 9, seen=GONE)

    watch_installation()
    watch_installation()

    assert Notice.objects.count() == 1


def test_an_installation_that_is_well_tells_nothing(staff):
    add_machine("node-1", 7)

    assert look() == []
