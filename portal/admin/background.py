"""Admin of background work: schedules, finished tasks and the queue, without arguments or results."""

from __future__ import annotations

import django_q.admin  # noqa: F401 - registered first, so that its forms can be withdrawn below
from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django_q.models import Failure, OrmQ, Schedule, Success, Task

from integrations.admin.base import ReadOnlyAdmin
from portal.worker.schedules import ScheduleRefused, switch_schedule

# A schedule names any callable: nobody types one. Resubmitting a task would run whatever it names.
for model in (Schedule, Success, Failure, OrmQ):
    admin.site.unregister(model)


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    """Schedules; they can only be switched on and off."""

    hidden = ("args", "kwargs")

    list_display = ["name", "func", "is_on", "every", "last_run", "went_well", "next_run"]
    list_display_links = ["name"]
    search_fields = ["name", "func"]
    fields = ["name", "func", "is_on", "every", "last_run", "went_well", "next_run"]
    actions = ["switch_on", "switch_off"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        last = Task.objects.filter(id=OuterRef("task"))
        return (
            super()
            .get_queryset(request)
            .annotate(
                last_started=Subquery(last.values("started")), last_success=Subquery(last.values("success"))
            )
        )

    @admin.display(description="On", boolean=True)
    def is_on(self, schedule: Schedule) -> bool:
        return bool(schedule.repeats)

    @admin.display(description="How often")
    def every(self, schedule: Schedule) -> str:
        if schedule.schedule_type == Schedule.MINUTES:
            return "every minute" if schedule.minutes == 1 else f"every {schedule.minutes} minutes"
        if schedule.schedule_type == Schedule.CRON:
            return f"cron {schedule.cron} UTC"
        return str(schedule.get_schedule_type_display())

    @admin.display(description="Last run", empty_value="not seen")
    def last_run(self, schedule: Schedule) -> object:
        return schedule.last_started

    @admin.display(description="Succeeded", boolean=True)
    def went_well(self, schedule: Schedule) -> bool | None:
        succeeded: bool | None = schedule.last_success
        return succeeded

    @admin.action(description="Switch on")
    def switch_on(self, request: HttpRequest, rows: QuerySet[Schedule]) -> None:
        self._switch(request, rows, is_on=True)

    @admin.action(description="Switch off")
    def switch_off(self, request: HttpRequest, rows: QuerySet[Schedule]) -> None:
        self._switch(request, rows, is_on=False)

    def _switch(self, request: HttpRequest, rows: QuerySet[Schedule], *, is_on: bool) -> None:
        words = "switched on" if is_on else "switched off"
        for schedule in rows:
            try:
                switch_schedule(str(schedule.name), is_on=is_on)
            except ScheduleRefused as refusal:
                messages.error(request, str(refusal))
                continue
            self.log_change(request, schedule, f"{words.capitalize()}.")
            messages.success(request, f"“{schedule.name}” is {words}.")


class TaskAdmin(ReadOnlyAdmin):
    """Finished tasks."""

    hidden = ("args", "kwargs", "result")
    list_display = ["name", "func", "started", "stopped", "attempt_count"]
    list_filter = ["func"]
    search_fields = ["=name", "func"]
    date_hierarchy = "started"
    fields = ["name", "func", "cluster", "started", "stopped", "success", "attempt_count"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Task]:
        # What is not shown is not unpickled either.
        return super().get_queryset(request).defer(*self.hidden)


admin.site.register([Success, Failure], TaskAdmin)


@admin.register(OrmQ)
class WaitingAdmin(ReadOnlyAdmin):
    """Queued tasks; one that a worker has taken is reserved until `lock`."""

    hidden = ("payload",)
    list_display = ["id", "func", "key", "lock"]
    fields = ["id", "func", "key", "lock"]
    date_hierarchy = "lock"

    @admin.display(description="Function")
    def func(self, row: OrmQ) -> str:
        return str(row.func())
