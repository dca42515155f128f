"""deliversignatures: a part, in stages, one release, or what was refused; alone on a machine without a worker."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from portal.command_endings import GOES_ON_LATER
from signatures.delivery.planning import plan_delivery
from signatures.models import DeliveryRun, DeliverySettings
from tests.support.deliveries import get_held, get_writes

pytestmark = pytest.mark.django_db(transaction=True)


def run(*args: str, domain: str = "acme.example") -> str:
    stream = io.StringIO()
    call_command("deliversignatures", "--domain", domain, *args, stdout=stream)
    return stream.getvalue()


def test_part_of_a_domain_is_delivered_and_nobody_else(sandbox, ready, domain):
    rows = plan_delivery(domain, actor="test").deliveries.filter(state="planned")
    group = rows.first().sender.group
    theirs = set(rows.filter(sender__group=group).values_list("mailbox_remote_id", flat=True))
    other = rows.exclude(sender__group=group).first()
    before = get_held(sandbox)

    run("--group", group.name)
    assert set(get_writes(sandbox)) == theirs
    run("--sender", other.sender.email.upper())
    assert set(get_writes(sandbox)) == theirs | {other.mailbox_remote_id}
    written = len(get_writes(sandbox))
    run("--first", "1")

    assert len(get_writes(sandbox)) == written + 1
    untouched = before.keys() - set(get_writes(sandbox))
    assert {id: get_held(sandbox)[id] for id in untouched} == {id: before[id] for id in untouched}


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--group", "Nowhere"], "has no group Nowhere"),
        (["--sender", "nobody@acme.example"], "has no sender nobody@acme.example"),
        (["--first", "0"], "--first needs a number"),
        (["--release", "7"], "Release 7 is not live: release 1 is."),
        (["--retry", "4711"], "has no delivery 4711"),
    ],
)
def test_what_does_not_exist_is_refused_and_nothing_is_written(sandbox, ready, args, sentence):
    with pytest.raises(CommandError) as refused:
        run(*args)

    assert sentence.lower() in str(refused.value).lower()
    assert get_writes(sandbox) == []


def test_live_release_is_delivered_by_its_number(sandbox, ready):
    assert "delivered" in run("--release", "1", "--first", "1")


def test_stages_wait_and_say_that_a_worker_or_the_command_goes_on(sandbox, ready, domain):
    DeliverySettings.objects.create(domain=domain, stages=[2, None], stage_pause_minutes=10)

    with pytest.raises(CommandError) as waits:
        run("--stages")

    present = DeliveryRun.objects.get()
    assert waits.value.returncode == GOES_ON_LATER
    assert "Stage 1 was written and read back." in str(waits.value)
    assert "only while a worker runs (`serve`)" in str(waits.value)
    assert len(get_writes(sandbox)) == 2

    told = run()
    assert f"Delivery {present.pk}" in told and "waits. Stage 1 was written" in told
    assert len(get_writes(sandbox)) == 2

    DeliveryRun.objects.update(resume_at=timezone.now() - timedelta(seconds=1))
    run()
    present.refresh_from_db()
    assert (present.state, present.delivered) == ("complete", present.planned)


def test_retry_writes_just_what_was_refused(sandbox, ready, domain):
    taken = plan_delivery(domain, actor="test").deliveries.filter(state="planned").first()
    sandbox.directory.set_editable(int(taken.mailbox_remote_id), False)
    run()
    sandbox.directory.set_editable(int(taken.mailbox_remote_id), True)
    sandbox.requests.clear()

    told = run("--retry", str(DeliveryRun.objects.latest("pk").pk))

    assert "Retrying" in told
    assert get_writes(sandbox) == [taken.mailbox_remote_id]
