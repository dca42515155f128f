"""The migration that renames schedules: each keeps its row and whether it is switched on; others keep their names."""

from __future__ import annotations

from importlib import import_module

from django.apps import apps
from django_q.models import Schedule

from portal.worker.schedules import SCHEDULES, set_up_schedules

MIGRATION = import_module("portal.migrations.0010_schedule_names")


def test_schedules_are_renamed_and_keep_their_state(db):
    off = Schedule.objects.create(name="write to whose turn it is", func="x", repeats=0)
    of_an_operator = Schedule.objects.create(name="renew", func="y")

    MIGRATION.rename(apps, None)
    set_up_schedules()

    off.refresh_from_db()
    of_an_operator.refresh_from_db()
    assert (off.name, off.repeats, of_an_operator.name) == ("send alerts", 0, "renew")
    assert Schedule.objects.count() == len(SCHEDULES) + 1


def test_every_new_name_is_that_of_a_schedule():
    assert set(MIGRATION.RENAMED.values()) <= {each.name for each in SCHEDULES}
