"""Looks for what needs a person and sends the notices that are due, without a background worker."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from integrations.notices.sending import send_notice
from integrations.notices.watch import watch_connections, watch_installation


class Command(BaseCommand):
    help = (
        "Look for what needs a person and send the notices that are due, as the schedule “send alerts” does. "
        "For the scheduler of a machine without a worker, as a worker cannot tell that it is gone."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        watch_installation()
        due = watch_connections()
        sent = sum(send_notice(notice_id) for notice_id in due)
        self.stdout.write(f"{sent} of {len(due)} notices sent.")
