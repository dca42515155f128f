"""The commands one after the other with no worker: each sees what the one before read, and says how it ended."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django_q.models import OrmQ

from integrations.models import SyncKind, SyncRun
from integrations.sync import runs
from portal.models import Role
from signatures.authoring.templates import install_starters
from signatures.models import DeliveryRun, Group, Placement, Sender
from signatures.releases.publish import publish
from signatures.senders.groups import ensure_default_group
from tests.support.deliveries import get_held, get_writes

pytestmark = pytest.mark.django_db(transaction=True)

WITHOUT_WORKER = "only while a worker runs"


@pytest.fixture
def bystander(connect, other_domain, make_member):
    """Another company, connected to the same Outreach, whose directory nobody has read."""
    return connect(other_domain, make_member(other_domain, Role.OWNER))


def run(name: str, *args: str, domain: str = "acme.example") -> str:
    stream = io.StringIO()
    call_command(name, "--domain", domain, *args, stdout=stream)
    return stream.getvalue()


def refuse(name: str, *args: str) -> CommandError:
    with pytest.raises(CommandError) as refused:
        run(name, *args)
    return refused.value


def test_each_command_sees_the_people_that_the_sync_before_it_read(sandbox, connection, bystander):
    ensure_default_group(connection.domain)
    install_starters(connection.domain, actor="test")
    before = get_held(sandbox)

    run("syncdirectory")
    senders = Sender.objects.filter(domain=connection.domain)
    email = senders.filter(is_active=True).first().email
    nothing = refuse("deliversignatures", "--dry-run")
    published = run("publishrelease")
    preview = run("previewsignature", "--sender", email)
    planned = run("deliversignatures", "--dry-run")
    untouched = run("checkdrift")
    delivered = run("deliversignatures")
    number = len(get_writes(sandbox))
    drift = run("checkdrift")
    restored = run("restoresignatures")

    assert senders.count() == 24
    assert "Publish a release first" in str(nothing)
    assert published.startswith("Release 1 of acme.example is live.")
    assert preview.strip()
    assert number > 0
    assert planned.startswith(f"{number} mailboxes would change")
    assert "Nothing was delivered yet" in untouched
    assert f"{number} delivered" in delivered
    assert drift.startswith(f"{number} match, 0 drifted")
    assert "Nothing was delivered yet" not in drift
    assert restored.startswith(f"{number} restored")
    assert get_held(sandbox) == before
    assert not Sender.objects.filter(domain=bystander.domain).exists()
    assert not Group.objects.filter(domain=bystander.domain).exists()


def test_a_commands_sync_starts_no_delivery_itself_and_leaves_it_to_the_worker(sandbox, ready, deliver):
    deliver()
    OrmQ.objects.all().delete()
    sandbox.directory.set_title(5, "Chief Lamplighter")
    sandbox.requests.clear()

    run("syncdirectory", "--changes")

    assert get_writes(sandbox) == []
    assert DeliveryRun.objects.count() == 1
    assert [entry.task["func"] for entry in OrmQ.objects.all()] == ["signatures.tasks.follow_sync"]


@pytest.mark.parametrize("command", ["previewsignature", "deliversignatures", "checkdrift"])
def test_a_sync_that_nobody_followed_is_followed_by_the_command_that_needs_it(sandbox, connection, command):
    runs.carry_out(runs.request_sync(connection, kind=SyncKind.FULL, actor="test").pk)
    ensure_default_group(connection.domain)
    install_starters(connection.domain, actor="test")
    publish(connection.domain, actor="test")
    email = next(iter(sandbox.directory.users.values())).email

    run(command, *(["--sender", email] if command == "previewsignature" else []))

    assert Sender.objects.filter(domain=connection.domain).count() == 24


@pytest.mark.parametrize("args", [["deliversignatures"], ["deliversignatures", "--dry-run"], ["checkdrift"]])
def test_without_any_sender_a_command_fails_and_names_the_one_to_run(sandbox, connection, args):
    refused = refuse(*args)

    assert "syncdirectory --domain acme.example" in str(refused)
    assert refused.returncode == 1
    assert (get_writes(sandbox), DeliveryRun.objects.count()) == ([], 0)


def test_a_delivery_that_waits_says_until_when_and_the_command_goes_on_with_it_then(sandbox, ready):
    sandbox.faults.add("rate_limited", method="PATCH", times=None)

    waits = refuse("deliversignatures")
    again = refuse("deliversignatures")
    waiting = DeliveryRun.objects.get()
    sandbox.faults.clear()
    with time_machine.travel(waiting.resume_at + timedelta(seconds=1)):
        text = run("deliversignatures")

    assert (waits.returncode, again.returncode) == (75, 75)
    assert WITHOUT_WORKER in str(waits)
    assert f"{waiting.resume_at:%-d %b %Y, %H:%M:%S} UTC" in str(again)
    assert f"Delivery {waiting.pk}, of" in text
    assert "0 mailboxes would change" in text
    waiting.refresh_from_db()
    assert (waiting.state, waiting.delivered) == ("complete", Placement.objects.count())


def test_a_restore_that_waits_says_so_with_the_same_status(sandbox, ready, deliver):
    deliver()
    sandbox.faults.add("rate_limited", method="PATCH", times=None)

    waits = refuse("restoresignatures")

    assert waits.returncode == 75
    assert WITHOUT_WORKER in str(waits)


def test_a_sync_that_waits_says_so_and_one_that_failed_exits_with_one(sandbox, connection):
    sandbox.faults.add("rate_limited", path="/api/v2/users", times=None)

    waits = refuse("syncdirectory")

    until = SyncRun.objects.get().resume_at
    assert waits.returncode == 75
    assert f"The next try is at {until:%-d %b %Y, %H:%M:%S} UTC." in str(waits)
    assert WITHOUT_WORKER in str(waits)
