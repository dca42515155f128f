"""Quiet hours and writes per hour: a run waits, with the time it goes on."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from django.utils import timezone

from signatures.delivery.deliver import carry_out
from signatures.delivery.planning import plan_delivery
from signatures.delivery.runs import start_delivery
from signatures.delivery.write_times import get_quiet_end
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, DeliverySettings
from tests.support.deliveries import get_held, get_writes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("begins", "ends", "at", "expected"),
    [
        ("22:00", "06:00", "2026-11-26T22:30+00:00", "2026-11-27T06:00+00:00"),
        ("22:00", "06:00", "2026-11-26T05:59+00:00", "2026-11-26T06:00+00:00"),
        ("22:00", "06:00", "2026-11-26T06:00+00:00", None),
        ("09:00", "17:00", "2026-11-26T08:59+00:00", None),
        ("09:00", "17:00", "2026-11-26T09:00+00:00", "2026-11-26T17:00+00:00"),
        ("09:00", "09:00", "2026-11-26T09:00+00:00", None),
        (None, "09:00", "2026-11-26T08:00+00:00", None),
    ],
)
def test_quiet_hours_end_in_the_domains_zone(domain, begins, ends, at, expected):
    domain.time_zone = "UTC"
    settings = DeliverySettings(
        domain=domain,
        quiet_from=time.fromisoformat(begins) if begins else None,
        quiet_until=time.fromisoformat(ends) if ends else None,
    )

    end = get_quiet_end(domain, settings, datetime.fromisoformat(at))

    assert end == (datetime.fromisoformat(expected) if expected else None)


def test_quiet_hours_follow_the_clock_of_the_domain(domain):
    domain.time_zone = "America/New_York"
    settings = DeliverySettings(domain=domain, quiet_from=time(20), quiet_until=time(6))

    at = datetime(2026, 7, 2, 3, tzinfo=UTC)  # 23:00 the day before

    assert get_quiet_end(domain, settings, at) == datetime(2026, 7, 2, 10, tzinfo=UTC)


def set_quiet(domain, *, from_hours: int, hours: int) -> None:
    now = timezone.now()
    begins, ends = now + timedelta(hours=from_hours), now + timedelta(hours=from_hours + hours)
    DeliverySettings.objects.update_or_create(
        domain=domain, defaults={"quiet_from": begins.time(), "quiet_until": ends.time()}
    )


def test_run_waits_out_the_quiet_hours_and_says_until_when(sandbox, ready, domain, other_domain):
    set_quiet(domain, from_hours=-1, hours=3)
    before = get_held(sandbox)
    sandbox.requests.clear()

    run = carry_out(start_delivery(plan_delivery(domain, actor="test"), actor="test").pk)

    assert (run.state, run.cause_code) == (DeliveryRunState.WAITING, "quiet")
    assert timedelta(minutes=115) < run.resume_at - timezone.now() < timedelta(minutes=121)
    assert get_held(sandbox) == before
    assert list(sandbox.requests) == []

    DeliverySettings.objects.update_or_create(domain=other_domain, defaults=dict.fromkeys(["quiet_from"]))
    set_quiet(other_domain, from_hours=-1, hours=3)
    set_quiet(domain, from_hours=2, hours=1)
    DeliveryRun.objects.filter(pk=run.pk).update(resume_at=timezone.now())
    assert carry_out(run.pk).state == DeliveryRunState.COMPLETE


def test_no_more_mailboxes_are_written_in_an_hour_than_allowed(sandbox, ready, domain):
    DeliverySettings.objects.create(domain=domain, writes_per_hour=5)
    sandbox.requests.clear()

    run = carry_out(start_delivery(plan_delivery(domain, actor="test"), actor="test").pk)

    assert (run.state, run.cause_code, run.delivered) == (DeliveryRunState.WAITING, "rate", 5)
    assert len(get_writes(sandbox)) == 5
    assert timedelta(minutes=55) < run.resume_at - timezone.now() < timedelta(minutes=62)

    an_hour_ago = timezone.now() - timedelta(hours=1)
    Delivery.objects.filter(run=run, state="delivered").update(finished_at=an_hour_ago)
    DeliveryRun.objects.filter(pk=run.pk).update(resume_at=timezone.now())
    run = carry_out(run.pk)
    assert (run.state, run.delivered, len(get_writes(sandbox))) == (DeliveryRunState.WAITING, 10, 10)
