"""Schedules: recurring tasks and their intervals; operators find them by name and switch them on or off."""

from __future__ import annotations

from dataclasses import dataclass

from django_q.models import Schedule

from portal.background import LONG, LONG_TASKS


@dataclass(frozen=True, slots=True)
class Regular:
    """One schedule. minutes: how often; cron: the time of day instead, in UTC."""

    name: str
    task: str
    minutes: int = 0
    cron: str = ""


HEARTBEAT = "heartbeat"

SCHEDULES = (
    Regular(HEARTBEAT, "portal.tasks.record_beat", minutes=1),
    Regular("sync what changed", "integrations.tasks.sync_changes", minutes=5),
    Regular("sync everything", "integrations.tasks.sync_everything", cron="20 2 * * *"),
    Regular("read back mailboxes", "integrations.tasks.read_mailboxes_back", cron="0,20,40 3-5 * * *"),
    Regular("refresh tokens", "integrations.tasks.refresh_tokens", minutes=60),
    Regular("resume interrupted syncs", "integrations.tasks.sweep_connections", minutes=1),
    Regular("check the ledger", "integrations.tasks.check_ledger", cron="40 3 * * *"),
    Regular("prune the ledger", "integrations.tasks.prune_ledger", cron="0 4 * * 0"),
    Regular("send alerts", "integrations.tasks.watch_connections", minutes=5),
    Regular("invite and remind senders", "portal.tasks.invite_senders", minutes=1),
    Regular("send mails of senders' changes", "signatures.tasks.send_change_mails", minutes=5),
    Regular("publish scheduled releases", "signatures.tasks.publish_due_releases", minutes=1),
    Regular("resume interrupted deliveries", "signatures.tasks.sweep_deliveries", minutes=1),
    Regular("count audience matches", "signatures.tasks.tally_audiences", minutes=5),
    Regular("remove old decisions", "signatures.tasks.remove_old_decisions", cron="40 2 * * *"),
    Regular("import banner events", "signatures.tasks.take_in_banner_events", minutes=1),
    Regular("count banner events", "signatures.tasks.sift_banner_events", minutes=1),
    Regular("remove old banner events", "signatures.tasks.remove_old_banner_events", cron="50 2 * * *"),
    Regular("remove old syncs", "integrations.tasks.remove_old_syncs", cron="0 3 * * *"),
    Regular("count mailboxes by status", "signatures.tasks.note_statuses", minutes=60),
    Regular("remove old deliveries", "signatures.tasks.remove_old_deliveries", cron="10 3 * * *"),
    Regular("remove old media", "signatures.tasks.remove_old_media", cron="30 3 * * *"),
    Regular("remove closed invitations", "portal.tasks.remove_closed_invitations", cron="15 3 * * *"),
    Regular("remove decided changes", "signatures.tasks.remove_decided_changes", cron="25 3 * * *"),
    Regular("remove old counts", "signatures.tasks.remove_old_counts", cron="35 3 * * *"),
    Regular("remove expired sessions", "portal.tasks.remove_expired_sessions", cron="20 3 * * *"),
)


def set_up_schedules() -> tuple[int, int]:
    """Create or update each schedule; return (created, updated). One that is switched off stays off."""
    made = updated = 0
    for regular in SCHEDULES:
        columns = {
            "func": regular.task,
            "schedule_type": Schedule.CRON if regular.cron else Schedule.MINUTES,
            "minutes": regular.minutes or None,
            "cron": regular.cron or None,
            "cluster": LONG if regular.task in LONG_TASKS else None,
        }
        present = Schedule.objects.filter(name=regular.name).order_by("pk").first()
        if present is None:
            Schedule.objects.create(name=regular.name, repeats=-1, **columns)
            made += 1
        elif any(getattr(present, column) != value for column, value in columns.items()):
            Schedule.objects.filter(pk=present.pk).update(**columns)
            updated += 1
    return made, updated


class ScheduleRefused(Exception):
    """A schedule cannot be switched; the message says why."""


def switch_schedule(name: str, *, is_on: bool) -> None:
    """Switch the schedule of this name on or off. Raises ScheduleRefused."""
    if name == HEARTBEAT and not is_on:
        raise ScheduleRefused("The heartbeat stays on: without it, the worker counts as not running.")
    if name not in {regular.name for regular in SCHEDULES}:
        raise ScheduleRefused(f"“{name}” is not one of the portal’s schedules, so it was not changed.")
    Schedule.objects.filter(name=name).update(repeats=-1 if is_on else 0)
