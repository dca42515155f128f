"""Creates the schedules: syncs, token refresh, clean-up and the heartbeat."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from portal.worker.schedules import set_up_schedules


class Command(BaseCommand):
    help = "Create or update the schedules of the background worker. Can be run again at any time."

    def handle(self, *args: Any, **options: Any) -> None:
        made, updated = set_up_schedules()
        self.stdout.write(f"Schedules: {made} created, {updated} updated.")
