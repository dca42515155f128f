"""An installation that needs no operator."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import Schedule

from portal.worker.machines import note_machine
from portal.worker.schedules import set_up_schedules


@pytest.fixture
def well(settings) -> None:
    """An installation that needs nobody: a worker that was just seen, and schedules that are not due."""
    settings.SECURE_SSL_REDIRECT = False
    set_up_schedules()
    Schedule.objects.update(next_run=timezone.now() + timedelta(minutes=1))
    note_machine(is_busy=False, memory_mb=100)
