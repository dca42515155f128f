"""The command `status`: what the page says, for scripts and terminals."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django.utils import timezone
from django_q.models import Schedule, Task

from portal.models import WorkerMachine
from signatures.models import DeliveryRunState
from tests.support.company import found_company

pytestmark = pytest.mark.django_db


def test_the_command_says_the_same_and_its_code_tells_scripts(well, settings):
    out = io.StringIO()
    Schedule.objects.filter(name="refresh tokens").update(next_run=Now() - timedelta(hours=3))

    with pytest.raises(CommandError) as refused:
        call_command("status", "--json", stdout=out)

    found = json.loads(out.getvalue())
    assert refused.value.returncode == 1
    assert found["well"] is False
    assert "“refresh tokens” is late." in [each["sentence"] for each in found["problems"]]


def test_the_command_says_when_schedules_ran_and_run_and_how_full_disks_are(well, domain):
    at = timezone.now().replace(month=3, day=7, hour=4, minute=5)
    Task.objects.create(
        id="1", name="t", func="f", started=at - timedelta(seconds=3), stopped=at, success=True
    )
    Schedule.objects.filter(name="check the ledger").update(task="1")
    Schedule.objects.filter(name="send alerts").update(repeats=0)
    WorkerMachine.objects.update(disk_free_mb=41_234)
    long_ago = timezone.now() - timedelta(minutes=6)
    stuck = found_company(domain).run(DeliveryRunState.QUEUED, created_at=long_ago, queued_at=long_ago)
    out = io.StringIO()

    with suppress(CommandError):
        call_command("status", stdout=out)

    assert "  check the ledger: complete, 7 Mar 04:05, took 3.0 s, next " in out.getvalue()
    assert "  send alerts: off\n" in out.getvalue()
    assert "100 MB, 41,234 MB of disk free\n" in out.getvalue()
    assert f"  Delivery {stuck.pk} of acme.example: stuck, " in out.getvalue()
