"""setupschedules: each schedule once, callable, and switched off stays off."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.utils.module_loading import import_string
from django_q.models import Schedule

from portal.background import LONG, LONG_TASKS
from portal.worker.schedules import SCHEDULES, set_up_schedules

pytestmark = pytest.mark.django_db

COLUMNS = ("id", "name", "func", "schedule_type", "minutes", "cron", "repeats")


def get_rows():
    return list(Schedule.objects.order_by("id").values_list(*COLUMNS))


def test_each_schedule_is_made_once_and_names_a_task_without_arguments(capsys):
    call_command("setupschedules")
    call_command("setupschedules")

    assert capsys.readouterr().out.splitlines() == [
        f"Schedules: {len(SCHEDULES)} created, 0 updated.",
        "Schedules: 0 created, 0 updated.",
    ]
    rows = Schedule.objects.all()
    assert sorted(row.name for row in rows) == sorted(each.name for each in SCHEDULES)
    for row in rows:
        assert callable(import_string(row.func))
        assert (row.args or row.kwargs or row.hook) in (None, "")
        assert row.cluster == (LONG if row.func in LONG_TASKS else None)
        assert row.repeats == -1


def test_what_the_background_owes_is_all_there():
    set_up_schedules()

    found = {row.func: (row.minutes, row.cron) for row in Schedule.objects.all()}
    assert found["integrations.tasks.sync_changes"] == (5, None)
    assert found["integrations.tasks.sync_everything"] == (None, "20 2 * * *")
    assert found["integrations.tasks.refresh_tokens"] == (60, None)
    assert found["integrations.tasks.sweep_connections"] == (1, None)
    assert found["integrations.tasks.watch_connections"] == (5, None)
    assert found["signatures.tasks.sweep_deliveries"] == (1, None)
    assert found["signatures.tasks.sift_banner_events"] == (1, None)
    assert found["signatures.tasks.remove_old_banner_events"] == (None, "50 2 * * *")
    assert found["portal.tasks.record_beat"] == (1, None)


def test_one_that_is_switched_off_stays_off_and_is_still_brought_up_to_date():
    set_up_schedules()
    row = Schedule.objects.get(name="sync what changed")
    Schedule.objects.filter(pk=row.pk).update(repeats=0, minutes=99, func="os.system")
    others = [each for each in get_rows() if each[0] != row.pk]

    assert set_up_schedules() == (0, 1)

    row.refresh_from_db()
    assert (row.repeats, row.minutes, row.func) == (0, 5, "integrations.tasks.sync_changes")
    assert [each for each in get_rows() if each[0] != row.pk] == others


def test_an_operators_own_schedule_is_left_alone():
    own = Schedule.objects.create(name="ours", func="portal.tasks.record_beat", minutes=7)

    set_up_schedules()

    own.refresh_from_db()
    assert (own.minutes, own.func) == (7, "portal.tasks.record_beat")
