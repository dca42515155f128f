"""The schedules' switches in the admin; nothing else about a schedule is written there."""

from __future__ import annotations

from django.contrib.admin.models import LogEntry
from django.test import Client
from django_q.models import Schedule

from portal.models import User
from portal.worker.schedules import SCHEDULES, set_up_schedules


def switch(client: Client, name: str, action: str) -> list[str]:
    """Run the action on one schedule and return what the page tells."""
    pk = Schedule.objects.get(name=name).pk
    answer = client.post(
        "/admin/django_q/schedule/", {"action": action, "_selected_action": [pk]}, follow=True
    )
    return [str(message) for message in answer.context["messages"]]


def test_a4_nobody_writes_a_schedule(client: Client, superuser: User, db: None) -> None:
    set_up_schedules()
    client.force_login(superuser)
    before = list(Schedule.objects.order_by("pk").values())
    form = {"name": "mine", "func": "os.system", "args": "'true'", "schedule_type": "O", "repeats": "-1"}
    where = "/admin/django_q/schedule/"

    statuses = [
        client.post(f"{where}add/", form).status_code,
        client.post(f"{where}{before[0]['id']}/change/", form).status_code,
        client.get(f"{where}add/").status_code,
    ]

    assert statuses == [403, 403, 403]
    assert list(Schedule.objects.order_by("pk").values()) == before


def test_a_schedule_is_switched_off_and_on_and_the_others_stay(staff: Client, operator: User) -> None:
    set_up_schedules()

    told = switch(staff, "sync everything", "switch_off")

    assert told == ["“sync everything” is switched off."]
    assert list(Schedule.objects.filter(repeats=0).values_list("name", flat=True)) == ["sync everything"]
    assert LogEntry.objects.get().user == operator

    switch(staff, "sync everything", "switch_on")

    assert Schedule.objects.filter(repeats=-1).count() == len(SCHEDULES)


def test_the_heartbeat_stays_on(staff: Client) -> None:
    set_up_schedules()

    told = switch(staff, "heartbeat", "switch_off")

    assert told == ["The heartbeat stays on: without it, the worker counts as not running."]
    assert not Schedule.objects.filter(repeats=0).exists()
